//! The wire layout of the log: block header, record header, and the codes of event kinds.
//!
//! ```text
//!  block = n x 4096 bytes
//!  +--------------------+------------------+--------+--------+- - - -+-----------+
//!  | BlockHeader 256 B  | vector: u64 x v  | record | record |       | zeros     |
//!  +--------------------+------------------+--------+--------+- - - -+-----------+
//!  |<------------- length_bytes: covered by CRC32C and BLAKE3 ------>|
//!  record = 8-byte aligned
//!  +--------------------+---------+---------------+---------+
//!  | RecordHeader 128 B | payload | evidence      | padding |
//!  +--------------------+---------+---------------+---------+
//! ```
//! `vector[s]` is the highest sequence of shard `s` that the block's shard had seen when the
//! block was opened (its version vector; an entry of its own is the sequence before the block).
//! A record that has seen more of one shard says so in `seen_shard` and `seen_sequence`.
//! A leaf of a shard's Merkle tree binds a record to its place:
//! ```text
//!  leaf = LeafHeader 40 B | the record's `size_bytes` bytes as they lie in the block
//! ```
//! All integers are little-endian. Nothing here parses or checks: see `claw-core::log`.

use core::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First eight bytes of a block.
pub const BLOCK_MAGIC: [u8; 8] = *b"CLAWBLK1";
/// Version of the layout in this file.
pub const FORMAT_VERSION: u16 = 1;
/// Block flag: carries no records, only the durable watermark.
pub const BLOCK_FLAG_MARK: u16 = 1;
/// Alignment of records within a block, bytes.
pub const RECORD_ALIGN_BYTES: usize = 8;
/// `shard` of a mark block: it is nobody's, and in no shard's chain.
pub const BLOCK_SHARD_NONE: u16 = u16::MAX;
/// `seen_shard` of a record that saw no more than its block.
pub const SEEN_NOTHING_MORE: u16 = u16::MAX;

/// The header of every block. The two checksums are computed with both fields zero.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct BlockHeader {
    /// [`BLOCK_MAGIC`].
    pub magic: [u8; 8],
    /// [`FORMAT_VERSION`].
    pub format_version: U16,
    /// [`BLOCK_FLAG_MARK`] or zero.
    pub flags: U16,
    /// The append stream (one per core).
    pub stream: U16,
    /// The shard whose records these are, or [`BLOCK_SHARD_NONE`].
    pub shard: U16,
    /// The store, so that a block of another store is never read as ours.
    pub store_id: [u8; 16],
    /// Raised durably at every start after a cut; blocks of an older epoch beyond the cut are dead.
    pub stream_epoch: U64,
    /// Blocks of this stream are numbered from 1 without gaps.
    pub stream_sequence: U64,
    /// How many segments the stream had begun, this one included: orders the segments, and tells
    /// an old block in a reused segment from a new one.
    pub segment_generation: U64,
    /// When this block was sealed, every block of the stream up to this sequence was durable. At
    /// least `stream_sequence - WRITES_IN_FLIGHT_MAX`.
    pub durable_watermark: U64,
    /// Sequence of the first record in the shard; zero in a mark block.
    pub shard_sequence: U64,
    /// Leadership term of the shard; 1 on a lone node, zero in a mark block.
    pub term: U64,
    /// Stamp of the first record; of the seal when there is none.
    pub hlc_first: U64,
    /// Stamp of the last record; of the seal when there is none.
    pub hlc_last: U64,
    /// Records in the block.
    pub record_count: U32,
    /// Entries of the version vector.
    pub vector_count: U32,
    /// Bytes covered by the checksums, header included.
    pub length_bytes: U32,
    /// Bytes on the device, a multiple of the block alignment.
    pub size_bytes: U32,
    /// BLAKE3 of the previous block of this stream; zero for the first.
    pub stream_previous: [u8; 32],
    /// BLAKE3 of the previous block of this shard, in whatever stream; zero for the first and in a
    /// mark block.
    pub shard_previous: [u8; 32],
    /// BLAKE3 over `length_bytes`, this field and `crc32c` as zero.
    pub hash: [u8; 32],
    /// CRC32C over the same bytes with the same two fields as zero.
    pub crc32c: U32,
    /// Zero.
    pub reserved: [u8; 44],
}

