//! Group commit: the order in which a stream's blocks become durable.
//!
//! Owns the stream's slots, its place on the device, and the writes in flight.
//!
//! ```text
//!  take_slot -> (a shard fills it) -> place -> (the header is finished) -> write
//!                                       |                                    |
//!    may_write: at most K blocks beyond the watermark                    device
//!                                       |                                    |
//!  watermark <--- contiguous prefix of durable blocks <------- complete -----+
//! ```
//! Why no timer: while K writes are in flight the next block fills, so the device itself paces the
//! size of a group.
//! Invariants: blocks are placed one behind the other in the order of their stream sequence; none
//! is placed more than K beyond the watermark; a block that was not written whole stops the node.
//!
//! Does not know what a block holds, nor who waits for it.

use std::collections::VecDeque;
use std::time::Instant;

use claw_common::limits::{BLOCK_ALIGN_BYTES, WRITES_IN_FLIGHT_MAX};
use claw_core::log::StreamTail;
use hdrhistogram::Histogram;

use super::device::{DeviceAddress, DeviceInfo, DeviceWrite, DeviceWritten, LogDevice};
use super::{LogError, LogMetrics};
use crate::buffer::{FillingSlot, FreeSlot};
use crate::ring::{Completion, CoreRing};

/// Longest write that the histogram tells apart: a minute.
const WRITE_US_MAX: u64 = 60_000_000;

/// Where a stream goes on: what recovery found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitStart {
    /// The stream.
    pub stream: u16,
    /// Its last block; 0 when it is new.
    pub last_sequence: u64,
    /// Highest generation of a segment found anywhere; 0 when there is none.
    pub generation_last: u64,
    /// Where the next block goes, when the last segment has room.
    pub tail: Option<CommitTail>,
}

impl CommitStart {
    /// Behind the end of a recovered stream.
    pub fn behind(stream: u16, tail: &StreamTail) -> Self {
        Self {
            stream,
            last_sequence: tail.last_sequence,
            generation_last: tail.generation_last,
            tail: tail.next.map(|place| CommitTail {
                address: DeviceAddress {
                    segment: place.segment,
                    offset_bytes: u64::try_from(place.offset).expect("within a segment"),
                },
                generation: place.generation,
            }),
        }
    }
}

/// The end of a segment that is not full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitTail {
    /// The place behind the last block.
    pub address: DeviceAddress,
    /// Which use of the segment it is.
    pub generation: u64,
}

/// A place in the stream for one block, with what its header has to say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The block's number in the stream.
    pub stream_sequence: u64,
    /// The use of the segment it lies in.
    pub segment_generation: u64,
    /// Everything up to here is durable.
    pub durable_watermark: u64,
    /// Where it goes.
    pub address: DeviceAddress,
    /// Room for it; it may turn out smaller.
    pub size_bytes: usize,
}

/// The write pipeline of one stream.
#[derive(Debug)]
pub struct GroupCommit {
    device: Box<dyn LogDevice>,
    stream: u16,
    free: Vec<FreeSlot>,
    tail: Option<CommitTail>,
    generation_last: u64,
    next_sequence: u64,
    watermark: u64,
    /// Blocks beyond the watermark, in order.
    window: VecDeque<WindowEntry>,
    /// Given out by `place` and not yet written.
    placed: Option<Placement>,
    /// Kept to be filled by the device without taking memory.
    done: Vec<DeviceWritten>,
    metrics: LogMetrics,
    write_us: Histogram<u64>,
}

#[derive(Clone, Copy, Debug)]
struct WindowEntry {
    address: DeviceAddress,
    size_bytes: usize,
    start: Instant,
    durable: bool,
}

impl GroupCommit {
    /// A pipeline that goes on where recovery ended.
    pub fn new(
        mut device: Box<dyn LogDevice>,
        slots: Vec<FreeSlot>,
        start: CommitStart,
    ) -> Result<Self, LogError> {
        if let Some(tail) = start.tail {
            assert!(tail.generation <= start.generation_last);
            assert!(tail.address.offset_bytes.is_multiple_of(align_bytes()));
            device.resume_segment(tail.address.segment)?;
        }
        Ok(Self {
            device,
            stream: start.stream,
            free: slots,
            tail: start.tail,
            generation_last: start.generation_last,
            next_sequence: start.last_sequence + 1,
            watermark: start.last_sequence,
            window: VecDeque::with_capacity(WRITES_IN_FLIGHT_MAX),
            placed: None,
            done: Vec::with_capacity(WRITES_IN_FLIGHT_MAX),
            metrics: LogMetrics::default(),
            write_us: Histogram::new_with_max(WRITE_US_MAX, 3).expect("valid bounds"),
        })
    }

    /// What it writes to.
    pub fn info(&self) -> &DeviceInfo {
        self.device.info()
    }

    /// What it has done so far.
    pub fn metrics(&self) -> LogMetrics {
        self.metrics
    }

    /// `claw_log_write_us`: from handing a block to the device until it was durable.
    pub fn write_us(&self) -> &Histogram<u64> {
        &self.write_us
    }

    /// Every block up to here is durable.
    pub fn watermark(&self) -> u64 {
        self.watermark
    }

    /// The number the next placed block gets.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Whether nothing is in flight.
    pub fn quiet(&self) -> bool {
        self.window.is_empty()
    }

