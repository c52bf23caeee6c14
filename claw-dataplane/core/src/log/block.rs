//! Building blocks in place: records are encoded where the device will read them.
//!
//! Owns the order of bytes between a block's opening and its seal. [`BlockDraft`] is what is
//! remembered of a filling block between two decisions (no borrow, so it lives beside the slot);
//! [`BlockJournal`] joins it with the slot's bytes for the length of one decision.
//!
//! Invariants: a block belongs to one shard; its records are contiguous in that shard; a sealed
//! block is a multiple of [`BLOCK_ALIGN_BYTES`] with a zeroed tail, so nothing of the slot's former
//! use reaches the device. Deliberately does not decide when to seal, nor grow: who appends first
//! makes sure of the room ([`BlockDraft::room_bytes`]), and running out is our mistake.

use claw_common::checksum::{Digest, blake3, crc32c};
use claw_common::event::{
    BLOCK_FLAG_MARK, BLOCK_MAGIC, BLOCK_SHARD_NONE, BlockHeader, FORMAT_VERSION,
    RECORD_ALIGN_BYTES, RecordHeader, SEEN_NOTHING_MORE,
};
use claw_common::id::ShardId;
use claw_common::limits::{
    BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX, RECORD_BYTES_MAX, SHARDS_MAX, WRITES_IN_FLIGHT_MAX,
};
use claw_common::time::Hlc;
use zerocopy::{FromZeros, IntoBytes};

use super::layout::{BLOCK_HEADER_BYTES, CRC_RANGE, HASH_RANGE, RECORD_HEADER_BYTES};
use crate::codec::{Encode, Writer};
use crate::journal::{Draft, Journal};

/// What is known when a block is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Whose records.
    pub shard: ShardId,
    /// The shard's last sequence before this block; 0 for none.
    pub sequence_last: u64,
    /// The State-Schema in force, written into every record.
    pub schema_version: u32,
    /// Highest sequence of every shard that this shard has seen, its own included.
    pub vector: &'a [u64],
}

/// What is known when a block is sealed: its place in the stream and in its shard's chain.
#[derive(Clone, Copy, Debug)]
pub struct SealInputs {
    /// The store.
    pub store_id: [u8; 16],
    /// The stream it is appended to.
    pub stream: u16,
    /// That stream's epoch since the last start.
    pub stream_epoch: u64,
    /// Its number in the stream, counted from 1.
    pub stream_sequence: u64,
    /// Hash of the block before it in the stream; zero for the first.
    pub stream_previous: Digest,
    /// Hash of the block before it in the shard; zero for the first and for a mark.
    pub shard_previous: Digest,
    /// The segment it will lie in, counted from 1 over the stream's life.
    pub segment_generation: u64,
    /// Every block up to this one is durable (contiguously).
    pub durable_watermark: u64,
    /// The shard's term; ignored for a mark.
    pub term: u64,
}

/// A block ready to be written: the first `size_bytes` of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes under the checksums.
    pub length_bytes: usize,
    /// Bytes to write, a multiple of [`BLOCK_ALIGN_BYTES`].
    pub size_bytes: usize,
    /// The block's hash: the next block's `stream_previous` and `shard_previous`.
    pub hash: Digest,
    /// The shard's last sequence after this block; 0 for a mark.
    pub sequence_last: u64,
}

/// A filling block: everything about it but its bytes.
#[derive(Clone, Debug)]
pub struct BlockDraft {
    shard: ShardId,
    sequence_before: u64,
    schema_version: u32,
    vector_count: u32,
    capacity_bytes: usize,
    used_bytes: usize,
    record_count: u32,
    hlc_first: Hlc,
    hlc_last: Hlc,
}

