//! A device that fails as real ones do: for tests, in a process and around a real node.
//!
//! Owns two kinds of misfortune, both from a [`FaultPlan`]:
//! - writes that fail after a number of good ones: input/output error, disk full, short write;
//! - a *volatile write cache*. `kill -9` spares the page cache, so it alone proves nothing about
//!   power loss. Here a block lies in this process's memory until it is flushed, and only some of
//!   its 512-byte sectors, drawn by the seed, reach the medium early; how long the flush takes is
//!   drawn as well, so that blocks arrive out of order. Ending the process at any moment therefore
//!   leaves what a power failure leaves: blocks dropped, torn and reordered.
//!
//! ```text
//!  write -> cache (memory) -> some sectors at once -> medium
//!              |
//!              +-- honest flush: after 0..n turns the whole block, durably, then "written"
//!              +-- ignored flush: "written" at once; the medium gets it much later, or never
//! ```
//! Invariant of the honest kind: what was reported as written is on the medium. With the flush
//! ignored that is false on purpose, and checks over it must fail.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::device::{CachePath, DeviceAddress, DeviceInfo, DeviceWrite, DeviceWritten, LogDevice};
use super::fault_plan::{CacheFlush, FailingWrites, FaultPlan, WriteFault};
use super::file_store::open_for_writing;
use super::{FileStore, LogError};
use crate::buffer::{FreeSlot, InFlightSlot};
use crate::ring::{Completion, CoreRing, PostSource};

/// What a device writes whole even when it loses power.
const SECTOR_BYTES: usize = 512;
/// A flush takes up to this many turns of the ring.
const FLUSH_TURNS_MAX: u32 = 16;
/// Blocks that a lying device keeps to itself.
const CACHED_BLOCKS_MAX: usize = 8;

/// A device with a plan to fail.
#[derive(Debug)]
pub struct FaultDevice {
    inner: Box<dyn LogDevice>,
    plan: FaultPlan,
    medium: Medium,
    chance: ChaCha8Rng,
    /// Writes seen so far.
    writes_count: u64,
    /// Writes that wait for something to happen to them, by their posting.
    held: VecDeque<Held>,
    next_posting: u32,
    /// Blocks acknowledged and not on the medium: only when flushes are ignored.
    cached: Vec<CachedBlock>,
}

#[derive(Debug)]
struct Held {
    posting: u32,
    turns_left: u32,
    fate: Fate,
}

#[derive(Debug)]
enum Fate {
    /// Is reported with this result.
    Report(DeviceWritten),
    /// Goes to the device below.
    Submit(DeviceWrite),
}

#[derive(Debug)]
struct CachedBlock {
    address: DeviceAddress,
    bytes: Vec<u8>,
}

impl FaultDevice {
    /// Puts a plan over a device of a store.
    pub fn new(
        inner: Box<dyn LogDevice>,
        store: Arc<FileStore>,
        stream: u16,
        plan: FaultPlan,
    ) -> Self {
        let seed = plan.cache.map_or(0, |cache| cache.seed);
        Self {
            inner,
            plan,
            medium: Medium { store, stream, open: None },
            chance: ChaCha8Rng::seed_from_u64(seed ^ u64::from(stream)),
            writes_count: 0,
            held: VecDeque::new(),
            next_posting: 0,
            cached: Vec::new(),
        }
    }

    /// The fault that the plan has for the write that comes now.
    fn fault_due(&self) -> Option<WriteFault> {
        let FailingWrites { fault, after_count } = self.plan.failing?;
        (self.writes_count >= after_count).then_some(fault)
    }

    fn fail(
        &mut self,
        ring: &mut CoreRing,
        write: DeviceWrite,
        fault: WriteFault,
    ) -> Result<(), LogError> {
        let result = match fault {
            WriteFault::InputOutput => Err(io::Error::from_raw_os_error(libc::EIO)),
            WriteFault::NoSpace => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            WriteFault::Short => {
                let half = &write.slot.bytes()[..write.slot.bytes().len() / 2];
                self.medium.write(write.address, half)?;
                Ok(u32::try_from(half.len()).expect("a block fits 32 bits"))
            }
        };
        let written = report(write.token, write.slot, result);
        self.hold(ring, Fate::Report(written), 0)
    }

    /// Takes a block into the cache.
    fn cache(
        &mut self,
        ring: &mut CoreRing,
        write: DeviceWrite,
        flush: CacheFlush,
    ) -> Result<(), LogError> {
        self.write_some_sectors(write.address, write.slot.bytes())?;
        let turns = self.chance.next_u32().checked_rem(FLUSH_TURNS_MAX).unwrap_or(0);
        if flush == CacheFlush::Honest {
            return self.hold(ring, Fate::Submit(write), turns);
        }
        let bytes = write.slot.bytes().to_vec();
        let length = u32::try_from(bytes.len()).expect("a block fits 32 bits");
        self.cached.push(CachedBlock { address: write.address, bytes });
        if self.cached.len() > CACHED_BLOCKS_MAX {
            let chosen = self.draw_below(self.cached.len());
            let block = self.cached.swap_remove(chosen);
            self.medium.write(block.address, &block.bytes)?;
        }
        let written = report(write.token, write.slot, Ok(length));
        self.hold(ring, Fate::Report(written), 0)
    }

