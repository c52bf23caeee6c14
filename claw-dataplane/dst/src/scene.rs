//! The scene: virtual time, what is yet to happen, and the clock the node is shown.
//!
//! Owns the order of everything. Two things never happen at once: equal times are kept in the order
//! they were planned, so a run depends on its seed alone. The clock shown to the node may pause, go
//! back or leap; the scene's own time never does.

use std::collections::BTreeMap;

use claw_common::id::ShardId;
use claw_common::time::UnixMs;

use crate::options::Options;
use crate::random::{Purpose, Random};
use crate::trace::{Sink, Trace};

/// Time at the start of every world.
const CLOCK_START_MS: UnixMs = 1_800_000_000_000;
/// The shown clock strays no further than this, milliseconds: far less than a command is
/// remembered.
const CLOCK_STRAY_MS_MAX: i64 = 20_000;

/// What can happen. What belongs to a run of the node names its incarnation and dies with it.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A shopper acts.
    Wake { client: usize },
    /// A request reaches its shard.
    Arrive { incarnation: u32, shard: ShardId, request: Vec<u8> },
    /// A message reaches another shard.
    Deliver { incarnation: u32, from: ShardId, to: ShardId, message: Vec<u8> },
    /// The device says that a block is durable.
    Durable { incarnation: u32, stream: u16, sequence: u64 },
    /// The device says that a superblock is durable.
    SuperblockDurable { incarnation: u32, stream: u16 },
    /// The vault comes to a question.
    Asked { ask: Vec<u8> },
    /// An answer of the vault reaches the node.
    Paid { incarnation: u32, answer: Vec<u8> },
    /// An answer reaches its shopper.
    Answer { attempt: u64, outcome: Vec<u8> },
    /// Housekeeping: time passes, marks, snapshots.
    Heartbeat { incarnation: u32 },
    /// Power fails.
    Crash { incarnation: u32 },
    /// The node starts.
    Start,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) options: Options,
    pub(crate) trace: Trace,
    pub(crate) node_random: Random,
    pub(crate) device_random: Random,
    pub(crate) vault_random: Random,
    clock_random: Random,
    agenda: BTreeMap<(u64, u64), Happening>,
    planned_count: u64,
    now_us: u64,
    stray_ms: i64,
    paused_at: Option<(u64, UnixMs)>,
}

impl Scene {
    pub(crate) fn new(options: Options, sink: Option<Sink>) -> Self {
        let random = |purpose| Random::new(options.seed, purpose);
        Self {
            options,
            trace: Trace::new(sink),
            node_random: random(Purpose::Node),
            device_random: random(Purpose::Device),
            vault_random: random(Purpose::Vault),
            clock_random: random(Purpose::Clock),
            agenda: BTreeMap::new(),
            planned_count: 0,
            now_us: 0,
            stray_ms: 0,
            paused_at: None,
        }
    }

    /// The scene's own time, microseconds.
    pub(crate) const fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Plans something `delay_us` from now; returns when.
    pub(crate) fn plan(&mut self, delay_us: u64, happening: Happening) -> u64 {
        let at = self.now_us + delay_us;
        self.planned_count += 1;
        self.agenda.insert((at, self.planned_count), happening);
        at
    }

    /// Goes on to the next thing that happens.
    pub(crate) fn next(&mut self) -> Option<Happening> {
        let ((at, _), happening) = self.agenda.pop_first()?;
        assert!(at >= self.now_us, "time never goes back here");
        self.now_us = at;
        Some(happening)
    }

    /// Whether something is on its way inside the node.
    pub(crate) fn delivers(&self) -> bool {
        self.agenda.values().any(|what| {
            matches!(
                what,
                Happening::Deliver { .. }
                    | Happening::Arrive { .. }
                    | Happening::Asked { .. }
                    | Happening::Paid { .. }
                    | Happening::Start
            )
        })
    }

    /// Forgets what was planned and matches.
    pub(crate) fn forget(&mut self, matches: impl Fn(&Happening) -> bool) {
        self.agenda.retain(|_, happening| !matches(happening));
    }

    /// Writes a line of the trace.
    pub(crate) fn line(&mut self, symbol: char, fact: core::fmt::Arguments<'_>) {
        self.trace.line(self.now_us, symbol, fact);
    }

    fn true_ms(&self) -> UnixMs {
        CLOCK_START_MS + self.now_us / 1000
    }

    /// What the node's clock shows.
    pub(crate) fn clock_ms(&self) -> UnixMs {
        match self.paused_at {
            Some((_, shown)) => shown,
            None => self.true_ms().saturating_add_signed(self.stray_ms),
        }
    }

    /// Disturbs the clock: it pauses, goes on, goes back or leaps.
    pub(crate) fn disturb_clock(&mut self) {
        if let Some((until_us, shown)) = self.paused_at {
            if self.now_us >= until_us {
                self.paused_at = None;
                let behind = self.true_ms().abs_diff(shown);
                let ahead = shown > self.true_ms();
                let stray = i64::try_from(behind).expect("small");
                self.stray_ms = if ahead { stray } else { -stray };
            }
            return;
        }
        if !self.clock_random.chance(self.options.clock_permille) {
            return;
        }
        let by_ms = i64::try_from(self.clock_random.between(1, 2_000)).expect("small");
        if self.clock_random.chance(300) {
            let length_us = by_ms.unsigned_abs() * 1000;
            self.paused_at = Some((self.now_us + length_us, self.clock_ms()));
            self.line('c', format_args!("pauses for {by_ms} ms"));
            return;
        }
        let forward = match self.stray_ms {
            stray if stray > CLOCK_STRAY_MS_MAX => false,
            stray if stray < -CLOCK_STRAY_MS_MAX => true,
            _ => self.clock_random.chance(500),
        };
        self.stray_ms += if forward { by_ms } else { -by_ms };
        let stray_ms = self.stray_ms;
        self.line('c', format_args!("jumps, now {stray_ms} ms off"));
    }

    /// Ends every disturbance: the clock shows no less than it ever did.
    pub(crate) fn steady_clock(&mut self) {
        self.paused_at = None;
        self.stray_ms = self.stray_ms.max(0);
    }
}
