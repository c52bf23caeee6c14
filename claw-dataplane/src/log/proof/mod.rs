//! Proofs over the log: one Merkle tree a shard, signed checkpoints, receipts.
//!
//! ```text
//!  log, durable --Follower--> leaves --> shard-000.tree          whole subtrees, 32 bytes each
//!                                \-----> shard-000.places        where each block lies
//!  every checkpoint_interval_ms: root --node key--> shard-000.checkpoints   signed notes, text
//!  order's records --> leaf + inclusion proof + checkpoint = receipt, checked offline
//! ```
//! Owns the files under `data/proofs/` and their formats. Everything in them but the checkpoints
//! can be made again from the log and is, when it is missing or does not give the root that was
//! signed last. Checkpoints are never rewritten and never thrown away: they say what was promised.
//!
//! Invariants:
//! - Only what is durable enters a tree: a record below its shard's published position. So recovery
//!   never cuts what a checkpoint covers; a log that is shorter than its last checkpoint has lost
//!   acknowledged records, and a node does not start on it.
//! - A root is signed only with a consistency proof to the root before it in hand.
//! - Tree and places are flushed before the checkpoint that relies on them is written.
//! - What is not written yet is a piece at most, however far behind the log a tree is.
//!
//! Deliberately not here: which thread does this (`runtime/prover.rs`), who may ask for a receipt
//! (`ingest`), which records an order has (`claw-core`).

mod aligned;
mod block_reader;
mod catch_up;
mod checkpoint;
mod checkpoint_file;
mod error;
mod follower;
mod node_key;
mod places;
mod pursue;
mod receipt;
mod shard_proofs;
mod tree_file;
mod verify;

#[cfg(test)]
mod tests;

pub use catch_up::catch_up;
pub use checkpoint::{Checkpoint, NoteError, SignedNote, notes};
pub use checkpoint_file::{CheckpointFile, checkpoints_path};
pub use error::ProofError;
pub use follower::{Follower, FollowerStart};
pub use node_key::{NodeKey, parse_public_key};
pub use places::{BlockAt, PlacesFile, places_path};
pub use pursue::{Pursuit, pursue};
pub use receipt::{RECEIPT_FORMAT, ReceiptDraft};
pub use shard_proofs::{Proved, ShardProofs, ShardProofsStart};
pub use tree_file::{TreeFile, TreeReader, tree_path};
pub use verify::{
    CONSISTENCY_FORMAT, Finding, VerifiedReceipt, VerifiedRecord, consistency_document,
    verify_consistency_document, verify_receipt,
};
