//! The start-up probe: which way of making a write durable is faster on this device.
//!
//! Owns a measurement of about a third of a second with blocks of 8 KiB, at one and at four writes
//! in flight, on a ring and a file of its own. The modes take turns, so that a disturbance hits
//! both. The winner is the one with more commits over both depths; a near tie goes to `RWF_DSYNC`,
//! since a linked flush runs on a kernel worker that may share the core.
//!
//! Does not judge whether a device tells the truth about its cache: nothing in software can.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::device::FlushMode;
use super::file_store::{open_for_writing, write_zeros};
use super::pace::at_once;
use super::{FileStore, LogError};
use crate::buffer::{Arena, ArenaShape, FreeSlot, ReceiveShape};
use crate::ring::{Completion, CoreRing, RingShape, WriteRequest};

const BLOCK_BYTES: usize = 8192;
const FILE_BYTES: u64 = 1 << 20;
const DEPTHS: [usize; 2] = [1, 4];
/// Before anything is measured.
const WARM_UP_TIME: Duration = Duration::from_millis(20);
/// One turn of one mode at one depth.
const RUN_TIME: Duration = Duration::from_millis(35);
/// Turns that each mode has at each depth.
const RUNS_COUNT: usize = 2;
const MODES: [FlushMode; 2] = [FlushMode::DataSync, FlushMode::LinkedSync];
/// A linked flush must be this much better, in percent.
const TIE_PERCENT: u64 = 10;

/// One line of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeRow {
    /// How writes were made durable.
    pub flush: FlushMode,
    /// Writes in flight.
    pub depth_count: usize,
    /// Durable writes per second.
    pub commits_per_second: u64,
    /// Half of the writes took no longer.
    pub p50_us: u64,
    /// Ninety-nine of a hundred took no longer.
    pub p99_us: u64,
}

/// What the probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// The better mode.
    pub flush: FlushMode,
    /// The measurements: by depth, `RWF_DSYNC` first.
    pub rows: Vec<ProbeRow>,
}

impl FileStore {
    /// Measures the device under this store. Blocks for about a third of a second.
    pub fn probe(&self) -> Result<ProbeReport, LogError> {
        let path = self.path().join("probe.unfinished");
        let failed = |source| LogError::Probe { url: self.url().to_string(), source };
        write_zeros(&path, FILE_BYTES, self.cache_path(), &mut at_once).map_err(failed)?;
        let file = open_for_writing(&path, self.cache_path()).map_err(failed)?;
        let mut bench = ProbeBench::new(OwnedFd::from(file))?;
        for flush in MODES {
            bench.run(flush, 1, WARM_UP_TIME)?.map_err(failed)?;
        }
        let mut rows = Vec::new();
        for depth_count in DEPTHS {
            let mut samples = MODES.map(|_| Sample::default());
            for _ in 0..RUNS_COUNT {
                for (flush, sample) in MODES.into_iter().zip(&mut samples) {
                    sample.add(bench.run(flush, depth_count, RUN_TIME)?.map_err(failed)?);
                }
            }
            let of_depth = MODES.into_iter().zip(samples);
            rows.extend(of_depth.map(|(flush, sample)| sample.summarise(flush, depth_count)));
        }
        fs::remove_file(&path).map_err(failed)?;
        Ok(ProbeReport { flush: choose(&rows), rows })
    }
}

struct ProbeBench {
    ring: CoreRing,
    file: Rc<OwnedFd>,
    slots: Vec<FreeSlot>,
    next_offset_bytes: u64,
}

impl ProbeBench {
    fn new(file: OwnedFd) -> Result<Self, LogError> {
        let depth_max = DEPTHS[DEPTHS.len() - 1];
        let (arena, slots) =
            Arena::map(ArenaShape { slots_count: depth_max, slot_bytes: BLOCK_BYTES })?;
        let receive = ReceiveShape { buffers_count: 1, buffer_bytes: 4096, resume_count: 1 };
        let shape = RingShape { core: 0, entries_count: 16, connections_max: 1, receive };
        let mut ring = CoreRing::new(shape)?;
        ring.register_arena(&arena)?;
        Ok(Self { ring, file: Rc::new(file), slots, next_offset_bytes: 0 })
    }

