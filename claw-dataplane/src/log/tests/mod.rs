//! The write pipeline against real files.

mod faults;
mod pipeline;
mod recovery;
mod store;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{
    CommitStart, DeviceUrl, FileDeviceShape, FileStore, FlushMode, GroupCommit, LogError,
    Placement, SegmentSupply,
};
use crate::buffer::{Arena, ArenaShape, FreeSlot, ReceiveShape};
use crate::log::pace::at_once;
use crate::ring::{CoreRing, RingShape};

const SEGMENT_BYTES: u64 = 1 << 20;
const SLOT_BYTES: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder on a real disk, since a memory filesystem knows no `O_DIRECT`.
fn folder() -> tempfile::TempDir {
    let program = std::env::current_exe().unwrap();
    tempfile::tempdir_in(program.parent().unwrap()).unwrap()
}

fn url(folder: &Path, faults: &str) -> DeviceUrl {
    let mut url = DeviceUrl::file(folder);
    url.faults = (!faults.is_empty()).then(|| faults.parse().unwrap());
    url
}

/// One stream of one store, with its ring.
struct Stream {
    // The ring goes last: it waits for what is in flight.
    commit: GroupCommit,
    store: Arc<FileStore>,
    ring: CoreRing,
}

impl Stream {
    fn start(folder: &Path, faults: &str, segments_count: u32) -> Self {
        let store = Arc::new(FileStore::open(url(folder, faults), SEGMENT_BYTES).unwrap());
        let supply = SegmentSupply::new();
        for segment in 0..segments_count {
            supply.add(store.create_segment(0, segment, &mut at_once).unwrap());
        }
        let (ring, slots) = ring_and_slots();
        let device =
            store.device(FileDeviceShape { stream: 0, flush: FlushMode::DataSync, supply });
        let start = CommitStart { stream: 0, last_sequence: 0, generation_last: 0, tail: None };
        let commit = GroupCommit::new(device, slots, start).unwrap();
        Self { commit, store, ring }
    }

    /// Writes one block that holds its own number everywhere.
    fn write(&mut self, size_bytes: usize) -> Result<u64, LogError> {
        let placement = self.place(size_bytes)?;
        let mut slot = self.commit.take_slot().expect("more slots than writes in flight");
        fill(&mut slot.bytes_mut()[..size_bytes], placement.stream_sequence);
        self.commit.write(&mut self.ring, slot, size_bytes)?;
        Ok(placement.stream_sequence)
    }

    fn place(&mut self, size_bytes: usize) -> Result<Placement, LogError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.commit.may_write()
                && let Some(placement) = self.commit.place(size_bytes)?
            {
                return Ok(placement);
            }
            assert!(Instant::now() < deadline, "the block was never placed");
            self.turn()?;
        }
    }

    fn turn(&mut self) -> Result<(), LogError> {
        self.ring.wait(Duration::from_millis(10))?;
        while let Some(completion) = self.ring.pop()? {
            let foreign = self.commit.complete(&mut self.ring, completion)?;
            assert!(foreign.is_none(), "unexpected {foreign:?}");
        }
        Ok(())
    }

    fn wait_for(&mut self, watermark: u64) -> Result<(), LogError> {
        let deadline = Instant::now() + PATIENCE;
        while self.commit.watermark() < watermark {
            assert!(Instant::now() < deadline, "the watermark does not move");
            self.turn()?;
        }
        Ok(())
    }

    /// Ends as a killed process does: what the device holds in memory is gone.
    fn crash(self) {
        drop(self);
    }
}

fn ring_and_slots() -> (CoreRing, Vec<FreeSlot>) {
    let receive = ReceiveShape { buffers_count: 1, buffer_bytes: 4096, resume_count: 1 };
    let shape = RingShape { core: 0, entries_count: 32, connections_max: 1, receive };
    let mut ring = CoreRing::new(shape).unwrap();
    let (arena, slots) = Arena::map(ArenaShape { slots_count: 6, slot_bytes: SLOT_BYTES }).unwrap();
    ring.register_arena(&arena).unwrap();
    (ring, slots)
}

fn fill(bytes: &mut [u8], sequence: u64) {
    for word in bytes.chunks_exact_mut(8) {
        word.copy_from_slice(&sequence.to_le_bytes());
    }
}

/// The numbers found in a segment, a sector each.
fn sectors(folder: &Path, segment: u32) -> Vec<u64> {
    let name = claw_core::log::segment_file_name(0, segment);
    let bytes = fs::read(folder.join(name)).unwrap();
    bytes
        .chunks_exact(512)
        .map(|sector| {
            let number = u64::from_le_bytes(sector[..8].try_into().unwrap());
            let mut whole = [0; 512];
            fill(&mut whole, number);
            assert_eq!(sector, whole, "a sector is written whole or not at all");
            number
        })
        .collect()
}