impl BlockDraft {
    /// Opens a block in `slot`, whose former contents do not matter.
    pub fn open(slot: &mut [u8], opening: &Opening<'_>) -> Self {
        assert!(opening.vector.len() <= SHARDS_MAX);
        assert!(usize::from(opening.shard.0) < SHARDS_MAX);
        assert!(slot.len() <= BLOCK_BYTES_MAX);
        assert!(slot.len().is_multiple_of(BLOCK_ALIGN_BYTES));
        let mut writer = Writer::new(&mut slot[BLOCK_HEADER_BYTES..]);
        for &entry in opening.vector {
            writer.u64(entry);
        }
        let used_bytes = BLOCK_HEADER_BYTES + writer.written();
        Self {
            shard: opening.shard,
            sequence_before: opening.sequence_last,
            schema_version: opening.schema_version,
            vector_count: u32::try_from(opening.vector.len()).expect("at most SHARDS_MAX"),
            capacity_bytes: slot.len(),
            used_bytes,
            record_count: 0,
            hlc_first: Hlc::default(),
            hlc_last: Hlc::default(),
        }
    }

    /// Whose block.
    pub const fn shard(&self) -> ShardId {
        self.shard
    }

    /// Records so far.
    pub const fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Whether nothing was appended: nothing to seal, nothing to wait for.
    pub const fn empty(&self) -> bool {
        self.record_count == 0
    }

    /// Bytes used so far, header and vector included.
    pub const fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// Bytes left for records with their headers and padding.
    pub const fn room_bytes(&self) -> usize {
        self.capacity_bytes - self.used_bytes
    }

    /// The shard's last sequence, this block's records included.
    pub fn sequence_last(&self) -> u64 {
        self.sequence_before + u64::from(self.record_count)
    }

    /// Joins the draft with its slot to take records.
    pub fn journal<'a>(&'a mut self, slot: &'a mut [u8]) -> BlockJournal<'a> {
        assert_eq!(slot.len(), self.capacity_bytes, "a draft stays with its slot");
        BlockJournal { draft: self, slot }
    }

    /// Fills the header, pads and computes the checksums. There must be a record.
    pub fn seal(self, slot: &mut [u8], inputs: &SealInputs) -> Sealed {
        assert_eq!(slot.len(), self.capacity_bytes, "a draft stays with its slot");
        assert!(!self.empty(), "an empty block is not worth a write");
        let sequence_last = self.sequence_last();
        let mut header = header_of(inputs);
        header.shard = self.shard.0.into();
        header.shard_sequence = (self.sequence_before + 1).into();
        header.shard_previous = inputs.shard_previous;
        header.term = inputs.term.into();
        header.hlc_first = self.hlc_first.0.into();
        header.hlc_last = self.hlc_last.0.into();
        header.record_count = self.record_count.into();
        header.vector_count = self.vector_count.into();
        finish(slot, header, self.used_bytes, sequence_last)
    }
}

/// Seals a mark: a block without records that carries the watermark forward when the stream is
/// idle, so that later damage to what it covers is recognised as damage.
pub fn seal_mark(slot: &mut [u8], inputs: &SealInputs, stamp: Hlc) -> Sealed {
    let mut header = header_of(inputs);
    header.flags = BLOCK_FLAG_MARK.into();
    header.shard = BLOCK_SHARD_NONE.into();
    header.hlc_first = stamp.0.into();
    header.hlc_last = stamp.0.into();
    finish(slot, header, BLOCK_HEADER_BYTES, 0)
}

/// The fields that every kind of block has.
fn header_of(inputs: &SealInputs) -> BlockHeader {
    let window = u64::try_from(WRITES_IN_FLIGHT_MAX).expect("small");
    assert!(inputs.stream_sequence > inputs.durable_watermark);
    assert!(
        inputs.stream_sequence - inputs.durable_watermark <= window,
        "the window counts from the contiguous durable prefix"
    );
    assert!(inputs.segment_generation > 0);
    let mut header = BlockHeader::new_zeroed();
    header.magic = BLOCK_MAGIC;
    header.format_version = FORMAT_VERSION.into();
    header.stream = inputs.stream.into();
    header.store_id = inputs.store_id;
    header.stream_epoch = inputs.stream_epoch.into();
    header.stream_sequence = inputs.stream_sequence.into();
    header.stream_previous = inputs.stream_previous;
    header.segment_generation = inputs.segment_generation.into();
    header.durable_watermark = inputs.durable_watermark.into();
    header
}

