//! Reading blocks in place: from bytes nobody vouches for to types that were checked.
//!
//! Owns every check that a block can pass or fail by itself. A [`BlockView`] exists only when the
//! checksums match and every length inside was checked; what a block must be *in its stream* is
//! decided in [`super::recovery`]. Nothing is copied and nothing panics, whatever the bytes are.
//!
//! Deliberately does not decode events: `kind` and `event_version` are handed on, and whoever knows
//! them (the shard, or an upcaster of an older version) decodes.

use claw_common::checksum::{Digest, blake3_parts, crc32c_parts};
use claw_common::event::{
    BLOCK_FLAG_MARK, BLOCK_MAGIC, BLOCK_SHARD_NONE, BlockHeader, FORMAT_VERSION,
    RECORD_ALIGN_BYTES, RecordHeader, SEEN_NOTHING_MORE,
};
use claw_common::id::{Position, ShardId};
use claw_common::limits::{BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX, SHARDS_MAX, WRITES_IN_FLIGHT_MAX};
use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

use super::layout::{
    BLOCK_HEADER_BYTES, CRC_RANGE, HASH_RANGE, RECORD_HEADER_BYTES, VECTOR_ENTRY_BYTES,
};

/// Why bytes are not a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// No block was ever written here, or its first bytes are gone.
    #[error("no block begins here")]
    NotABlock,
    /// Written by a newer program.
    #[error("block format {found}, this program reads {FORMAT_VERSION}: use the newer program")]
    FormatVersion {
        /// What the block says.
        found: u16,
    },
    /// A field of the header cannot be what a writer wrote.
    #[error("block header field {field} is impossible")]
    Header {
        /// Which field.
        field: &'static str,
    },
    /// The bytes end before the block does.
    #[error("block of {size_bytes} bytes with only {available_bytes} left: torn or cut off")]
    Truncated {
        /// What the header says.
        size_bytes: usize,
        /// What there is.
        available_bytes: usize,
    },
    /// The CRC32C differs: torn or rotten.
    #[error("crc32c {computed:08x}, the header says {recorded:08x}: torn or rotten")]
    Crc {
        /// Over the bytes.
        computed: u32,
        /// In the header.
        recorded: u32,
    },
    /// The CRC32C matches and the BLAKE3 does not: altered on purpose, or a rare collision.
    #[error("blake3 does not match while crc32c does: altered")]
    Hash,
    /// The checksums match and the records do not add up: written by a faulty program.
    #[error("record {index} at byte {offset} does not fit its block")]
    Record {
        /// Counted from 0.
        index: u32,
        /// Within the block.
        offset: usize,
    },
}

/// A block whose checksums and structure were checked.
#[derive(Clone, Copy, Debug)]
pub struct BlockView<'a> {
    header: &'a BlockHeader,
    vector: &'a [U64],
    records: &'a [u8],
}

