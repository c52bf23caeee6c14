//! The log's format and its rules, over `&[u8]`.
//!
//! # Constraints
//! - An answer leaves a node only after the block that holds its record is durable; so no record of
//!   an acknowledged command may ever be lost, and none may come back that was given up.
//! - Devices keep one logical block whole and promise nothing about several: a write may be torn,
//!   and of several writes in flight any subset may survive a crash, in any order.
//! - A write in flight is not waited for by the next one: at most
//!   [`WRITES_IN_FLIGHT_MAX`](claw_common::limits::WRITES_IN_FLIGHT_MAX) (K) blocks lie beyond the
//!   contiguous durable prefix. The window counts from that prefix, not from completions: a block
//!   is sealed only when `stream_sequence <= durable_watermark + K`, and a block that says
//!   otherwise is not valid.
//! - Reading takes no copy and trusts no byte. A [`BlockView`] exists only for checked bytes.
//!
//! # Picture
//! ```text
//!  store       stream 0, one per core                      stream 1 ...
//!              +------------+ +-----------+-----------+
//!              | superblock | | segment 2 | segment 0 |    segments ordered by generation
//!              | 4 copies   | | gen 7     | gen 8     |    (the segment's number is only its name)
//!              +------------+ +-----------+-----------+
//!  segment     [ block ][ block ][ block, 3 x 4096 ][ mark ][ zeros or older blocks ... ]
//!  block       header | version vector | records | zeros       (claw_common::event)
//!  two chains  stream_previous: every block of the stream, marks included
//!              shard_previous:  blocks of one shard, in whatever stream
//! ```
//!
//! # Fields that decide
//! - `stream_sequence`: 1, 2, 3 ... without gaps. `stream_previous`: hash of the block before.
//! - `segment_generation`: how many segments the stream had begun. Orders the segments; an older
//!   one in the same segment is what the segment held before it was reused.
//! - `durable_watermark`: when this block was sealed, everything up to here was durable. A mark
//!   carries it forward when the stream is idle and when it is closed.
//! - `stream_epoch`: raised at every start, durably, before the first block. The superblock says
//!   where the present one begins.
//! - `shard_sequence`, `term`, `shard_previous`: the shard's own order, whatever the streams.
//!
//! # Operation
//! **Writing.** [`BlockDraft::open`] in a slot, [`BlockDraft::journal`] for each decision,
//! [`BlockDraft::seal`] when a write may start; the slot's first `size_bytes` go to the device.
//!
//! **Recovery of a stream** ([`StreamRecovery`]). Flush, so that what is read stays. Scan *every*
//! segment. Drop blocks below the retained generation and blocks of dead epochs. Follow the chain
//! from the retained block. Then, with the highest watermark found in any block, whether or not the
//! chain reaches it, and the superblock's cut as a floor:
//!
//! ```text
//!  blocks     1  2  3  4  5  x  7  8       x torn, 7 and 8 valid
//!  watermark in 8:       5                 cut at 6; 6, 7, 8 reported; next epoch begins at 6
//!  watermark in 8:          6              6 was durable: stop, name segment and offset
//! ```
//! What was cut is dead for ever: not because it is overwritten (it may not be), but because its
//! epoch ended before it. An epoch begins at its lowest block or, for the present one, where the
//! superblock says; anything of an older epoch from there on is ignored.
//!
//! **Recovery of shards** ([`replay`]). Streams are merged per shard by (term, shard sequence); a
//! shard with a missing record stops the start, since a stream or a segment is missing.
//!
//! # What cannot be told apart
//! A block among the last K that was durable, acknowledged and then rotted looks exactly like a
//! write that a crash tore: no later watermark covers it. Marks shorten the time (an idle stream
//! covers itself within its mark's delay, a closed stream at once), a mirror ends it. Also, a
//! device that acknowledges flushes it did not do can lose more than K: this shows as
//! [`RecoveryError::DamagedMiddle`] when any later block survived and as a shorter log when none
//! did.
//!
//! # Deliberately not here
//! Files, devices and the clock; when to seal; what events mean. Upcasting: `event_version` is kept
//! and handed on.

mod block;
mod chain;
pub mod layout;
mod leaf;
mod recovery;
mod segment;
mod superblock;
mod view;

#[cfg(test)]
mod tests;

pub use block::{BlockDraft, BlockJournal, Opening, SealInputs, Sealed, seal_mark};
pub use chain::{
    Apply, ChainError, EXPECTED_COUNT, Each, Replay, ShardChains, ShardStart, ShardTail,
    StreamBlocks, replay, replay_to,
};
pub use leaf::{LeafView, leaf_bytes, leaf_hash};
pub use recovery::{
    BlockPlace, CutBlock, Damage, RecoveryError, SegmentUse, StreamRecovery, StreamTail,
};
pub use segment::{
    Found, SegmentScan, archive_file_name, parse_archive_file_name, parse_segment_file_name,
    parse_superblock_file_name, peek_header, segment_file_name, superblock_file_name,
};
pub use superblock::{
    Cut, Retained, SUPERBLOCK_BYTES, SUPERBLOCK_MAGIC, SUPERBLOCK_VERSION, SUPERBLOCKS_BYTES,
    StoreShape, Superblock, SuperblockError,
};
pub use view::{BlockError, BlockView, RecordView, Records};
