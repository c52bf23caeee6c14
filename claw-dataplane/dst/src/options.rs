//! What a world is made of: drawn from its seed, overridden from the command line.
//!
//! Swarm testing: each seed has its own mix of rates and sizes, some of them off, because bugs hide
//! where everything happens a little and nothing happens much. Every option is printed before the
//! run and the seed alone draws them again.

use core::fmt;

use crate::knobs::Turned;
use crate::random::{Purpose, Random};

/// A deliberate mistake. Each must be caught, else the invariants are worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Canary {
    /// The device says a flush is done and never makes anything durable.
    NoFlush,
    /// Answers and messages leave when a block is sealed instead of when it is durable.
    EarlyReply,
    /// Stock given back by other shards never arrives: `Undo` messages are lost.
    LostRelease,
    /// Replay applies each stock movement twice.
    DoubleApply,
    /// Replay forgets the last record of each shard.
    ShortReplay,
    /// A segment is used again although no superblock says that it is free.
    EarlyReuse,
    /// A retry comes with another idempotency key.
    FreshKey,
    /// The node does not let time pass: nothing expires.
    FrozenExpiry,
    /// A message between shards is dropped now and then.
    LostMessage,
    /// A start does not take up the multi-shard work that was open.
    NoResume,
    /// The vault says that a payment is voided, and does nothing.
    LostVoid,
}

impl Canary {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoFlush,
        Self::EarlyReply,
        Self::LostRelease,
        Self::DoubleApply,
        Self::ShortReplay,
        Self::EarlyReuse,
        Self::FreshKey,
        Self::FrozenExpiry,
        Self::LostMessage,
        Self::NoResume,
        Self::LostVoid,
    ];
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use clap::ValueEnum;
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// What the command line may fix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Shards, 1 to 4.
    pub shards: Option<u16>,
    /// Commands that shoppers start.
    pub steps: Option<u32>,
    /// A deliberate mistake.
    pub canary: Option<Canary>,
}

/// One world's options. Rates are per thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Draws everything.
    pub seed: u64,
    /// What the command line fixed.
    pub overrides: Overrides,
    /// The knobs that were turned from where the seed set them, one bit each.
    pub turned: Turned,
    /// Shards of the store.
    pub shards: u16,
    /// Cores, and so streams, at first; a start may find another count.
    pub cores: u16,
    /// Whether the count of cores changes at starts.
    pub cores_change: bool,
    /// Commands that shoppers start.
    pub steps: u32,
    /// Shoppers, each with one command under way.
    pub clients: u16,
    /// Products.
    pub skus: u16,
    /// Coupons.
    pub coupons: u16,
    /// Demand that goes to the first product.
    pub hot_permille: u16,
    /// Most units of one delivery.
    pub stock_max: u64,
    /// Longest hold, milliseconds.
    pub ttl_ms_max: u64,
    /// Longest pause of a shopper between two commands, milliseconds.
    pub think_ms_max: u64,
    /// Longest device write, microseconds.
    pub write_us_max: u64,
    /// Longest way of a message, microseconds.
    pub message_us_max: u64,
    /// Mean time between crashes, milliseconds of the world; 0 for none.
    pub crash_ms_mean: u64,
    /// Crashes in the middle of a start.
    pub crash_in_start_permille: u16,
    /// Unflushed writes that a crash tears rather than keeps or drops.
    pub torn_permille: u16,
    /// Unflushed writes that a crash keeps whole.
    pub kept_permille: u16,
    /// Writes that fail and stop the node.
    pub write_error_permille: u16,
    /// Requests sent twice at once.
    pub double_permille: u16,
    /// Answered commands sent again later.
    pub repeat_permille: u16,
    /// Messages between shards delivered twice.
    pub message_twice_permille: u16,
    /// Heartbeats at which the clock is disturbed.
    pub clock_permille: u16,
    /// Heartbeats at which a snapshot is taken.
    pub snapshot_permille: u16,
    /// One arena slot, bytes.
    pub slot_bytes: usize,
    /// Bytes of remembered answers.
    pub deduplication_bytes: usize,
    /// Slots for holds, and for reservations of other shards.
    pub holds_max: u32,
    /// Slots for orders.
    pub orders_max: u32,
    /// Slots for carts.
    pub carts_max: u32,
    /// Milliseconds between two looks of an idle node at its clock.
    pub heartbeat_ms: u64,
    /// Most bytes of the store's own fields that come with a command.
    pub extra_bytes_max: u64,
    /// Checkouts that are paid for.
    pub paid_permille: u16,
    /// Authorisations and captures that are refused for good.
    pub vault_decline_permille: u16,
    /// Questions to the vault whose result nobody knows, nothing done.
    pub vault_away_permille: u16,
    /// Questions to the vault that are done and not, or not rightly, answered.
    pub vault_lose_permille: u16,
    /// Authorisations that the shopper must act on.
    pub vault_act_permille: u16,
    /// Longest way to the vault and back, microseconds.
    pub vault_us_max: u64,
}