impl<'a> BlockView<'a> {
    /// Checks the block at the front of `bytes`, which may go on behind it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BlockError> {
        let view = Self::outline(bytes)?;
        check_sums(view.header, &bytes[..view.length_bytes()])?;
        view.check_records()?;
        Ok(view)
    }

    /// As [`BlockView::parse`] without computing the checksums: for bytes that have passed it.
    pub fn reread(bytes: &'a [u8]) -> Result<Self, BlockError> {
        let view = Self::outline(bytes)?;
        view.check_records()?;
        Ok(view)
    }

    /// Checks the header and finds the parts; the records are walked by nobody yet.
    pub(super) fn outline(bytes: &'a [u8]) -> Result<Self, BlockError> {
        let (header, _) = BlockHeader::ref_from_prefix(bytes).ok().ok_or(BlockError::NotABlock)?;
        if header.magic != BLOCK_MAGIC {
            return Err(BlockError::NotABlock);
        }
        let found = header.format_version.get();
        if found != FORMAT_VERSION {
            return Err(BlockError::FormatVersion { found });
        }
        if let Some(field) = impossible_field(header) {
            return Err(BlockError::Header { field });
        }
        let size_bytes = size(header.size_bytes.get());
        let length_bytes = size(header.length_bytes.get());
        let vector_bytes = size(header.vector_count.get()) * VECTOR_ENTRY_BYTES;
        if size_bytes > bytes.len() {
            return Err(BlockError::Truncated { size_bytes, available_bytes: bytes.len() });
        }
        let body = bytes
            .get(BLOCK_HEADER_BYTES..length_bytes)
            .filter(|body| body.len() >= vector_bytes)
            .ok_or(BlockError::Header { field: "length_bytes" })?;
        let (vector, records) = body.split_at(vector_bytes);
        let vector = <[U64]>::ref_from_bytes(vector)
            .ok()
            .ok_or(BlockError::Header { field: "vector_count" })?;
        Ok(Self { header, vector, records })
    }

    fn check_records(&self) -> Result<(), BlockError> {
        let mut rest = self.records;
        let at = |rest: &[u8]| self.length_bytes() - rest.len();
        for index in 0..self.header.record_count.get() {
            let offset = at(rest);
            (_, rest) = split_record(rest).ok_or(BlockError::Record { index, offset })?;
        }
        if rest.is_empty() {
            return Ok(());
        }
        Err(BlockError::Record { index: self.header.record_count.get(), offset: at(rest) })
    }

    /// The header as it lies.
    pub const fn header(&self) -> &'a BlockHeader {
        self.header
    }

    /// Whose records; none for a mark.
    pub fn shard(&self) -> Option<ShardId> {
        let shard = self.header.shard.get();
        (shard != BLOCK_SHARD_NONE).then_some(ShardId(shard))
    }

    /// Number of the block in its stream.
    pub fn stream_sequence(&self) -> u64 {
        self.header.stream_sequence.get()
    }

    /// The shard's sequence after this block: of its last record.
    pub fn sequence_last(&self) -> u64 {
        (self.header.shard_sequence.get() + u64::from(self.header.record_count.get()))
            .saturating_sub(1)
    }

    /// Bytes under the checksums.
    pub const fn length_bytes(&self) -> usize {
        BLOCK_HEADER_BYTES + self.vector.len() * VECTOR_ENTRY_BYTES + self.records.len()
    }

    /// Bytes on the device.
    pub fn size_bytes(&self) -> usize {
        size(self.header.size_bytes.get())
    }

    /// What the block's shard had seen of every shard when the block was opened.
    pub fn vector(&self) -> impl ExactSizeIterator<Item = u64> + use<'a> {
        self.vector.iter().map(|entry| entry.get())
    }

    /// The block's hash.
    pub const fn hash(&self) -> &'a Digest {
        &self.header.hash
    }

    /// The records in order.
    pub fn records(&self) -> Records<'a> {
        Records {
            rest: self.records,
            shard: self.shard().unwrap_or_default(),
            sequence: self.header.shard_sequence.get(),
        }
    }
}

/// Names a field that no writer writes so; sums and indexes are safe once this is `None`.
fn impossible_field(header: &BlockHeader) -> Option<&'static str> {
    let sequence = header.stream_sequence.get();
    let watermark = header.durable_watermark.get();
    let window = u64::try_from(WRITES_IN_FLIGHT_MAX).unwrap_or(u64::MAX);
    let mark = header.flags.get() == BLOCK_FLAG_MARK;
    let size_bytes = size(header.size_bytes.get());
    let checks = [
        (header.flags.get() <= BLOCK_FLAG_MARK, "flags"),
        ((BLOCK_ALIGN_BYTES..=BLOCK_BYTES_MAX).contains(&size_bytes), "size_bytes"),
        (size_bytes.is_multiple_of(BLOCK_ALIGN_BYTES), "size_bytes"),
        (size(header.length_bytes.get()) <= size_bytes, "length_bytes"),
        (size(header.vector_count.get()) <= SHARDS_MAX, "vector_count"),
        (sequence > watermark, "durable_watermark"),
        (sequence.saturating_sub(watermark) <= window, "durable_watermark"),
        (header.segment_generation.get() > 0, "segment_generation"),
        (mark == (header.shard.get() == BLOCK_SHARD_NONE), "shard"),
        (mark || usize::from(header.shard.get()) < SHARDS_MAX, "shard"),
        (mark == (header.record_count.get() == 0), "record_count"),
        (mark == (header.shard_sequence.get() == 0), "shard_sequence"),
        (header.shard_sequence.get() < u64::MAX >> 1, "shard_sequence"),
        (!mark || header.vector_count.get() == 0, "vector_count"),
        (header.reserved == [0; 44], "reserved"),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map(|(_, field)| field)
}

