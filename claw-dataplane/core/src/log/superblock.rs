//! The superblock of a stream: who the store is, and where its log begins and ends for certain.
//!
//! Each stream has its own, written by its own core: [`SUPERBLOCKS_COUNT`] copies of
//! [`SUPERBLOCK_BYTES`], written in turn, so that a torn write costs a copy and never the answer.
//! The copy with the highest `sequence` among the valid ones is the truth.
//!
//! It is written when a stream is made, at every start (a higher epoch, with the cut, before the
//! first block of that epoch), and when segments are archived or given free (before they are used
//! again). It is *not* written when a segment is begun: the generation inside every block orders
//! the segments.
//!
//! Deliberately does not hold the tail: that would be a second write per commit.

use core::mem::{offset_of, size_of};
use core::ops::Range;

use claw_common::checksum::{Digest, blake3, crc32c};
use claw_common::limits::{
    BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX, CORES_MAX, SHARDS_MAX, SUPERBLOCKS_COUNT,
};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First eight bytes of a superblock.
pub const SUPERBLOCK_MAGIC: [u8; 8] = *b"CLAWSUP1";
/// Version of the layout in this file.
pub const SUPERBLOCK_VERSION: u16 = 1;
/// One copy, bytes: one atomic unit of the device.
pub const SUPERBLOCK_BYTES: usize = BLOCK_ALIGN_BYTES;
/// All copies, bytes.
pub const SUPERBLOCKS_BYTES: usize = SUPERBLOCKS_COUNT * SUPERBLOCK_BYTES;

/// The bytes of one copy. Both checksums are computed with both fields zero.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
struct RawSuperblock {
    magic: [u8; 8],
    format_version: U16,
    stream: U16,
    streams_count: U16,
    shards_count: U16,
    store_id: [u8; 16],
    sequence: U64,
    segment_bytes: U64,
    block_bytes_max: U32,
    block_align_bytes: U32,
    epoch: U64,
    cut_after_sequence: U64,
    cut_hash: [u8; 32],
    retained_generation: U64,
    retained_sequence: U64,
    retained_previous: [u8; 32],
    archived_generation: U64,
    snapshots: [U64; SHARDS_MAX],
    hash: [u8; 32],
    crc32c: U32,
    reserved: [u8; SUPERBLOCK_BYTES - 708],
}

const HASH_RANGE: Range<usize> =
    offset_of!(RawSuperblock, hash)..offset_of!(RawSuperblock, hash) + 32;
const CRC_RANGE: Range<usize> =
    offset_of!(RawSuperblock, crc32c)..offset_of!(RawSuperblock, crc32c) + 4;

const _: () = {
    assert!(size_of::<RawSuperblock>() == SUPERBLOCK_BYTES);
    assert!(offset_of!(RawSuperblock, epoch) == 56);
    assert!(offset_of!(RawSuperblock, snapshots) == 160);
    assert!(HASH_RANGE.end == CRC_RANGE.start);
};

/// What never changes in a store's life, and is repeated in every superblock of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreShape {
    /// Random; no block of another store is read as ours.
    pub store_id: [u8; 16],
    /// Shards, fixed when the store is formatted.
    pub shards_count: u16,
    /// One segment, bytes; a multiple of the largest block.
    pub segment_bytes: u64,
}

/// A stream's place to begin reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retained {
    /// Segments of a lower generation are archived or discarded, and free.
    pub generation: u64,
    /// The first block in that segment.
    pub sequence: u64,
    /// The hash of the block before it; zero when there is none.
    pub previous: Digest,
}

impl Retained {
    /// Of a stream that still has everything.
    pub const fn everything() -> Self {
        Self { generation: 1, sequence: 1, previous: [0; 32] }
    }
}

/// Where the present epoch begins: blocks of an older epoch beyond it are dead for ever, and a
/// block up to it that cannot be read is damage, whatever the blocks say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Last block kept; 0 for none.
    pub after_sequence: u64,
    /// Its hash; zero for none.
    pub hash: Digest,
}

