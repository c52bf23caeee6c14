//! The shard: one writer over its products, coupons, carts, holds and orders.
//!
//! ```text
//!   command, message, time  --decide-->  event  --apply-->  state  --show-->  answer
//!                                          |                                    |
//!                                       journal                              effects
//! ```
//! A decision computes an event, applies it to the state through the same function that replay
//! uses ([`Shard::apply`]), encodes the answer from the state it led to, and appends event and
//! answer to the journal. So a log replayed gives the same state, byte for byte.
//!
//! **Order of a command:** de-duplicate, room in the window, room in the slab, then the refusals in
//! the order of [`crate::outcome::Refusal`].
//!
//! **Time.** The shell calls [`Shard::tick`] until it says there is no more before it decides
//! anything at a later time: what is due expires first. Time never goes back here.
//!
//! **Several shards.** See `saga`: the home decides, members reserve, settle and give back.
//!
//! **What may be evicted** (by the event that needs the slot, so that it replays):
//!
//! | slab | evicted, oldest first | never |
//! |---|---|---|
//! | products, coupons, keys | | all: full is 503 |
//! | carts | the one longest unchanged | |
//! | holds | released, expired, sold; over several shards with their order | live, waiting |
//! | orders | shipped, cancelled, refunded, once no shard owes them anything | others |
//! | reservations for other shards | settled, undone | held |
//! | remembered answers | older than `DEDUPLICATION_WINDOW_MS` | younger: full is 503 |
//!
//! Does not know bytes on disk, connections, signatures or JSON, and is not told when its events
//! become durable: the shell holds every effect back until then.

mod answer;
mod audit;
mod call;
pub mod config;
mod decide;
pub mod error;
pub mod event;
mod expect;
pub mod message;
pub mod notice;
mod receive;
mod replay;
mod resume;
mod saga;
mod state;
#[cfg(test)]
mod tests;
mod tick;
mod waiters;

pub use audit::{AuditLine, AuditTotals};
pub use config::{Capacities, ShardConfig};
pub use error::{ApplyError, RestoreError};
pub use replay::Replayed;
pub use state::Key;

use std::collections::BTreeMap;

use claw_common::id::{Id, ShardId};
use claw_common::time::{Hlc, UnixMs};

use crate::clock::Clock;
use crate::command::Request;
use crate::inventory::stored_lines::PricedLines;
use message::PartKey;
use saga::Conversation;
use state::State;
use waiters::Waiters;

/// Most journal bytes one [`Shard::receive`], [`Shard::tick`] or [`Shard::resume`] uses.
pub const CALL_BYTES_MAX: usize = 32 * 1024;

/// See the module.
#[derive(Debug)]
pub struct Shard {
    config: ShardConfig,
    state: State,
    clock: Clock,
    /// Reservations being asked of other shards; rebuilt by [`Shard::resume`].
    conversations: BTreeMap<PartKey, Conversation>,
    waiters: Waiters,
    /// What browsers show the gateway for orders that *require action*; lost with the memory.
    client_secrets: BTreeMap<Id, Box<str>>,
    /// How far [`Shard::resume`] has come; `None` when there is nothing left to take up.
    resuming: Option<Id>,
    /// Lines being priced; kept, so that deciding allocates nothing once warm.
    priced: PricedLines,
}

impl Shard {
    /// An empty shard; takes all its memory.
    pub fn new(config: ShardConfig) -> Self {
        Self::with_state(config, State::new(&config))
    }

    fn with_state(config: ShardConfig, state: State) -> Self {
        Self {
            config,
            state,
            clock: Clock::new(config.shard, config.shards_count),
            conversations: BTreeMap::new(),
            waiters: Waiters::with_capacity(config.capacities.waiters),
            client_secrets: BTreeMap::new(),
            resuming: None,
            priced: PricedLines::default(),
        }
    }

    /// Which shard it is.
    pub fn id(&self) -> ShardId {
        self.config.shard
    }

    /// Sequence of the latest record.
    pub fn sequence(&self) -> u64 {
        self.state.sequence
    }

    /// The latest time it saw.
    pub fn now_ms(&self) -> UnixMs {
        self.clock.now_ms()
    }

    /// The latest stamp it gave.
    pub fn last_stamp(&self) -> Hlc {
        self.clock.last()
    }

    /// How far it has seen into every shard's log, its own included: for the next block's header.
    pub fn version_vector(&self) -> &[u64] {
        self.clock.vector()
    }

    /// Raises the version vector to that of a block that is replayed.
    pub fn observe_vector(&mut self, vector: impl ExactSizeIterator<Item = u64>) {
        self.clock.observe(vector);
    }

    /// When [`Shard::tick`] has something to do next.
    pub fn next_deadline(&self) -> Option<UnixMs> {
        if self.resuming.is_some() || self.state.waiting.has_offers() {
            return Some(self.clock.now_ms());
        }
        let holds = self.state.hold_timers.next_deadline();
        let orders = self.state.order_timers.next_deadline();
        [holds, orders, self.waiters.next_deadline()].into_iter().flatten().min()
    }

    /// Registered keys by number, revoked ones included.
    pub fn keys(&self) -> impl Iterator<Item = (u32, &Key)> + '_ {
        self.state.keys.iter().map(|(number, key)| (*number, key))
    }

    /// How many forgotten subjects the log tells of; their numbers are 1 to this.
    pub fn forgotten_count(&self) -> u64 {
        self.state.forgotten_count
    }

    /// How many orders' sagas wait for somebody to retry them.
    pub fn parked_count(&self) -> usize {
        self.state.parked.len()
    }

    /// How many orders' sagas have not ended, parked ones included. Looks at every order.
    pub fn sagas_open(&self) -> usize {
        self.state.orders.iter().filter(|(_, order)| !order.saga.is_over()).count()
    }

    /// Things in the state: what [`Shard::state_hash`] takes time for, remembered answers included.
    pub fn entries_count(&self) -> usize {
        let state = &self.state;
        let slabs = [
            state.products.len(),
            state.coupons.len(),
            state.carts.len(),
            state.holds.len(),
            state.orders.len(),
            state.members.len(),
        ];
        let slabs: u32 = slabs.iter().sum();
        usize::try_from(slabs).expect("32 bits fit") + state.window.len()
    }

    /// Most journal bytes [`Shard::decide`] uses for this request.
    pub fn decision_bytes_max(request: &Request<'_>) -> usize {
        decide::bytes_max(request)
    }
}
