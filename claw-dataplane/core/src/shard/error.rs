//! Why a record of the log, or a snapshot, could not become state.
//!
//! These are never a caller's mistake: the bytes are damaged, written by a later version, or the
//! store was started with less memory than it had.

use crate::codec::CodecError;

/// A record that does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The kind's code is unknown here.
    #[error("apply event kind {code}: unknown; start with the version that wrote it")]
    KindUnknown {
        /// The code.
        code: u16,
    },
    /// The event type's version is later than ours.
    #[error("apply event kind {code} version {version}: later than known; upgrade")]
    VersionUnknown {
        /// The code.
        code: u16,
        /// The version.
        version: u16,
    },
    /// The payload is damaged.
    #[error("decode the event")]
    Codec(#[from] CodecError),
    /// The event contradicts the state: the log is damaged or incomplete.
    #[error("apply the event: {contradiction}")]
    Contradiction {
        /// What does not fit.
        contradiction: &'static str,
    },
    /// A slab is smaller than it was when the event was decided.
    #[error("apply the event: {slab} are full; raise `memory` in store.toml")]
    CapacityFull {
        /// Which.
        slab: &'static str,
    },
}

impl ApplyError {
    pub(crate) const fn contradiction(contradiction: &'static str) -> Self {
        Self::Contradiction { contradiction }
    }
}

/// A snapshot that cannot be restored; recovery falls back to an older one or to the whole log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Of another layout version.
    #[error("restore a snapshot of version {version}: not readable here")]
    VersionUnknown {
        /// The version.
        version: u16,
    },
    /// Of another shard or count of shards.
    #[error("restore a snapshot of shard {shard} of {shards_count}: not ours")]
    ShardForeign {
        /// Shard.
        shard: u16,
        /// Count of shards.
        shards_count: u16,
    },
    /// Damaged.
    #[error("decode the snapshot")]
    Codec(#[from] CodecError),
    /// Does not fit the memory given, or contradicts itself.
    #[error("rebuild the state of the snapshot")]
    Apply(#[from] ApplyError),
}