/// The header of every record.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct RecordHeader {
    /// Whole record with padding, bytes; a multiple of 8.
    pub size_bytes: U32,
    /// Payload, bytes.
    pub payload_bytes: U32,
    /// Evidence, bytes: for ed25519 the 64-byte signature and the signature base it covers.
    pub evidence_bytes: U32,
    /// Which event, as a number the core gives it.
    pub kind: U16,
    /// Version of the event type the payload was written with.
    pub event_version: U16,
    /// Version of the store's State-Schema in force.
    pub schema_version: U32,
    /// The signing key's number in the key registry; 0 for events the node itself decides.
    pub key: U32,
    /// How the request was authenticated, as a number.
    pub auth_mode: U16,
    /// The shard of which this record saw more than its block, or [`SEEN_NOTHING_MORE`].
    pub seen_shard: U16,
    /// Whose members the extra fields are: a built-in event type of the State-Schema, as a number
    /// the core gives it; 0 for none.
    pub extra_type: U16,
    /// Version of that type's declaration the extra fields were written with; 0 for none.
    pub extra_version: U16,
    /// What it saw of that shard.
    pub seen_sequence: U64,
    /// Stamp given when the claim was accepted.
    pub accepted_hlc: U64,
    /// Stamp given when the event was decided: increases within the shard.
    pub hlc: U64,
    /// Time the decision saw, Unix milliseconds: never decreases within the shard.
    pub now_ms: U64,
    /// Which command caused it (see `claw-core::deduplication`); zero for the node's own.
    pub command: [u8; 16],
    /// Digest of the command's body.
    pub command_digest: [u8; 16],
    /// Bytes of the answer remembered for the command, at the end of the payload; 0 for none.
    pub answer_bytes: U32,
    /// Bytes of the store's own extra fields (canonical JSON), before the answer; 0 for none.
    pub extra_bytes: U32,
    /// Zero.
    pub reserved_tail: [u8; 24],
}

/// First eight bytes of a leaf.
pub const LEAF_MAGIC: [u8; 8] = *b"CLAWLEF1";

/// What stands before a record in its leaf: the place that the record itself does not name.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct LeafHeader {
    /// [`LEAF_MAGIC`].
    pub magic: [u8; 8],
    /// The store.
    pub store_id: [u8; 16],
    /// The record's sequence in its shard; the leaf's index is one less.
    pub sequence: U64,
    /// The shard.
    pub shard: U16,
    /// Zero.
    pub reserved: [u8; 6],
}

const _: () = {
    assert!(size_of::<LeafHeader>() == 40);
    assert!(offset_of!(LeafHeader, store_id) == 8);
    assert!(offset_of!(LeafHeader, sequence) == 24);
    assert!(offset_of!(LeafHeader, shard) == 32);
    assert!(size_of::<BlockHeader>() == 256);
    assert!(offset_of!(BlockHeader, store_id) == 16);
    assert!(offset_of!(BlockHeader, stream_epoch) == 32);
    assert!(offset_of!(BlockHeader, record_count) == 96);
    assert!(offset_of!(BlockHeader, stream_previous) == 112);
    assert!(offset_of!(BlockHeader, hash) == 176);
    assert!(offset_of!(BlockHeader, crc32c) == 208);
    assert!(size_of::<RecordHeader>() == 128);
    assert!(offset_of!(RecordHeader, kind) == 12);
    assert!(offset_of!(RecordHeader, extra_type) == 28);
    assert!(offset_of!(RecordHeader, seen_sequence) == 32);
    assert!(offset_of!(RecordHeader, command) == 64);
    assert!(offset_of!(RecordHeader, answer_bytes) == 96);
};
