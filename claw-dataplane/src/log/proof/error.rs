//! Why proofs could not be kept or given.

use std::path::PathBuf;

use claw_common::id::ShardId;

use crate::log::ReadError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// A file, or the log.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The node's key is of no use.
    #[error("{path}: {reason}")]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// What was signed is not readable or not ours.
    #[error("{path}: {reason}")]
    Checkpoints {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The log ends before what was signed.
    #[error(
        "shard {shard}: the log ends at record {found} and a signed checkpoint covers {signed}: \
         acknowledged records are lost; restore the log from a copy, and do not write to this one"
    )]
    LogShorter {
        /// The shard.
        shard: ShardId,
        /// Its last record.
        found: u64,
        /// What the last checkpoint covers.
        signed: u64,
    },
    /// The log's tree is not the one that was signed.
    #[error(
        "shard {shard}: the tree of the log's first {size} records is not the one that was signed: \
         to sign on would be to show two histories; keep the data directory and find out why"
    )]
    TwoHistories {
        /// The shard.
        shard: ShardId,
        /// Size of the tree that was signed.
        size: u64,
    },
    /// The tree must be made again and the log does not reach back.
    #[error(
        "shard {shard}: its tree must be made again from the first record, and the log begins \
         later (`retention = \"discard\"`): restore data/proofs from a copy"
    )]
    LogDiscarded {
        /// The shard.
        shard: ShardId,
    },
    /// A stored tree or place does not fit the log.
    #[error("shard {shard}: {what} is damaged; it will be made again from the log")]
    Damaged {
        /// The shard.
        shard: ShardId,
        /// Which file.
        what: &'static str,
    },
    /// The record is in no segment and no archive.
    #[error("shard {shard} record {sequence} is no longer kept (`retention = \"discard\"`)")]
    Gone {
        /// The shard.
        shard: ShardId,
        /// The record.
        sequence: u64,
    },
}