    /// A slot to fill. None left is backpressure: wait for a completion.
    pub fn take_slot(&mut self) -> Option<FillingSlot> {
        let slot = self.free.pop().map(FreeSlot::fill);
        if slot.is_none() {
            self.metrics.slots_missing_count += 1;
        }
        slot
    }

    /// Gives a slot back that nothing was written from.
    pub fn return_slot(&mut self, slot: FillingSlot) {
        self.free.push(slot.abandon());
    }

    /// Whether a block may be placed: fewer than K lie beyond the watermark.
    pub fn may_write(&self) -> bool {
        self.placed.is_none() && self.window.len() < WRITES_IN_FLIGHT_MAX
    }

    /// A place for a block of at most `size_bytes`, to be written next. Nothing when a new segment
    /// is needed and none is ready yet: try again after a completion or the supply's bell.
    pub fn place(&mut self, size_bytes: usize) -> Result<Option<Placement>, LogError> {
        assert!(self.may_write());
        assert!(size_bytes > 0);
        assert!(size_bytes.is_multiple_of(BLOCK_ALIGN_BYTES));
        let segment_bytes = self.device.info().segment_bytes;
        let fits =
            |tail: &CommitTail| tail.address.offset_bytes + wide(size_bytes) <= segment_bytes;
        let tail = match self.tail.filter(fits) {
            Some(tail) => tail,
            None => match self.begin_segment()? {
                Some(tail) => tail,
                None => return Ok(None),
            },
        };
        assert!(fits(&tail));
        let placement = Placement {
            stream_sequence: self.next_sequence,
            segment_generation: tail.generation,
            durable_watermark: self.watermark,
            address: tail.address,
            size_bytes,
        };
        self.placed = Some(placement);
        Ok(Some(placement))
    }

    /// Writes the block that was placed: the first `size_bytes` of the slot.
    pub fn write(
        &mut self,
        ring: &mut CoreRing,
        slot: FillingSlot,
        size_bytes: usize,
    ) -> Result<(), LogError> {
        let placement = self.placed.take().expect("a block is placed before");
        assert!(size_bytes <= placement.size_bytes);
        let address = placement.address;
        self.window.push_back(WindowEntry {
            address,
            size_bytes,
            start: Instant::now(),
            durable: false,
        });
        self.next_sequence += 1;
        self.tail = self.tail.map(|tail| CommitTail {
            address: DeviceAddress {
                offset_bytes: address.offset_bytes + wide(size_bytes),
                ..address
            },
            ..tail
        });
        assert!(self.next_sequence == self.watermark + wide(self.window.len()) + 1);
        self.device.write(
            ring,
            DeviceWrite { address, slot: slot.seal(size_bytes), token: placement.stream_sequence },
        )
    }

    /// Takes a completion of the ring, or gives it back when it is not the log's. After `Ok(None)`
    /// the watermark may have moved. An error means that the node cannot promise durability any
    /// more.
    pub fn complete(
        &mut self,
        ring: &mut CoreRing,
        completion: Completion,
    ) -> Result<Option<Completion>, LogError> {
        let foreign = self.device.complete(ring, completion, &mut self.done)?;
        while let Some(written) = self.done.pop() {
            self.settle(written)?;
        }
        Ok(foreign)
    }

    /// For an orderly end, once [`GroupCommit::quiet`].
    pub fn shut_down(&mut self) -> Result<(), LogError> {
        assert!(self.quiet());
        self.device.shut_down()
    }

    fn begin_segment(&mut self) -> Result<Option<CommitTail>, LogError> {
        let Some(segment) = self.device.begin_segment()? else {
            self.metrics.segments_missing_count += 1;
            return Ok(None);
        };
        self.metrics.segments_count += 1;
        self.generation_last += 1;
        self.tail = Some(CommitTail {
            address: DeviceAddress { segment, offset_bytes: 0 },
            generation: self.generation_last,
        });
        Ok(self.tail)
    }

    fn settle(&mut self, written: DeviceWritten) -> Result<(), LogError> {
        let sequence = written.token;
        let position = sequence.checked_sub(self.watermark + 1);
        let entry = position
            .and_then(|position| usize::try_from(position).ok())
            .and_then(|position| self.window.get_mut(position))
            .expect("only blocks in the window are in flight");
        assert!(!entry.durable, "a block is written once");
        check(self.stream, sequence, *entry, written.result)?;
        entry.durable = true;
        let took_us = u64::try_from(entry.start.elapsed().as_micros()).unwrap_or(WRITE_US_MAX);
        self.write_us.saturating_record(took_us);
        self.metrics.blocks_count += 1;
        self.metrics.written_bytes += wide(entry.size_bytes);
        self.free.push(written.slot);
        while self.window.front().is_some_and(|front| front.durable) {
            self.window.pop_front();
            self.watermark += 1;
        }
        Ok(())
    }
}

fn check(
    stream: u16,
    sequence: u64,
    entry: WindowEntry,
    result: std::io::Result<u32>,
) -> Result<(), LogError> {
    let WindowEntry { address, size_bytes, .. } = entry;
    let written_bytes = match result {
        Ok(count) => usize::try_from(count).expect("a 32-bit count fits"),
        Err(source) => {
            return Err(LogError::WriteFailed { stream, sequence, address, source });
        }
    };
    if written_bytes != size_bytes {
        return Err(LogError::WriteShort { stream, sequence, address, written_bytes, size_bytes });
    }
    Ok(())
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a size fits 64 bits")
}

fn align_bytes() -> u64 {
    wide(BLOCK_ALIGN_BYTES)
}