/// `covered` is the block's first `length_bytes`.
fn check_sums(header: &BlockHeader, covered: &[u8]) -> Result<(), BlockError> {
    const ZEROS: [u8; CRC_RANGE.end - HASH_RANGE.start] = [0; CRC_RANGE.end - HASH_RANGE.start];
    let parts: [&[u8]; 3] = [&covered[..HASH_RANGE.start], &ZEROS, &covered[CRC_RANGE.end..]];
    let computed = crc32c_parts(&parts);
    let recorded = header.crc32c.get();
    if computed != recorded {
        return Err(BlockError::Crc { computed, recorded });
    }
    if blake3_parts(&parts) != header.hash {
        return Err(BlockError::Hash);
    }
    Ok(())
}

/// One record, read in place.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// The shard.
    pub shard: ShardId,
    /// Its place in the shard, counted from 1.
    pub sequence: u64,
    /// All of it as it lies, padding included.
    pub bytes: &'a [u8],
    /// The header as it lies.
    pub header: &'a RecordHeader,
    /// The encoded event.
    pub event: &'a [u8],
    /// The store's own extra fields, canonical JSON; empty for none.
    pub extra: &'a [u8],
    /// The encoded answer to remember; empty for none.
    pub answer: &'a [u8],
    /// Signature and its base; empty for none.
    pub evidence: &'a [u8],
}

impl RecordView<'_> {
    /// What this record saw of another shard beyond its block's vector.
    pub fn seen(&self) -> Option<(ShardId, u64)> {
        let shard = self.header.seen_shard.get();
        (shard != SEEN_NOTHING_MORE).then(|| (ShardId(shard), self.header.seen_sequence.get()))
    }
}

/// The records of a block in order.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    shard: ShardId,
    sequence: u64,
}

impl Records<'_> {
    /// Whose they are.
    pub const fn shard(&self) -> ShardId {
        self.shard
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordView<'a>;

    /// Ends early, rather than panics, should a mapped file change under the reader.
    fn next(&mut self) -> Option<RecordView<'a>> {
        let (parts, rest) = split_record(self.rest)?;
        let bytes = &self.rest[..self.rest.len() - rest.len()];
        let record = parts.view(Position { shard: self.shard, sequence: self.sequence }, bytes);
        self.rest = rest;
        self.sequence += 1;
        Some(record)
    }
}

pub(super) struct RecordParts<'a> {
    header: &'a RecordHeader,
    event: &'a [u8],
    extra: &'a [u8],
    answer: &'a [u8],
    evidence: &'a [u8],
}

impl<'a> RecordParts<'a> {
    /// The record at its place; `bytes` are all of it.
    pub(super) const fn view(self, place: Position, bytes: &'a [u8]) -> RecordView<'a> {
        let Position { shard, sequence } = place;
        let RecordParts { header, event, extra, answer, evidence } = self;
        RecordView { shard, sequence, bytes, header, event, extra, answer, evidence }
    }
}

/// The record at the front and what follows it; `None` when it does not fit.
pub(super) fn split_record(bytes: &[u8]) -> Option<(RecordParts<'_>, &[u8])> {
    let (header, _) = RecordHeader::ref_from_prefix(bytes).ok()?;
    let size_bytes = size(header.size_bytes.get());
    if !size_bytes.is_multiple_of(RECORD_ALIGN_BYTES) {
        return None;
    }
    let (record, rest) = bytes.split_at_checked(size_bytes)?;
    let body = record.get(RECORD_HEADER_BYTES..)?;
    let (payload, after) = body.split_at_checked(size(header.payload_bytes.get()))?;
    let (evidence, padding) = after.split_at_checked(size(header.evidence_bytes.get()))?;
    if padding.len() >= RECORD_ALIGN_BYTES {
        return None;
    }
    let answer_at = payload.len().checked_sub(size(header.answer_bytes.get()))?;
    let (payload, answer) = payload.split_at_checked(answer_at)?;
    let extra_at = payload.len().checked_sub(size(header.extra_bytes.get()))?;
    let (event, extra) = payload.split_at_checked(extra_at)?;
    Some((RecordParts { header, event, extra, answer, evidence }, rest))
}

/// Lossless here: every target has at least 32-bit addresses.
pub(super) fn size(bytes: u32) -> usize {
    usize::try_from(bytes).expect("32 bits fit an address")
}
