//! The log stream of a core: where its next block goes, and the mark that closes a burst.
//!
//! Owns the stream's chain (hash of the last block) and the watermark last written. The device and
//! the writes in flight belong to `log::commit`; what is in a block belongs to the lane.

use claw_common::checksum::Digest;
use claw_common::time::Hlc;
use claw_core::log::{SealInputs, seal_mark};

use crate::log::{GroupCommit, LogError, Placement};
use crate::ring::CoreRing;

use super::lane::Lane;

/// What is constant about a stream in one run, and where it stands.
#[derive(Debug)]
pub struct Stream {
    store_id: [u8; 16],
    number: u16,
    epoch: u64,
    hash_last: Digest,
    /// Highest watermark that a block says.
    marked: u64,
    commit: GroupCommit,
}

/// Where a stream goes on after recovery.
#[derive(Clone, Copy, Debug)]
pub struct StreamStart {
    /// The store.
    pub store_id: [u8; 16],
    /// Which stream.
    pub number: u16,
    /// This run's epoch, already durable in the superblock.
    pub epoch: u64,
    /// Hash of its last block.
    pub hash_last: Digest,
}

impl Stream {
    /// Goes on where recovery ended.
    pub fn new(start: StreamStart, commit: GroupCommit) -> Self {
        let StreamStart { store_id, number, epoch, hash_last } = start;
        Self { store_id, number, epoch, hash_last, marked: 0, commit }
    }

    /// The writes.
    pub fn commit(&mut self) -> &mut GroupCommit {
        &mut self.commit
    }

    /// Whether a block could be sealed now.
    pub fn commit_may_write(&self) -> bool {
        self.commit.may_write()
    }

    /// Everything up to this block is durable.
    pub fn watermark(&self) -> u64 {
        self.commit.watermark()
    }

    /// Gives a lane without a slot one, when there is one.
    pub fn refill(&mut self, lane: &mut Lane) {
        if lane.wants_slot()
            && let Some(slot) = self.commit.take_slot()
        {
            lane.fill(slot);
        }
    }

    /// Seals and writes a lane's block. `false`: not now, too much is in flight.
    pub fn seal(&mut self, ring: &mut CoreRing, lane: &mut Lane) -> Result<bool, LogError> {
        if !lane.has_records() || !self.commit.may_write() {
            return Ok(false);
        }
        let Some(placement) = self.commit.place(lane.size_bytes())? else { return Ok(false) };
        let inputs = SealInputs { shard_previous: lane.hash_last(), ..self.inputs(&placement) };
        let (slot, sealed) = lane.seal(&inputs);
        self.hash_last = sealed.hash;
        self.marked = placement.durable_watermark;
        self.commit.write(ring, slot, sealed.size_bytes)?;
        self.refill(lane);
        Ok(true)
    }

    /// Writes a mark when everything is durable and no block says so yet.
    pub fn mark(&mut self, ring: &mut CoreRing, stamp: Hlc) -> Result<(), LogError> {
        let watermark = self.commit.watermark();
        // A mark itself needs no mark: else an idle node would write for ever.
        if watermark <= self.marked || !self.commit.quiet() {
            return Ok(());
        }
        let Some(mut slot) = self.commit.take_slot() else { return Ok(()) };
        let size_bytes = claw_common::limits::BLOCK_ALIGN_BYTES;
        let Some(placement) = self.commit.place(size_bytes)? else {
            self.commit.return_slot(slot);
            return Ok(());
        };
        let sealed = seal_mark(slot.bytes_mut(), &self.inputs(&placement), stamp);
        self.hash_last = sealed.hash;
        self.marked = placement.stream_sequence;
        self.commit.write(ring, slot, sealed.size_bytes)
    }

    fn inputs(&self, placement: &Placement) -> SealInputs {
        SealInputs {
            store_id: self.store_id,
            stream: self.number,
            stream_epoch: self.epoch,
            stream_sequence: placement.stream_sequence,
            stream_previous: self.hash_last,
            shard_previous: [0; 32],
            segment_generation: placement.segment_generation,
            durable_watermark: placement.durable_watermark,
            term: 1,
        }
    }
}
