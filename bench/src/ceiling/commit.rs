//! A log without a node: what is handed in goes through the node's own group commit.
//!
//! Owns a stream of its own and who waits for which block. Records are of one size, about what the
//! event of a granted hold takes in the node's log, and mean nothing; nothing is ever read back.
//! Segments are used in turn, so that a long run takes no more room than a short one.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use claw_common::limits::BLOCK_ALIGN_BYTES;
use claw_dataplane::buffer::{Arena, ArenaShape};
use claw_dataplane::log::pace::at_once;
use claw_dataplane::log::{
    CommitStart, DeviceUrl, FileDeviceShape, FileStore, GroupCommit, SegmentSupply,
};
use claw_dataplane::ring::{Completion, ConnectionId, CoreRing};

/// Bytes of a record.
const RECORD_BYTES: usize = 256;
/// Segments that are used in turn.
const SEGMENTS_COUNT: u32 = 4;
const SEGMENT_BYTES: u64 = 64 << 20;
/// The one stream.
const STREAM: u16 = 0;

/// Who waits for an answer, under which number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) connection: ConnectionId,
    pub(super) number: u64,
}

/// See the module.
pub(super) struct Log {
    store: Arc<FileStore>,
    supply: Arc<SegmentSupply>,
    commit: GroupCommit,
    slot_bytes: usize,
    /// Records that wait for a block, and who waits for them.
    records: Vec<u8>,
    askers: Vec<Asker>,
    /// Who waits for a block that is on its way.
    under_way: VecDeque<(u64, Vec<Asker>)>,
    segment: Option<u32>,
}

impl Log {
    /// A log in an empty folder, flushed as the node would.
    pub(super) fn open(folder: &Path, ring: &mut CoreRing) -> Result<Self> {
        let store = Arc::new(FileStore::open(DeviceUrl::file(folder), SEGMENT_BYTES)?);
        let flush = store.probe()?.flush;
        let supply = SegmentSupply::new();
        for segment in 0..SEGMENTS_COUNT {
            supply.add(store.create_segment(STREAM, segment, &mut at_once)?);
        }
        let (arena, slots) = Arena::map(ArenaShape::default())?;
        ring.register_arena(&arena)?;
        let shape = FileDeviceShape { stream: STREAM, flush, supply: Arc::clone(&supply) };
        let start =
            CommitStart { stream: STREAM, last_sequence: 0, generation_last: 0, tail: None };
        let commit = GroupCommit::new(store.device(shape), slots, start)?;
        Ok(Self {
            store,
            supply,
            commit,
            slot_bytes: arena.shape().slot_bytes,
            records: Vec::new(),
            askers: Vec::new(),
            under_way: VecDeque::new(),
            segment: None,
        })
    }

    /// Takes a request, to be answered once it is durable.
    pub(super) fn append(&mut self, request: &[u8], asker: Asker) {
        let start = self.records.len();
        self.records.extend_from_slice(&request[..request.len().min(RECORD_BYTES)]);
        self.records.resize(start + RECORD_BYTES, 0);
        self.askers.push(asker);
    }

    /// Starts to write what waits, as far as the window of writes lets it.
    pub(super) fn write(&mut self, ring: &mut CoreRing) -> Result<()> {
        while !self.askers.is_empty() && self.commit.may_write() {
            let count = self.askers.len().min(self.slot_bytes / RECORD_BYTES);
            let bytes = count * RECORD_BYTES;
            let size_bytes = bytes.next_multiple_of(BLOCK_ALIGN_BYTES);
            let Some(placement) = self.commit.place(size_bytes)? else {
                return Ok(());
            };
            let mut slot = self.commit.take_slot().context("more slots than writes in flight")?;
            slot.bytes_mut()[..bytes].copy_from_slice(&self.records[..bytes]);
            slot.bytes_mut()[bytes..size_bytes].fill(0);
            self.commit.write(ring, slot, size_bytes)?;
            self.records.drain(..bytes);
            let askers = self.askers.drain(..count).collect();
            self.under_way.push_back((placement.stream_sequence, askers));
            self.reuse(placement.address.segment)?;
        }
        Ok(())
    }

    /// A segment that was left is the last one to be used again.
    fn reuse(&mut self, segment: u32) -> Result<()> {
        if let Some(left) = self.segment.replace(segment).filter(|left| *left != segment) {
            self.supply.add(self.store.open_segment(STREAM, left)?);
        }
        Ok(())
    }

    /// Takes a completion, or gives it back when it is not the log's.
    pub(super) fn complete(
        &mut self,
        ring: &mut CoreRing,
        completion: Completion,
    ) -> Result<Option<Completion>> {
        Ok(self.commit.complete(ring, completion)?)
    }

    /// Who waited for a block that is durable now.
    pub(super) fn durable(&mut self) -> Option<Vec<Asker>> {
        let (sequence, _) = self.under_way.front()?;
        if *sequence > self.commit.watermark() {
            return None;
        }
        self.under_way.pop_front().map(|(_, askers)| askers)
    }
}