    /// What of an unflushed block reaches the medium: nothing, all, or a draw per sector.
    fn write_some_sectors(&mut self, address: DeviceAddress, bytes: &[u8]) -> Result<(), LogError> {
        match self.draw_below(4) {
            0 => Ok(()),
            1 => self.medium.write(address, bytes),
            _ => {
                for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    if self.draw_below(2) == 0 {
                        let offset_bytes = u64::try_from(number * SECTOR_BYTES).expect("fits");
                        let place = DeviceAddress {
                            offset_bytes: address.offset_bytes + offset_bytes,
                            ..address
                        };
                        self.medium.write(place, sector)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn draw_below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("fits");
        let drawn = self.chance.next_u64().checked_rem(bound).expect("a bound above zero");
        usize::try_from(drawn).expect("below a usize")
    }

    fn hold(&mut self, ring: &mut CoreRing, fate: Fate, turns_left: u32) -> Result<(), LogError> {
        let posting = self.next_posting;
        self.next_posting = self.next_posting.wrapping_add(1);
        self.held.push_back(Held { posting, turns_left, fate });
        ring.post(PostSource::Device, posting)?;
        Ok(())
    }

    fn advance(
        &mut self,
        ring: &mut CoreRing,
        posting: u32,
        done: &mut Vec<DeviceWritten>,
    ) -> Result<(), LogError> {
        let position = self.held.iter().position(|held| held.posting == posting);
        let Some(mut held) = position.and_then(|position| self.held.remove(position)) else {
            unreachable!("every posting holds a write");
        };
        if held.turns_left > 0 {
            held.turns_left -= 1;
            self.held.push_back(held);
            ring.post(PostSource::Device, posting)?;
            return Ok(());
        }
        match held.fate {
            Fate::Report(written) => done.push(written),
            Fate::Submit(write) => self.inner.write(ring, write)?,
        }
        Ok(())
    }
}

impl LogDevice for FaultDevice {
    fn info(&self) -> &DeviceInfo {
        self.inner.info()
    }

    fn resume_segment(&mut self, segment: u32) -> Result<(), LogError> {
        self.inner.resume_segment(segment)
    }

    fn begin_segment(&mut self) -> Result<Option<u32>, LogError> {
        // A write that is still held belongs to the segment before.
        if self.held.iter().any(|held| matches!(held.fate, Fate::Submit(_))) {
            return Ok(None);
        }
        self.inner.begin_segment()
    }

    fn write(&mut self, ring: &mut CoreRing, write: DeviceWrite) -> Result<(), LogError> {
        let fault = self.fault_due();
        self.writes_count += 1;
        match (fault, self.plan.cache) {
            (Some(fault), _) => self.fail(ring, write, fault),
            (None, Some(cache)) => self.cache(ring, write, cache.flush),
            (None, None) => self.inner.write(ring, write),
        }
    }

    fn complete(
        &mut self,
        ring: &mut CoreRing,
        completion: Completion,
        done: &mut Vec<DeviceWritten>,
    ) -> Result<Option<Completion>, LogError> {
        if let Completion::Posted { source: PostSource::Device, payload } = completion {
            self.advance(ring, payload, done)?;
            return Ok(None);
        }
        self.inner.complete(ring, completion, done)
    }

    fn shut_down(&mut self) -> Result<(), LogError> {
        for block in self.cached.drain(..) {
            self.medium.write(block.address, &block.bytes)?;
        }
        self.inner.shut_down()
    }
}

fn report(token: u64, slot: InFlightSlot, result: io::Result<u32>) -> DeviceWritten {
    let slot: FreeSlot = slot.complete();
    DeviceWritten { token, slot, result }
}

/// The image, written a sector at a time through the page cache, which a killed process leaves.
#[derive(Debug)]
struct Medium {
    store: Arc<FileStore>,
    stream: u16,
    open: Option<(u32, File)>,
}

impl Medium {
    fn write(&mut self, address: DeviceAddress, bytes: &[u8]) -> Result<(), LogError> {
        let path = self.store.segment_path(self.stream, address.segment);
        let failed = || LogError::file("writing the image", &path);
        let open = self.open.take().filter(|(segment, _)| *segment == address.segment);
        let (segment, file) = match open {
            Some(open) => open,
            None => {
                (address.segment, open_for_writing(&path, CachePath::PageCache).map_err(failed())?)
            }
        };
        let result = file.write_all_at(bytes, address.offset_bytes);
        self.open = Some((segment, file));
        result.map_err(failed())
    }
}