/// A checked superblock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The store.
    pub shape: StoreShape,
    /// The stream it describes.
    pub stream: u16,
    /// Streams the store has ever had, as far as this copy knows: none of them may be missing.
    pub streams_count: u16,
    /// Counts the writes; the copy it lies in is `sequence % SUPERBLOCKS_COUNT`.
    pub sequence: u64,
    /// Epoch of the blocks written since the last start.
    pub epoch: u64,
    /// Where that epoch begins.
    pub cut: Cut,
    /// Where reading begins.
    pub retained: Retained,
    /// Segments of a lower generation are in the archive.
    pub archived_generation: u64,
    /// Per shard the position of its newest snapshot known here; 0 for none.
    pub snapshots: [u64; SHARDS_MAX],
}

/// Why a superblock cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuperblockError {
    /// Shorter than all copies together.
    #[error("superblocks of {found} bytes, expected {SUPERBLOCKS_BYTES}: the file is cut off")]
    Length {
        /// Bytes there are.
        found: usize,
    },
    /// No copy passes its checks.
    #[error("none of the {SUPERBLOCKS_COUNT} superblock copies is valid: restore the stream")]
    NoneValid,
    /// Written by a newer program.
    #[error(
        "superblock format {found}, this program reads {SUPERBLOCK_VERSION}: use the newer one"
    )]
    FormatVersion {
        /// What the copy says.
        found: u16,
    },
    /// Valid copies of different stores or streams side by side.
    #[error("superblock copies belong to different stores or streams: files were mixed up")]
    Mixed,
}

impl Superblock {
    /// Of a stream that has just been made.
    pub const fn format(shape: StoreShape, stream: u16) -> Self {
        assert!(shape.shards_count > 0);
        assert!(shape.shards_count as usize <= SHARDS_MAX);
        assert!((stream as usize) < CORES_MAX);
        assert!(shape.segment_bytes >= BLOCK_BYTES_MAX as u64);
        assert!(shape.segment_bytes.is_multiple_of(BLOCK_ALIGN_BYTES as u64));
        Self {
            shape,
            stream,
            // Streams are made in order, so a crash between two never names one that is not there.
            streams_count: stream + 1,
            sequence: 1,
            epoch: 0,
            cut: Cut { after_sequence: 0, hash: [0; 32] },
            retained: Retained::everything(),
            archived_generation: 1,
            snapshots: [0; SHARDS_MAX],
        }
    }

    /// Byte offset of the copy this one is written to.
    pub fn offset(&self) -> usize {
        let copies = u64::try_from(SUPERBLOCKS_COUNT).expect("small");
        let copy = usize::try_from(self.sequence.checked_rem(copies).expect("not zero"));
        copy.expect("below SUPERBLOCKS_COUNT") * SUPERBLOCK_BYTES
    }

    /// The bytes to write at [`Superblock::offset`].
    pub fn encode(&self) -> [u8; SUPERBLOCK_BYTES] {
        let mut raw = RawSuperblock::new_zeroed();
        raw.magic = SUPERBLOCK_MAGIC;
        raw.format_version = SUPERBLOCK_VERSION.into();
        raw.stream = self.stream.into();
        raw.streams_count = self.streams_count.into();
        raw.shards_count = self.shape.shards_count.into();
        raw.store_id = self.shape.store_id;
        raw.sequence = self.sequence.into();
        raw.segment_bytes = self.shape.segment_bytes.into();
        raw.block_bytes_max = u32::try_from(BLOCK_BYTES_MAX).expect("small").into();
        raw.block_align_bytes = u32::try_from(BLOCK_ALIGN_BYTES).expect("small").into();
        raw.epoch = self.epoch.into();
        raw.cut_after_sequence = self.cut.after_sequence.into();
        raw.cut_hash = self.cut.hash;
        raw.retained_generation = self.retained.generation.into();
        raw.retained_sequence = self.retained.sequence.into();
        raw.retained_previous = self.retained.previous;
        raw.archived_generation = self.archived_generation.into();
        raw.snapshots = self.snapshots.map(U64::new);
        raw.hash = blake3(raw.as_bytes());
        let mut covered = raw;
        covered.hash = [0; 32];
        raw.crc32c = crc32c(covered.as_bytes()).into();
        zerocopy::transmute!(raw)
    }

