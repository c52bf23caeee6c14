//! The pipeline, the device and the rules of recovery together: a stream lives through crashes.
//!
//! The check is the promise itself: after each crash, recovery finds every block that had been
//! acknowledged, with the bytes it had. It must hold over an honest device and fail over one whose
//! flush does nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use claw_common::checksum::Digest;
use claw_common::time::Hlc;
use claw_core::log::{
    SealInputs, SegmentScan, StoreShape, StreamRecovery, StreamTail, Superblock, peek_header,
    seal_mark,
};

use super::super::{
    CommitStart, FileDeviceShape, FileStore, FlushMode, GroupCommit, SegmentSupply, format_streams,
    read_superblocks, write_superblock,
};
use super::{SEGMENT_BYTES, Stream, folder, ring_and_slots, url};
use crate::log::pace::at_once;

const STORE_ID: [u8; 16] = [3; 16];
const SEGMENTS_COUNT: u32 = 2;
const LIVES_COUNT: u64 = 4;

/// What a crashed stream broke.
#[derive(Debug)]
struct Broken(String);

fn recover(store: &FileStore) -> Result<StreamTail, Broken> {
    let superblocks = read_superblocks(store.path()).unwrap();
    let mut recovery = StreamRecovery::new(superblocks[0].clone());
    for segment in store.segments(0).unwrap() {
        let bytes = fs::read(store.segment_path(0, segment)).unwrap();
        for found in SegmentScan::new(&bytes) {
            recovery.observe(segment, &bytes, &found);
        }
    }
    recovery.finish().map_err(|error| Broken(error.to_string()))
}

/// Every acknowledged block is in the recovered log, unchanged.
fn check(
    store: &FileStore,
    tail: &StreamTail,
    acknowledged: &BTreeMap<u64, Digest>,
) -> Result<(), Broken> {
    let mut found = BTreeMap::new();
    for place in &tail.blocks {
        let bytes = fs::read(store.segment_path(0, place.segment)).unwrap();
        let header = peek_header(&bytes[place.offset..]).unwrap();
        found.insert(header.stream_sequence.get(), header.hash);
    }
    for (sequence, hash) in acknowledged {
        if found.get(sequence) != Some(hash) {
            return Err(Broken(format!("block {sequence} was acknowledged and is gone")));
        }
    }
    Ok(())
}

/// Recovers, raises the epoch and goes on.
fn start(folder: &Path, faults: &str, life: u64) -> Result<(Arc<FileStore>, StreamTail), Broken> {
    let faults = faults.replace("SEED", &life.to_string());
    let store = Arc::new(FileStore::open(url(folder, &faults), SEGMENT_BYTES).unwrap());
    if store.streams().unwrap().is_empty() {
        let shape =
            StoreShape { store_id: STORE_ID, shards_count: 1, segment_bytes: SEGMENT_BYTES };
        format_streams(store.path(), shape, 0..1).unwrap();
        for segment in 0..SEGMENTS_COUNT {
            store.create_segment(0, segment, &mut at_once).unwrap();
        }
    }
    let tail = recover(&store)?;
    Ok((store, tail))
}

fn serve(store: &Arc<FileStore>, tail: &StreamTail) -> Stream {
    let supply = SegmentSupply::new();
    let used: Vec<u32> = tail.segments.iter().map(|segment| segment.segment).collect();
    for segment in (0..SEGMENTS_COUNT).filter(|segment| !used.contains(segment)) {
        supply.add(store.open_segment(0, segment).unwrap());
    }
    let (ring, slots) = ring_and_slots();
    let shape = FileDeviceShape { stream: 0, flush: FlushMode::DataSync, supply };
    let start = CommitStart::behind(0, tail);
    let commit = GroupCommit::new(store.device(shape), slots, start).unwrap();
    Stream { commit, store: Arc::clone(store), ring }
}

/// Writes marks for a while; gives the hashes of those that were acknowledged before the crash.
fn live(mut stream: Stream, raised: &Superblock, blocks_count: u64) -> BTreeMap<u64, Digest> {
    let mut previous = raised.cut.hash;
    let mut hashes = BTreeMap::new();
    for _ in 0..blocks_count {
        let placement = stream.place(4096).unwrap();
        let mut slot = stream.commit.take_slot().unwrap();
        let inputs = SealInputs {
            store_id: STORE_ID,
            stream: 0,
            stream_epoch: raised.epoch,
            stream_sequence: placement.stream_sequence,
            stream_previous: previous,
            shard_previous: [0; 32],
            segment_generation: placement.segment_generation,
            durable_watermark: placement.durable_watermark,
            term: 1,
        };
        let sealed = seal_mark(slot.bytes_mut(), &inputs, Hlc(placement.stream_sequence));
        previous = sealed.hash;
        hashes.insert(placement.stream_sequence, sealed.hash);
        stream.commit.write(&mut stream.ring, slot, sealed.size_bytes).unwrap();
    }
    let watermark = stream.commit.watermark();
    stream.crash();
    hashes.retain(|sequence, _| *sequence <= watermark);
    hashes
}

/// Several lives of one stream, with a crash at the end of each.
fn outlive_crashes(faults: &str, seed: u64) -> Result<u64, Broken> {
    let folder = folder();
    let mut acknowledged = BTreeMap::new();
    for life in 0..LIVES_COUNT {
        let (store, tail) = start(folder.path(), faults, seed * LIVES_COUNT + life)?;
        check(&store, &tail, &acknowledged)?;
        let raised = tail.raise(1);
        write_superblock(store.path(), &raised).unwrap();
        acknowledged.extend(live(serve(&store, &tail), &raised, 20 + seed));
    }
    let store = FileStore::open(url(folder.path(), ""), SEGMENT_BYTES).unwrap();
    let tail = recover(&store)?;
    check(&store, &tail, &acknowledged)?;
    Ok(tail.last_sequence)
}

#[test]
fn every_acknowledged_block_outlives_crashes_of_a_volatile_cache() {
    for seed in 0..15 {
        let last = outlive_crashes("volatile-cache=SEED", seed).unwrap();
        assert!(last >= LIVES_COUNT * 16, "seed {seed}: only {last} blocks survived");
    }
}

#[test]
fn the_same_check_fails_when_the_flush_is_taken_out() {
    for seed in 0..5 {
        let Broken(reason) = outlive_crashes("volatile-cache=SEED,no-flush", seed).unwrap_err();
        assert!(!reason.is_empty());
    }
}