impl Options {
    /// The options of a seed.
    pub fn draw(seed: u64, overrides: Overrides) -> Self {
        let mut chance = Random::new(seed, Purpose::Options);
        let r = &mut chance;
        let drawn_shards = pick(r, &[1, 2, 2, 2, 2, 3, 4]);
        let shards = overrides.shards.unwrap_or(drawn_shards);
        let drawn_steps = pick(r, &[100, 200, 300, 500]);
        let mut options = Self {
            seed,
            overrides,
            turned: Turned::default(),
            shards,
            cores: pick(r, &[1, 2]),
            cores_change: r.chance(300),
            steps: overrides.steps.unwrap_or(drawn_steps),
            clients: pick(r, &[1, 4, 8, 16, 32]),
            skus: pick(r, &[2, 4, 8, 12]),
            coupons: pick(r, &[1, 2, 4]),
            hot_permille: pick(r, &[0, 300, 800]),
            stock_max: pick(r, &[5, 50, 500]),
            ttl_ms_max: pick(r, &[100, 500, 2_000, 10_000]),
            think_ms_max: pick(r, &[1, 20, 200, 5_000]),
            write_us_max: pick(r, &[50, 500, 20_000]),
            message_us_max: pick(r, &[5, 500, 20_000, 100_000]),
            crash_ms_mean: pick(r, &[0, 200, 1_000, 1_000, 5_000]),
            crash_in_start_permille: pick(r, &[0, 200]),
            torn_permille: pick(r, &[0, 300, 900]),
            kept_permille: pick(r, &[100, 500, 900]),
            write_error_permille: pick(r, &[0, 0, 2]),
            double_permille: pick(r, &[0, 50, 300]),
            repeat_permille: pick(r, &[0, 50, 200]),
            message_twice_permille: pick(r, &[0, 0, 100]),
            clock_permille: pick(r, &[0, 5, 50]),
            snapshot_permille: pick(r, &[0, 5, 50]),
            slot_bytes: pick(r, &[64 * 1024, 128 * 1024]),
            deduplication_bytes: pick(r, &[64 * 1024, 256 * 1024, 1024 * 1024]),
            holds_max: pick(r, &[64, 128, 1_024]),
            orders_max: pick(r, &[32, 1_024, 1_024]),
            carts_max: pick(r, &[4, 64]),
            heartbeat_ms: pick(r, &[2, 10, 100]),
            extra_bytes_max: pick(r, &[0, 0, 200, 16 * 1024]),
            paid_permille: pick(r, &[0, 500, 500, 1_000]),
            vault_decline_permille: pick(r, &[0, 100, 400]),
            vault_away_permille: pick(r, &[0, 50, 300]),
            vault_lose_permille: pick(r, &[0, 50, 300]),
            vault_act_permille: pick(r, &[0, 100, 300]),
            vault_us_max: pick(r, &[100, 20_000, 500_000]),
        };
        // Slow shoppers live long: that takes no more looks at the clock than quick ones' lives.
        options.heartbeat_ms = options.heartbeat_ms.max(options.think_ms_max / 50);
        options
    }

    /// Whether this mistake is to be made.
    pub fn makes(&self, canary: Canary) -> bool {
        self.overrides.canary == Some(canary)
    }

    /// The command that runs this world again.
    pub fn command(&self) -> String {
        let Overrides { shards, steps, canary } = self.overrides;
        let shards = shards.map(|shards| format!(" --shards {shards}")).unwrap_or_default();
        let steps = steps.map(|steps| format!(" --steps {steps}")).unwrap_or_default();
        let canary = canary.map(|canary| format!(" --canary {canary}")).unwrap_or_default();
        let turned = self.turned_arguments();
        format!("cargo xtask dst --seed {}{shards}{steps}{canary}{turned} --trace", self.seed)
    }
}

fn pick<T: Copy>(random: &mut Random, items: &[T]) -> T {
    items[random.index(items.len())]
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let o = self;
        write!(f, "seed={} shards={} cores={}", o.seed, o.shards, o.cores)?;
        write!(f, " cores_change={} steps={} clients={}", o.cores_change, o.steps, o.clients)?;
        write!(f, " skus={} coupons={} hot_permille={}", o.skus, o.coupons, o.hot_permille)?;
        write!(f, " stock_max={} ttl_ms_max={}", o.stock_max, o.ttl_ms_max)?;
        write!(f, " think_ms_max={} write_us_max={}", o.think_ms_max, o.write_us_max)?;
        write!(f, " message_us_max={} crash_ms_mean={}", o.message_us_max, o.crash_ms_mean)?;
        write!(f, " crash_in_start_permille={}", o.crash_in_start_permille)?;
        write!(f, " torn_permille={} kept_permille={}", o.torn_permille, o.kept_permille)?;
        write!(f, " write_error_permille={}", o.write_error_permille)?;
        write!(f, " double_permille={} repeat_permille={}", o.double_permille, o.repeat_permille)?;
        write!(f, " message_twice_permille={}", o.message_twice_permille)?;
        write!(
            f,
            " clock_permille={} snapshot_permille={}",
            o.clock_permille, o.snapshot_permille
        )?;
        write!(f, " slot_bytes={} deduplication_bytes={}", o.slot_bytes, o.deduplication_bytes)?;
        write!(f, " holds_max={} orders_max={}", o.holds_max, o.orders_max)?;
        write!(f, " carts_max={} heartbeat_ms={}", o.carts_max, o.heartbeat_ms)?;
        write!(f, " extra_bytes_max={} paid_permille={}", o.extra_bytes_max, o.paid_permille)?;
        write!(f, " vault_decline_permille={}", o.vault_decline_permille)?;
        write!(f, " vault_away_permille={}", o.vault_away_permille)?;
        write!(f, " vault_lose_permille={}", o.vault_lose_permille)?;
        write!(f, " vault_act_permille={} vault_us_max={}", o.vault_act_permille, o.vault_us_max)?;
        match o.overrides.canary {
            Some(canary) => write!(f, " canary={canary}"),
            None => Ok(()),
        }
    }
}