fn finish(
    slot: &mut [u8],
    mut header: BlockHeader,
    length_bytes: usize,
    sequence_last: u64,
) -> Sealed {
    let size_bytes = length_bytes.next_multiple_of(BLOCK_ALIGN_BYTES);
    header.length_bytes = u32::try_from(length_bytes).expect("at most BLOCK_BYTES_MAX").into();
    header.size_bytes = u32::try_from(size_bytes).expect("at most BLOCK_BYTES_MAX").into();
    slot[..BLOCK_HEADER_BYTES].copy_from_slice(header.as_bytes());
    slot[length_bytes..size_bytes].fill(0);
    let hash = blake3(&slot[..length_bytes]);
    let crc = crc32c(&slot[..length_bytes]);
    slot[HASH_RANGE].copy_from_slice(&hash);
    slot[CRC_RANGE].copy_from_slice(&crc.to_le_bytes());
    Sealed { length_bytes, size_bytes, hash, sequence_last }
}

/// Takes records into one filling block.
#[derive(Debug)]
pub struct BlockJournal<'a> {
    draft: &'a mut BlockDraft,
    slot: &'a mut [u8],
}

impl Journal for BlockJournal<'_> {
    fn append(&mut self, draft: &Draft<'_>, event: &dyn Encode) -> u64 {
        let start = self.draft.used_bytes;
        let room = &mut self.slot[start..];
        assert!(room.len() > RECORD_HEADER_BYTES, "the caller made sure of the room");
        let mut writer = Writer::new(&mut room[RECORD_HEADER_BYTES..]);
        event.encode(&mut writer);
        writer.raw(draft.extra);
        writer.raw(draft.answer);
        let payload_bytes = writer.written();
        writer.raw(draft.evidence);
        let length_bytes = RECORD_HEADER_BYTES + writer.written();
        let size_bytes = length_bytes.next_multiple_of(RECORD_ALIGN_BYTES);
        assert!(size_bytes <= RECORD_BYTES_MAX, "commands are bounded where they come in");
        room[length_bytes..size_bytes].fill(0);
        let sizes = Sizes { size_bytes, payload_bytes };
        let header = record_header(draft, &sizes, self.draft.schema_version);
        room[..RECORD_HEADER_BYTES].copy_from_slice(header.as_bytes());
        self.draft.take(size_bytes, draft.decided)
    }

    fn sequence(&self) -> u64 {
        self.draft.sequence_last()
    }
}

impl BlockDraft {
    fn take(&mut self, size_bytes: usize, stamp: Hlc) -> u64 {
        if self.empty() {
            self.hlc_first = stamp;
        }
        self.hlc_last = stamp;
        self.used_bytes += size_bytes;
        self.record_count += 1;
        self.sequence_last()
    }
}

struct Sizes {
    size_bytes: usize,
    payload_bytes: usize,
}

fn record_header(draft: &Draft<'_>, sizes: &Sizes, schema_version: u32) -> RecordHeader {
    let bytes = |count: usize| u32::try_from(count).expect("at most BLOCK_BYTES_MAX").into();
    let (seen_shard, seen_sequence) = draft.seen.unwrap_or((SEEN_NOTHING_MORE, 0));
    let mut header = RecordHeader::new_zeroed();
    header.size_bytes = bytes(sizes.size_bytes);
    header.payload_bytes = bytes(sizes.payload_bytes);
    header.evidence_bytes = bytes(draft.evidence.len());
    header.extra_bytes = bytes(draft.extra.len());
    header.answer_bytes = bytes(draft.answer.len());
    header.kind = draft.kind.into();
    header.event_version = draft.event_version.into();
    header.schema_version = schema_version.into();
    header.extra_type = draft.extra_type.code.into();
    header.extra_version = draft.extra_type.version.into();
    header.key = draft.key.into();
    header.auth_mode = (draft.auth_mode as u16).into();
    header.seen_shard = seen_shard.into();
    header.seen_sequence = seen_sequence.into();
    header.accepted_hlc = draft.accepted.0.into();
    header.hlc = draft.decided.0.into();
    header.now_ms = draft.now_ms.into();
    header.command = draft.identity.key;
    header.command_digest = draft.identity.digest;
    header
}
