//! The seam between deciding and the log: where a decided event is encoded.
//!
//! The shell hands the core a journal over the filling block of the shard, so that events are
//! encoded in place in registered memory. The core knows nothing of blocks, devices or durability.

use claw_common::time::{Hlc, UnixMs};

use crate::codec::Encode;
use crate::command::{AuthMode, CommandKey, ExtraType};

/// What a record says beside its event.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Event kind, see `shard::event::EventKind`.
    pub kind: u16,
    /// Version of the event type.
    pub event_version: u16,
    /// Registered number of the signing key; 0 for the node.
    pub key: u32,
    /// How it signed.
    pub auth_mode: AuthMode,
    /// When the claim was accepted.
    pub accepted: Hlc,
    /// When it was decided.
    pub decided: Hlc,
    /// The time the decision saw.
    pub now_ms: UnixMs,
    /// The command that caused it; zero for the node's own.
    pub identity: CommandKey,
    /// What the record saw of another shard beyond its block: (shard, sequence).
    pub seen: Option<(u16, u64)>,
    /// Extra fields, canonical JSON.
    pub extra: &'a [u8],
    /// As what they were written.
    pub extra_type: ExtraType,
    /// The encoded answer to remember; empty for none. At most one record of a command has one.
    pub answer: &'a [u8],
    /// Signature and its base; empty for none.
    pub evidence: &'a [u8],
}

/// Takes decided events in order.
pub trait Journal {
    /// Encodes `event` as the shard's next record and returns its sequence (counted from 1).
    fn append(&mut self, draft: &Draft<'_>, event: &dyn Encode) -> u64;

    /// The sequence the last append returned; what recovery found before the first.
    fn sequence(&self) -> u64;
}
