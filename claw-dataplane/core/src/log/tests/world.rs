//! A device with a volatile write cache, and a writer that keeps the log's rules on it.
//!
//! Up to K writes are in flight; a crash keeps any subset of them, each whole, torn or not at all.

use std::collections::BTreeMap;

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_common::limits::{BLOCK_ALIGN_BYTES, WRITES_IN_FLIGHT_MAX};
use claw_common::time::Hlc;

use crate::codec::{Encode, Writer};
use crate::command::{AuthMode, CommandKey, ExtraType};
use crate::journal::{Draft, Journal};
use crate::log::{
    BlockDraft, BlockPlace, Opening, RecoveryError, SealInputs, Sealed, SegmentScan, StoreShape,
    StreamRecovery, StreamTail, Superblock, seal_mark,
};

pub(super) const STORE: [u8; 16] = *b"a store for test";
pub(super) const SLOT_BYTES: usize = 4 * BLOCK_ALIGN_BYTES;
pub(super) const SEGMENT_BYTES: usize = 256 * 1024;

/// An event that is just bytes.
pub(super) struct Raw<'a>(pub &'a [u8]);

impl Encode for Raw<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.raw(self.0);
    }
}

pub(super) fn draft<'a>(kind: u16, stamp: u64) -> Draft<'a> {
    Draft {
        kind,
        event_version: 1,
        key: 7,
        auth_mode: AuthMode::HmacSha256,
        accepted: Hlc(stamp - 1),
        decided: Hlc(stamp),
        now_ms: stamp >> 16,
        identity: CommandKey { key: [1; 16], digest: [2; 16] },
        seen: None,
        extra: b"",
        extra_type: ExtraType::default(),
        answer: b"",
        evidence: b"",
    }
}

pub(super) fn shape() -> StoreShape {
    StoreShape { store_id: STORE, shards_count: 2, segment_bytes: SEGMENT_BYTES as u64 }
}

/// Where a shard is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ShardState {
    pub(super) sequence: u64,
    pub(super) hash: Digest,
}

#[derive(Clone, Debug)]
struct Write {
    place: BlockPlace,
    bytes: Vec<u8>,
    sequence: u64,
}

/// One stream on its device.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) superblock: Superblock,
    pub(super) media: Vec<Vec<u8>>,
    in_flight: Vec<Write>,
    completed: Vec<u64>,
    /// Everything up to here is durable and acknowledged.
    pub(super) watermark: u64,
    pub(super) next_sequence: u64,
    last_hash: Digest,
    generation: u64,
    next: Option<BlockPlace>,
    free: Vec<u32>,
    pub(super) shards: [ShardState; 2],
    /// What the log is: hash of every block by sequence, dead ones forgotten.
    pub(super) truth: BTreeMap<u64, Digest>,
}

impl World {
    pub(super) fn new(segments: u32) -> Self {
        let mut world = Self {
            superblock: Superblock::format(shape(), 0),
            media: vec![vec![0; SEGMENT_BYTES]; segments as usize],
            in_flight: Vec::new(),
            completed: Vec::new(),
            watermark: 0,
            next_sequence: 1,
            last_hash: [0; 32],
            generation: 0,
            next: None,
            free: Vec::new(),
            shards: [ShardState::default(); 2],
            truth: BTreeMap::new(),
        };
        world.start().unwrap();
        world
    }

    pub(super) fn window_open(&self) -> bool {
        self.next_sequence <= self.watermark + WRITES_IN_FLIGHT_MAX as u64
    }

    pub(super) fn seal_inputs(&self, shard_previous: Digest) -> SealInputs {
        SealInputs {
            store_id: STORE,
            stream: 0,
            stream_epoch: self.superblock.epoch,
            stream_sequence: self.next_sequence,
            stream_previous: self.last_hash,
            shard_previous,
            segment_generation: self.generation,
            durable_watermark: self.watermark,
            term: 1,
        }
    }

    /// Submits a block with one record of `length` bytes; does not complete it.
    pub(super) fn submit(&mut self, shard: u16, length: usize) {
        let mut slot = vec![0xee; SLOT_BYTES];
        let state = self.shards[usize::from(shard)];
        let vector = self.shards.map(|shard| shard.sequence);
        let opening = Opening {
            shard: ShardId(shard),
            sequence_last: state.sequence,
            schema_version: 3,
            vector: &vector,
        };
        let mut block = BlockDraft::open(&mut slot, &opening);
        let stamp = self.next_sequence << 16 | 1;
        let payload = vec![u8::try_from(self.superblock.epoch % 251).unwrap(); length];
        block.journal(&mut slot).append(&draft(9, stamp), &Raw(&payload));
        let size = block.used_bytes().next_multiple_of(BLOCK_ALIGN_BYTES);
        let place = self.place(size);
        let sealed = block.seal(&mut slot, &self.seal_inputs(state.hash));
        let sequence = sealed.sequence_last;
        self.shards[usize::from(shard)] = ShardState { sequence, hash: sealed.hash };
        self.send(place, &slot, &sealed);
    }

