//! Order, watermark, roll-over and backpressure.

use super::super::{
    CommitStart, CommitTail, DeviceAddress, FileDeviceShape, FlushMode, GroupCommit, SegmentSupply,
};
use super::{SEGMENT_BYTES, SLOT_BYTES, Stream, folder, ring_and_slots, sectors};
use claw_common::limits::WRITES_IN_FLIGHT_MAX;

#[test]
fn blocks_lie_one_behind_the_other_in_the_order_of_their_numbers() {
    let folder = folder();
    let mut stream = Stream::start(folder.path(), "", 1);
    for expected in 1..=50 {
        assert_eq!(stream.write(4096).unwrap(), expected);
    }
    stream.wait_for(50).unwrap();
    assert!(stream.commit.quiet());
    assert_eq!(stream.commit.metrics().blocks_count, 50);
    let found = sectors(folder.path(), 0);
    for (block, number) in found.chunks(8).zip(1..=50) {
        assert!(block.iter().all(|sector| *sector == number));
    }
    assert!(found[50 * 8..].iter().all(|sector| *sector == 0));
}

#[test]
fn never_more_than_the_window_beyond_the_watermark() {
    let folder = folder();
    let mut stream = Stream::start(folder.path(), "", 1);
    let window = u64::try_from(WRITES_IN_FLIGHT_MAX).unwrap();
    for _ in 0..WRITES_IN_FLIGHT_MAX {
        assert!(stream.commit.may_write());
        // Without a turn nothing completes.
        let placement = stream.commit.place(4096).unwrap().unwrap();
        assert_eq!(placement.durable_watermark, 0);
        let slot = stream.commit.take_slot().unwrap();
        stream.commit.write(&mut stream.ring, slot, 4096).unwrap();
    }
    assert!(!stream.commit.may_write());
    stream.wait_for(window).unwrap();
    assert!(stream.commit.may_write());
}

#[test]
fn block_that_does_not_fit_begins_the_next_segment_and_leaves_zeros() {
    let folder = folder();
    let mut stream = Stream::start(folder.path(), "", 2);
    let per_segment = SEGMENT_BYTES / u64::try_from(SLOT_BYTES).unwrap();
    stream.write(4096).unwrap();
    for _ in 0..per_segment {
        stream.write(SLOT_BYTES).unwrap();
    }
    stream.wait_for(per_segment + 1).unwrap();
    let first = sectors(folder.path(), 0);
    let used_sectors = (4096 + (SLOT_BYTES * usize::try_from(per_segment - 1).unwrap())) / 512;
    assert!(first[..used_sectors].iter().all(|sector| *sector != 0));
    assert!(first[used_sectors..].iter().all(|sector| *sector == 0));
    assert_eq!(sectors(folder.path(), 1)[0], per_segment + 1);
    assert_eq!(stream.commit.metrics().segments_count, 2);
}

#[test]
fn each_segment_begun_gets_the_next_generation() {
    let folder = folder();
    let mut stream = Stream::start(folder.path(), "", 3);
    let mut generations = Vec::new();
    for _ in 0..40 {
        while !stream.commit.may_write() {
            stream.turn().unwrap();
        }
        let placement = stream.commit.place(SLOT_BYTES).unwrap().unwrap();
        assert_eq!(u64::from(placement.address.segment) + 1, placement.segment_generation);
        generations.push(placement.segment_generation);
        let slot = stream.commit.take_slot().unwrap();
        stream.commit.write(&mut stream.ring, slot, SLOT_BYTES).unwrap();
    }
    assert_eq!(generations.first(), Some(&1));
    assert_eq!(generations.last(), Some(&3));
    assert!(generations.is_sorted());
}

#[test]
fn late_segment_is_backpressure_not_an_error() {
    let folder = folder();
    let mut stream = Stream::start(folder.path(), "", 0);
    assert_eq!(stream.commit.place(4096).unwrap(), None);
    assert!(stream.commit.may_write());
    assert_eq!(stream.commit.metrics().segments_missing_count, 1);
}

#[test]
fn empty_arena_is_backpressure_until_a_write_is_done() {
    let folder = folder();
    let mut stream = Stream::start(folder.path(), "", 1);
    let mut held: Vec<_> = (0..5).map(|_| stream.commit.take_slot().unwrap()).collect();
    stream.write(4096).unwrap();
    assert!(stream.commit.take_slot().is_none());
    stream.wait_for(1).unwrap();
    held.push(stream.commit.take_slot().unwrap());
    for slot in held {
        stream.commit.return_slot(slot);
    }
}

#[test]
fn stream_goes_on_behind_its_last_block_after_a_start() {
    let folder = folder();
    let mut stream = Stream::start(folder.path(), "", 1);
    stream.write(8192).unwrap();
    stream.wait_for(1).unwrap();
    let Stream { commit, store, ring } = stream;
    drop(commit);
    let device = store.device(FileDeviceShape {
        stream: 0,
        flush: FlushMode::LinkedSync,
        supply: SegmentSupply::new(),
    });
    let tail =
        CommitTail { address: DeviceAddress { segment: 0, offset_bytes: 8192 }, generation: 1 };
    let start = CommitStart { stream: 0, last_sequence: 1, generation_last: 1, tail: Some(tail) };
    // A new process has a new ring.
    drop(ring);
    let (ring, slots) = ring_and_slots();
    let commit = GroupCommit::new(device, slots, start).unwrap();
    let mut stream = Stream { commit, store, ring };
    assert_eq!(stream.write(4096).unwrap(), 2);
    stream.wait_for(2).unwrap();
    let found = sectors(folder.path(), 0);
    assert_eq!(found[15..17], [1, 2]);
}
