//! Offsets within a block, each derived from the wire headers, so that no number is written twice.
//!
//! Holds no logic.

use core::mem::{offset_of, size_of};
use core::ops::Range;

use claw_common::event::{BlockHeader, RecordHeader};
use claw_common::limits::{BLOCK_ALIGN_BYTES, SHARDS_MAX};

/// A block's header, bytes.
pub const BLOCK_HEADER_BYTES: usize = size_of::<BlockHeader>();
/// A record's header, bytes.
pub const RECORD_HEADER_BYTES: usize = size_of::<RecordHeader>();
/// One entry of the version vector, bytes.
pub const VECTOR_ENTRY_BYTES: usize = size_of::<u64>();
/// Most bytes of a block that hold no record.
pub const BLOCK_OVERHEAD_BYTES_MAX: usize = BLOCK_HEADER_BYTES + SHARDS_MAX * VECTOR_ENTRY_BYTES;

/// Where the BLAKE3 of a block lies.
pub const HASH_RANGE: Range<usize> =
    offset_of!(BlockHeader, hash)..offset_of!(BlockHeader, hash) + 32;
/// Where the CRC32C of a block lies.
pub const CRC_RANGE: Range<usize> =
    offset_of!(BlockHeader, crc32c)..offset_of!(BlockHeader, crc32c) + 4;

const _: () = {
    // One zeroed run covers both, so checking needs no copy of the block.
    assert!(HASH_RANGE.end == CRC_RANGE.start);
    assert!(BLOCK_OVERHEAD_BYTES_MAX < BLOCK_ALIGN_BYTES);
};