    pub(super) fn submit_mark(&mut self) {
        let mut slot = vec![0xee; SLOT_BYTES];
        let place = self.place(BLOCK_ALIGN_BYTES);
        let sealed =
            seal_mark(&mut slot, &self.seal_inputs([0; 32]), Hlc(self.next_sequence << 16));
        self.send(place, &slot, &sealed);
    }

    fn send(&mut self, place: BlockPlace, slot: &[u8], sealed: &Sealed) {
        self.truth.insert(self.next_sequence, sealed.hash);
        let bytes = slot[..sealed.size_bytes].to_vec();
        self.in_flight.push(Write { place, bytes, sequence: self.next_sequence });
        self.next_sequence += 1;
        self.last_hash = sealed.hash;
    }

    fn place(&mut self, size: usize) -> BlockPlace {
        assert!(self.window_open());
        let fitting = self.next.filter(|next| next.offset + size <= SEGMENT_BYTES);
        let place = fitting.unwrap_or_else(|| {
            let segment = self.free.remove(0);
            BlockPlace { segment, generation: self.generation + 1, offset: 0 }
        });
        self.generation = place.generation;
        self.next = Some(BlockPlace { offset: place.offset + size, ..place });
        place
    }

    /// The device finishes the write at `index`, counted among those in flight.
    pub(super) fn complete(&mut self, index: usize) {
        let index = index % self.in_flight.len();
        let write = self.in_flight.remove(index);
        self.land(&write, |_| true);
        self.completed.push(write.sequence);
        while let Some(at) = self.completed.iter().position(|&s| s == self.watermark + 1) {
            self.completed.remove(at);
            self.watermark += 1;
        }
    }

    pub(super) fn complete_all(&mut self) {
        while !self.in_flight.is_empty() {
            self.complete(0);
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    fn land(&mut self, write: &Write, mut keep: impl FnMut(usize) -> bool) {
        let segment = &mut self.media[write.place.segment as usize];
        for (unit, bytes) in write.bytes.chunks(BLOCK_ALIGN_BYTES).enumerate() {
            if keep(unit) {
                let at = write.place.offset + unit * BLOCK_ALIGN_BYTES;
                segment[at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    /// The power fails: of each write in flight, the units whose bit is set in its mask survive.
    pub(super) fn crash(&mut self, masks: &[u8]) {
        let writes = std::mem::take(&mut self.in_flight);
        for (write, mask) in writes.iter().zip(masks) {
            self.land(write, |unit| mask & (1 << unit) != 0);
        }
        self.completed.clear();
    }

    pub(super) fn recover(&self) -> Result<StreamTail, RecoveryError> {
        let mut recovery = StreamRecovery::new(self.superblock.clone());
        for (segment, bytes) in (0..).zip(&self.media) {
            for found in SegmentScan::new(bytes) {
                recovery.observe(segment, bytes, &found);
            }
        }
        recovery.finish()
    }

    /// Recovers, raises the epoch durably and goes on behind the tail.
    pub(super) fn start(&mut self) -> Result<StreamTail, RecoveryError> {
        let tail = self.recover()?;
        self.superblock = tail.raise(1);
        self.truth.retain(|&sequence, _| sequence <= tail.last_sequence);
        self.next_sequence = tail.last_sequence + 1;
        self.last_hash = tail.last_hash;
        self.watermark = tail.last_sequence;
        self.generation = tail.generation_last;
        self.next = tail.next;
        let used: Vec<u32> = tail.segments.iter().map(|segment| segment.segment).collect();
        self.free = (0..).take(self.media.len()).filter(|s| !used.contains(s)).collect();
        Ok(tail)
    }

    pub(super) fn unit_mut(&mut self, place: BlockPlace) -> &mut [u8] {
        &mut self.media[place.segment as usize][place.offset..place.offset + BLOCK_ALIGN_BYTES]
    }
}

impl World {
    /// The shards as the log has them, once a crash took what was not durable.
    pub(super) fn shards_found(&self) -> [ShardState; 2] {
        let mut shards = [ShardState::default(); 2];
        for place in self.recover().unwrap().blocks {
            let bytes = &self.media[place.segment as usize][place.offset..];
            let view = crate::log::BlockView::parse(bytes).unwrap();
            if let Some(shard) = view.shard() {
                let state = ShardState { sequence: view.sequence_last(), hash: *view.hash() };
                shards[usize::from(shard.0)] = state;
            }
        }
        shards
    }
}