    /// One turn of a mode; the inner result is the device's.
    fn run(
        &mut self,
        flush: FlushMode,
        depth_count: usize,
        run_time: Duration,
    ) -> Result<io::Result<Sample>, LogError> {
        let start = Instant::now();
        let mut latencies_us = Vec::new();
        for _ in 0..depth_count {
            self.submit(flush, start)?;
        }
        let mut in_flight_count = depth_count;
        while in_flight_count > 0 {
            self.ring.wait(run_time)?;
            while let Some(completion) = self.ring.pop()? {
                let Completion::Written { token, slot, result } = completion else { continue };
                if let Err(error) = result {
                    return Ok(Err(error));
                }
                latencies_us.push(elapsed_us(start).saturating_sub(token));
                self.slots.push(slot);
                in_flight_count -= 1;
                if start.elapsed() < run_time {
                    self.submit(flush, start)?;
                    in_flight_count += 1;
                }
            }
        }
        Ok(Ok(Sample { latencies_us, elapsed: start.elapsed() }))
    }

    fn submit(&mut self, flush: FlushMode, start: Instant) -> Result<(), LogError> {
        let slot = self.slots.pop().expect("as many slots as writes").fill();
        self.ring.write(WriteRequest {
            file: Rc::clone(&self.file),
            offset_bytes: self.next_offset_bytes,
            slot: slot.seal(BLOCK_BYTES),
            durability: flush.durability(),
            token: elapsed_us(start),
        })?;
        self.next_offset_bytes += u64::try_from(BLOCK_BYTES).expect("fits");
        if self.next_offset_bytes >= FILE_BYTES {
            self.next_offset_bytes = 0;
        }
        Ok(())
    }
}

fn elapsed_us(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// What the turns of one mode at one depth gave.
#[derive(Debug, Default)]
struct Sample {
    latencies_us: Vec<u64>,
    elapsed: Duration,
}

impl Sample {
    fn add(&mut self, mut other: Self) {
        self.latencies_us.append(&mut other.latencies_us);
        self.elapsed += other.elapsed;
    }

    fn summarise(mut self, flush: FlushMode, depth_count: usize) -> ProbeRow {
        self.latencies_us.sort_unstable();
        let count = self.latencies_us.len();
        let percentile = |percent: usize| {
            let position = (count * percent / 100).min(count.saturating_sub(1));
            self.latencies_us.get(position).copied().unwrap_or(0)
        };
        let elapsed_us = u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
        ProbeRow {
            flush,
            depth_count,
            commits_per_second: u64::try_from(count).expect("fits") * 1_000_000 / elapsed_us,
            p50_us: percentile(50),
            p99_us: percentile(99),
        }
    }
}

/// The better mode over all depths together. A mode that is quick at one depth only is not chosen
/// for it: under load `RWF_DSYNC` on a filesystem waits for a kernel worker at depth one (4 ms have
/// been seen beside 0.1 ms) while it leads at depth four, and commits pass through both.
fn choose(rows: &[ProbeRow]) -> FlushMode {
    let product = |flush| -> u128 {
        let rows = rows.iter().filter(|row| row.flush == flush);
        rows.map(|row| u128::from(row.commits_per_second)).product()
    };
    let depths = u32::try_from(DEPTHS.len()).expect("a few");
    let ahead = u128::from(100 + TIE_PERCENT).pow(depths);
    let linked = product(FlushMode::LinkedSync) * 100_u128.pow(depths);
    if linked > product(FlushMode::DataSync) * ahead {
        FlushMode::LinkedSync
    } else {
        FlushMode::DataSync
    }
}

#[cfg(test)]
mod tests {
    use super::{FlushMode, ProbeRow, choose};

    fn row(flush: FlushMode, depth_count: usize, commits_per_second: u64) -> ProbeRow {
        ProbeRow { flush, depth_count, commits_per_second, p50_us: 1, p99_us: 1 }
    }

    #[test]
    fn near_tie_goes_to_data_sync_and_a_clear_win_does_not() {
        let rows = |linked| {
            [
                row(FlushMode::DataSync, 1, 10_000),
                row(FlushMode::DataSync, 4, 10_000),
                row(FlushMode::LinkedSync, 1, linked),
                row(FlushMode::LinkedSync, 4, linked),
            ]
        };
        assert_eq!(choose(&rows(10_900)), FlushMode::DataSync);
        assert_eq!(choose(&rows(11_100)), FlushMode::LinkedSync);
    }

    #[test]
    fn mode_that_crawls_at_one_depth_is_not_chosen_for_the_other() {
        let rows = [
            row(FlushMode::DataSync, 1, 300),
            row(FlushMode::DataSync, 4, 22_000),
            row(FlushMode::LinkedSync, 1, 6_000),
            row(FlushMode::LinkedSync, 4, 20_000),
        ];
        assert_eq!(choose(&rows), FlushMode::LinkedSync);
    }
}
