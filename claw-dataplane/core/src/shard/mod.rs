//! The shard: one writer over products, coupons, carts, holds and orders.

pub mod config;
pub mod error;
pub mod event;
pub mod message;
pub mod notice;

pub use config::{Capacities, ShardConfig};
pub use error::{ApplyError, RestoreError};

use claw_common::id::ShardId;
use claw_common::time::{Hlc, UnixMs};

use crate::command::{CommandKey, Request};
use crate::effect::Effects;
use crate::journal::Journal;
use message::Message;

/// Most journal bytes one [`Shard::receive`] or [`Shard::tick`] uses.
pub const CALL_BYTES_MAX: usize = 32 * 1024;

/// A record of the log as replay reads it.
#[derive(Clone, Copy, Debug)]
pub struct Replayed<'a> {
    /// [`event::EventKind`] as a number.
    pub kind: u16,
    /// Version of the event type.
    pub event_version: u16,
    /// When it was decided.
    pub decided: Hlc,
    /// The time the decision saw.
    pub now_ms: UnixMs,
    /// The command that caused it.
    pub identity: CommandKey,
    /// Sequence of the record in the shard.
    pub sequence: u64,
    /// What it saw of another shard.
    pub seen: Option<(u16, u64)>,
    /// The event's own bytes: the payload without extra fields and answer.
    pub event: &'a [u8],
    /// The remembered answer.
    pub answer: &'a [u8],
}

/// One shard.
#[derive(Debug)]
pub struct Shard {
    config: ShardConfig,
    vector: Vec<u64>,
}

impl Shard {
    /// Takes all memory.
    pub fn new(config: ShardConfig) -> Self {
        Self { config, vector: vec![0; usize::from(config.shards_count)] }
    }
    /// Which shard.
    pub fn id(&self) -> ShardId {
        self.config.shard
    }
    /// Decides.
    pub fn decide(
        &mut self,
        _r: &Request<'_>,
        _now_ms: UnixMs,
        _j: &mut dyn Journal,
        _e: &mut Effects,
    ) {
    }
    /// Receives.
    pub fn receive(
        &mut self,
        _from: ShardId,
        _m: &Message<'_>,
        _now_ms: UnixMs,
        _j: &mut dyn Journal,
        _e: &mut Effects,
    ) {
    }
    /// Ticks.
    pub fn tick(&mut self, _now_ms: UnixMs, _j: &mut dyn Journal, _e: &mut Effects) -> bool {
        false
    }
    /// Deadline.
    pub fn next_deadline(&self) -> Option<UnixMs> {
        None
    }
    /// Resumes.
    pub fn resume(&mut self, _now_ms: UnixMs, _j: &mut dyn Journal, _e: &mut Effects) {}
    /// Applies.
    pub fn apply(&mut self, _record: &Replayed<'_>) -> Result<(), ApplyError> {
        Ok(())
    }
    /// Hash.
    pub fn state_hash(&self) -> [u8; 32] {
        [0; 32]
    }
    /// Snapshot.
    pub fn snapshot(&self, _write: &mut dyn FnMut(&[u8])) {}
    /// Restore.
    pub fn restore(config: ShardConfig, _bytes: &[u8]) -> Result<Self, RestoreError> {
        Ok(Self::new(config))
    }
    /// Vector.
    pub fn version_vector(&self) -> &[u64] {
        &self.vector
    }
    /// Vector of a block read at replay.
    pub fn observe_vector(&mut self, _vector: &[u64]) {}
    /// Bound.
    pub fn decision_bytes_max(_r: &Request<'_>) -> usize {
        0
    }
}