    /// Checks one copy; `None` when it was never written, is torn or rotten.
    fn decode(bytes: &[u8]) -> Result<Option<Self>, SuperblockError> {
        let Ok(raw) = RawSuperblock::ref_from_bytes(bytes) else { return Ok(None) };
        if raw.magic != SUPERBLOCK_MAGIC {
            return Ok(None);
        }
        let mut covered = *raw;
        covered.hash = [0; 32];
        covered.crc32c = 0.into();
        let crc = crc32c(covered.as_bytes());
        if crc != raw.crc32c.get() || blake3(covered.as_bytes()) != raw.hash {
            return Ok(None);
        }
        let found = raw.format_version.get();
        if found != SUPERBLOCK_VERSION {
            return Err(SuperblockError::FormatVersion { found });
        }
        Ok(Some(Self::from_raw(raw)).filter(Self::is_possible))
    }

    /// Whether a node can have written this, so that sums and differences of it are safe.
    fn is_possible(&self) -> bool {
        let StoreShape { shards_count, segment_bytes, .. } = self.shape;
        let counted =
            [self.sequence, self.epoch, self.cut.after_sequence, self.archived_generation];
        let from_one = [self.retained.generation, self.retained.sequence];
        (1..=SHARDS_MAX).contains(&usize::from(shards_count))
            && usize::from(self.stream) < CORES_MAX
            && segment_bytes >= BLOCK_BYTES_MAX as u64
            && segment_bytes.is_multiple_of(BLOCK_ALIGN_BYTES as u64)
            && counted.into_iter().chain(from_one).all(|number| number < u64::MAX >> 1)
            && !from_one.contains(&0)
    }

    fn from_raw(raw: &RawSuperblock) -> Self {
        Self {
            shape: StoreShape {
                store_id: raw.store_id,
                shards_count: raw.shards_count.get(),
                segment_bytes: raw.segment_bytes.get(),
            },
            stream: raw.stream.get(),
            streams_count: raw.streams_count.get(),
            sequence: raw.sequence.get(),
            epoch: raw.epoch.get(),
            cut: Cut { after_sequence: raw.cut_after_sequence.get(), hash: raw.cut_hash },
            retained: Retained {
                generation: raw.retained_generation.get(),
                sequence: raw.retained_sequence.get(),
                previous: raw.retained_previous,
            },
            archived_generation: raw.archived_generation.get(),
            snapshots: raw.snapshots.map(U64::get),
        }
    }

    /// The newest valid one of all copies.
    pub fn newest(copies: &[u8]) -> Result<Self, SuperblockError> {
        if copies.len() < SUPERBLOCKS_BYTES {
            return Err(SuperblockError::Length { found: copies.len() });
        }
        let mut newest: Option<Self> = None;
        for copy in copies[..SUPERBLOCKS_BYTES].chunks_exact(SUPERBLOCK_BYTES) {
            let Some(next) = Self::decode(copy)? else { continue };
            if newest.as_ref().is_some_and(|n| n.shape != next.shape || n.stream != next.stream) {
                return Err(SuperblockError::Mixed);
            }
            if newest.as_ref().is_none_or(|n| n.sequence < next.sequence) {
                newest = Some(next);
            }
        }
        newest.ok_or(SuperblockError::NoneValid)
    }

    /// The successor for a start: a higher epoch that begins behind `cut`.
    #[must_use]
    pub fn raised(&self, cut: Cut, streams_count: u16) -> Self {
        assert!(cut.after_sequence >= self.cut.after_sequence, "what was kept stays kept");
        let streams_count = streams_count.max(self.streams_count);
        Self { epoch: self.epoch + 1, cut, streams_count, ..self.again() }
    }

    /// The successor that says the same: written into the next copy.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { sequence: self.sequence + 1, ..self.clone() }
    }

    /// The successor after segments below `archived_generation` were copied and checked.
    #[must_use]
    pub fn archived(&self, archived_generation: u64) -> Self {
        assert!(archived_generation >= self.archived_generation);
        Self { archived_generation, ..self.again() }
    }

    /// The successor that gives segments below `retained.generation` free.
    #[must_use]
    pub fn freed(&self, retained: Retained) -> Self {
        assert!(retained.generation >= self.retained.generation);
        assert!(retained.sequence >= self.retained.sequence);
        Self { retained, ..self.again() }
    }
}
