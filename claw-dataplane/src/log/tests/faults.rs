//! Failing writes stop the pipeline, and a volatile cache loses exactly what was not flushed.

use std::path::Path;

use super::super::LogError;
use super::{Stream, folder, sectors};

const BLOCK_BYTES: usize = 8192;
const BLOCK_SECTORS: usize = BLOCK_BYTES / 512;

/// Writes until something fails; gives the error and the highest number ever acknowledged.
fn write_until_failure(faults: &str) -> (LogError, u64) {
    let folder = folder();
    let mut stream = Stream::start(folder.path(), faults, 1);
    loop {
        if let Err(error) = stream.write(BLOCK_BYTES).and_then(|_| stream.turn()) {
            return (error, stream.commit.watermark());
        }
    }
}

#[test]
fn failed_write_is_fatal_with_its_place_and_nothing_after_it_is_acknowledged() {
    for (faults, code) in [("eio-after=10", libc::EIO), ("enospc-after=10", libc::ENOSPC)] {
        let (error, watermark) = write_until_failure(faults);
        let LogError::WriteFailed { sequence, address, source, .. } = &error else {
            panic!("unexpected {error:?}");
        };
        assert!(*sequence >= 11);
        assert_eq!(address.offset_bytes, (*sequence - 1) * 8192);
        assert_eq!(source.raw_os_error(), Some(code));
        assert!(watermark <= 10);
    }
}

#[test]
fn short_write_is_fatal() {
    let (error, watermark) = write_until_failure("short-after=5");
    let LogError::WriteShort { written_bytes, size_bytes, .. } = error else {
        panic!("unexpected {error:?}");
    };
    assert_eq!((written_bytes, size_bytes), (BLOCK_BYTES / 2, BLOCK_BYTES));
    assert!(watermark <= 5);
}

/// Writes under a cache, crashes at some point, and gives the watermark and the blocks' sectors.
fn crash_under_cache(folder: &Path, faults: &str, seed: u64) -> (u64, Vec<Vec<u64>>) {
    let mut stream = Stream::start(folder, faults, 1);
    let blocks_count = 10 + seed;
    for _ in 0..blocks_count {
        stream.write(BLOCK_BYTES).unwrap();
    }
    let watermark = stream.commit.watermark();
    stream.crash();
    let found = sectors(folder, 0);
    let blocks = found.chunks(BLOCK_SECTORS).map(<[u64]>::to_vec);
    (watermark, blocks.collect())
}

fn is_whole(block: &[u64], number: u64) -> bool {
    block.iter().all(|sector| *sector == number)
}

#[test]
fn honest_cache_keeps_every_acknowledged_block_and_loses_or_tears_others() {
    let mut torn_count = 0;
    let mut dropped_count = 0;
    let mut survived_beyond_gap_count = 0;
    for seed in 0..30 {
        let folder = folder();
        let (watermark, blocks) =
            crash_under_cache(folder.path(), &format!("volatile-cache={seed}"), seed);
        for (block, number) in blocks.iter().zip(1..=watermark) {
            assert!(is_whole(block, number), "seed {seed}: block {number} was acknowledged");
        }
        let beyond = usize::try_from(watermark).unwrap();
        let mut gap = false;
        for (block, number) in blocks[beyond..].iter().zip(watermark + 1..=10 + seed) {
            let whole = is_whole(block, number);
            dropped_count += u32::from(is_whole(block, 0));
            torn_count += u32::from(!whole && !is_whole(block, 0));
            survived_beyond_gap_count += u32::from(whole && gap);
            gap |= !whole;
        }
    }
    assert!(torn_count > 0, "nothing was ever torn");
    assert!(dropped_count > 0, "nothing was ever dropped");
    assert!(survived_beyond_gap_count > 0, "nothing was ever reordered");
}

#[test]
fn cache_without_flush_loses_acknowledged_blocks() {
    let mut lost_count = 0;
    for seed in 0..5 {
        let folder = folder();
        let faults = format!("volatile-cache={seed},no-flush");
        let (watermark, blocks) = crash_under_cache(folder.path(), &faults, seed);
        let lost =
            blocks.iter().zip(1..=watermark).filter(|(block, number)| !is_whole(block, *number));
        lost_count += lost.count();
    }
    assert!(lost_count > 0, "the lie was never found out");
}

#[test]
fn cache_without_flush_keeps_everything_in_an_orderly_end() {
    let folder = folder();
    let mut stream = Stream::start(folder.path(), "volatile-cache=1,no-flush", 1);
    for _ in 0..20 {
        stream.write(BLOCK_BYTES).unwrap();
    }
    stream.wait_for(20).unwrap();
    stream.commit.shut_down().unwrap();
    stream.crash();
    let found = sectors(folder.path(), 0);
    for (block, number) in found.chunks(BLOCK_SECTORS).zip(1..=20) {
        assert!(is_whole(block, number));
    }
}

#[test]
fn one_seed_makes_one_run_of_the_lying_cache() {
    let run = || {
        let folder = folder();
        crash_under_cache(folder.path(), "volatile-cache=42,no-flush", 3).1
    };
    assert_eq!(run(), run());
}
