//! Opening a store: everything comes back, damage stops, shards move between streams.

use std::fs;

use claw_common::id::ShardId;
use claw_core::log::{
    ChainError, RecoveryError, ShardStart, segment_file_name, superblock_file_name,
};

use super::store::{SHAPE, Seen, Store};
use crate::log::{
    LogPaths, ReadError, RecoverError, Scope, SnapshotHeader, StoreLog, recover, write_snapshot,
};

#[test]
fn records_come_back_in_the_order_of_each_shard() {
    let mut store = Store::new(2, 3);
    store.append(0, 0, &[b"a", b"b"]);
    store.append(1, 1, &[b"x"]);
    store.append(0, 0, &[b"c"]);
    store.mark(0);
    let mut seen = Seen::default();
    let recovered = store.start(2, &mut seen).unwrap();
    let first: Vec<_> = seen.records.iter().filter(|record| record.0 == 0).collect();
    assert_eq!(first.iter().map(|record| &record.2[..]).collect::<Vec<_>>(), [b"a", b"b", b"c"]);
    assert_eq!((recovered.records_count, recovered.shards[0].sequence), (4, 3));
    assert_eq!(recovered.streams[0].last_sequence, 3);
    assert_eq!(recovered.streams[0].superblock.epoch, 2);
    assert_eq!(recovered.last_hlc.unix_ms(), 1_700_000_000_020);
}

#[test]
fn shards_move_when_the_number_of_streams_changes() {
    let mut store = Store::new(1, 2);
    store.append(0, 0, &[b"1"]);
    store.append(0, 1, &[b"1"]);
    for segment in 0..2 {
        let path = store.paths.data.join(segment_file_name(1, segment));
        fs::File::create(path).unwrap().set_len(SHAPE.segment_bytes).unwrap();
    }
    store.start(2, &mut Seen::default()).unwrap();
    store.append(1, 1, &[b"2"]);
    store.append(0, 0, &[b"2"]);
    store.start(1, &mut Seen::default()).unwrap();
    store.append(0, 1, &[b"3"]);
    let mut seen = Seen::default();
    let recovered = store.start(1, &mut seen).unwrap();
    assert_eq!((seen.sequences(0), seen.sequences(1)), (vec![1, 2], vec![1, 2, 3]));
    assert_eq!(recovered.streams.len(), 2);
    assert!(recovered.streams.iter().all(|tail| tail.superblock.streams_count == 2));
}

#[test]
fn damaged_middle_stops_and_names_the_file() {
    let mut store = Store::new(1, 2);
    let place = store.append(0, 0, &[b"1"]);
    store.append(0, 0, &[b"2"]);
    store.rot(0, place);
    let error = store.start(1, &mut Seen::default()).unwrap_err();
    let RecoverError::Read(ReadError::Damaged { path, source }) = error else { panic!("{error}") };
    assert_eq!(path, store.segment_path(0, place.segment));
    assert!(matches!(source, RecoveryError::DamagedMiddle { sequence: 1, watermark: 1, .. }));
}

#[test]
fn torn_last_block_is_cut_and_reported() {
    let mut store = Store::new(1, 2);
    store.append(0, 0, &[b"1"]);
    let torn = store.append(0, 0, &[b"2"]);
    store.rot(0, torn);
    let mut seen = Seen::default();
    let recovered = store.start(1, &mut seen).unwrap();
    assert_eq!(seen.sequences(0), [1]);
    let cut = &recovered.streams[0].cut;
    assert_eq!((cut.len(), cut[0].sequence, cut[0].offset), (1, 2, torn.offset));
    store.append(0, 0, &[b"2 again"]);
    let mut seen = Seen::default();
    store.start(1, &mut seen).unwrap();
    assert_eq!(seen.records.last().unwrap().2, b"2 again");
}

#[test]
fn replay_begins_behind_the_newest_snapshot_that_restores() {
    let mut store = Store::new(1, 2);
    for (count, body) in [b"one", b"two"].into_iter().enumerate() {
        store.append(0, 0, &[b"record"]);
        let start = ShardStart { sequence: count as u64 + 1, hash: store.shards[0].hash };
        write_snapshot(&store.paths.snapshots, &header(start), body).unwrap();
    }
    store.append(0, 0, &[b"record"]);
    let mut seen = Seen::default();
    store.start(1, &mut seen).unwrap();
    assert_eq!((seen.restored, seen.records.len()), (vec![(0, b"two".to_vec())], 1));

    let mut seen = Seen { refuse_snapshots_after: Some(1), ..Seen::default() };
    store.start(1, &mut seen).unwrap();
    assert_eq!((seen.restored, seen.records.len()), (vec![(0, b"one".to_vec())], 2));

    let newest = fs::read_dir(&store.paths.snapshots).unwrap().map(|entry| entry.unwrap().path());
    let newest = newest.max().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&newest, bytes).unwrap();
    let mut seen = Seen::default();
    store.start(1, &mut seen).unwrap();
    assert_eq!(seen.restored, vec![(0, b"one".to_vec())], "a rotten snapshot is passed");
}

pub(super) fn header(start: ShardStart) -> SnapshotHeader {
    SnapshotHeader {
        store_id: SHAPE.store_id,
        shard: ShardId(0),
        start,
        schema_hash: [1; 32],
        state_hash: [2; 32],
    }
}

#[test]
fn missing_files_are_named() {
    let store = Store::new(2, 1);
    let empty = LogPaths::in_store(store.directory.path().join("elsewhere").as_path());
    fs::create_dir_all(&empty.data).unwrap();
    let error = recover(&empty, 1, &mut Seen::default(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, RecoverError::Read(ReadError::NotFormatted { .. })), "{error}");

    fs::remove_file(store.paths.data.join(superblock_file_name(0))).unwrap();
    let error = recover(&store.paths, 2, &mut Seen::default(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("stream 0 of 2 is missing in "), "{error}");
}

#[test]
fn lost_segments_of_one_stream_stop_the_start() {
    let mut store = Store::new(2, 1);
    store.append(0, 0, &[b"1"]);
    store.append(1, 0, &[b"2"]);
    store.append(0, 0, &[b"3"]);
    fs::write(store.segment_path(1, 0), []).unwrap();
    let error = store.start(2, &mut Seen::default()).unwrap_err();
    let expected = ChainError::Gap { shard: ShardId(0), sequence: 2 };
    let RecoverError::Read(ReadError::Chain(found)) = error else { panic!("{error}") };
    assert_eq!(found, expected);
}

#[test]
fn reading_needs_no_start_and_changes_nothing() {
    let mut store = Store::new(1, 2);
    store.append(0, 0, &[b"1"]);
    let superblock = fs::read(store.paths.data.join(superblock_file_name(0))).unwrap();
    let (_, tails) = StoreLog::read(&store.paths, Scope::Everything, &mut |_| {}).unwrap();
    assert_eq!(tails[0].last_sequence, 1);
    assert_eq!(fs::read(store.paths.data.join(superblock_file_name(0))).unwrap(), superblock);
}
