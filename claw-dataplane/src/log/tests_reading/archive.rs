//! The archive: only what snapshots cover leaves, and it stays readable in order.

use std::fs;

use claw_core::log::ShardStart;

use super::recover::header;
use super::store::{Seen, Store};
use crate::log::{Freed, Retention, Scope, StoreLog, archive, archived_segments, write_snapshot};

/// Three segments of shard 0, the last being written; each block fills a third of a segment.
fn full() -> Store {
    let mut store = Store::new(1, 4);
    for _ in 0..7 {
        store.append(0, 0, &[&vec![7; 80_000]]);
    }
    store
}

fn snapshot_twice(store: &Store) {
    let start = ShardStart { sequence: store.shards[0].sequence, hash: store.shards[0].hash };
    let older = ShardStart { sequence: start.sequence - 1, hash: [0; 32] };
    write_snapshot(&store.paths.snapshots, &header(older), b"older").unwrap();
    write_snapshot(&store.paths.snapshots, &header(start), b"newer").unwrap();
}

fn freed(outcome: &[Freed]) -> Vec<u64> {
    outcome[0].segments.iter().map(|segment| segment.generation).collect()
}

#[test]
fn nothing_leaves_without_snapshots() {
    let store = full();
    let outcome = archive(&store.paths, Retention::Archive, &[]).unwrap();
    assert_eq!(freed(&outcome).len(), 0);
}

#[test]
fn covered_segments_are_archived_reused_and_still_read() {
    let mut store = full();
    snapshot_twice(&store);
    let outcome = archive(&store.paths, Retention::Archive, &[]).unwrap();
    assert_eq!(freed(&outcome), [1, 2]);
    assert_eq!(archived_segments(&store.paths.archive, 0).unwrap().len(), 2);
    let segments = outcome[0].segments.iter().map(|segment| segment.segment);
    store.give_free(0, segments);
    for _ in 0..6 {
        store.append(0, 0, &[&vec![8; 80_000]]);
    }
    let again = archive(&store.paths, Retention::Archive, &[]).unwrap();
    assert_eq!(freed(&again).len(), 0);

    let mut seen = Seen::default();
    store.start(1, &mut seen).unwrap();
    assert_eq!((seen.restored.len(), seen.sequences(0)), (1, (8..=13).collect()));
    let (_, tails) = StoreLog::read(&store.paths, Scope::Everything, &mut |_| {}).unwrap();
    assert_eq!((tails[0].blocks.len(), tails[0].last_sequence), (13, 13));

    fs::remove_dir_all(&store.paths.snapshots).unwrap();
    let mut seen = Seen::default();
    store.start(1, &mut seen).unwrap();
    assert_eq!(seen.sequences(0), (1..=13).collect::<Vec<_>>(), "from the archive");
    store.append(0, 0, &[b"goes on"]);
    assert_eq!(store.start(1, &mut Seen::default()).unwrap().shards[0].sequence, 14);
}

#[test]
fn discarded_segments_leave_no_copy() {
    let store = full();
    snapshot_twice(&store);
    let outcome = archive(&store.paths, Retention::Discard, &[]).unwrap();
    assert_eq!(freed(&outcome), [1, 2]);
    assert!(!store.paths.archive.exists());
    let (_, tails) = StoreLog::read(&store.paths, Scope::Everything, &mut |_| {}).unwrap();
    assert_eq!(tails[0].blocks.len(), 1);
}

#[test]
fn rot_in_the_archive_is_found() {
    let mut store = full();
    snapshot_twice(&store);
    let outcome = archive(&store.paths, Retention::Archive, &[]).unwrap();
    store.give_free(0, outcome[0].segments.iter().map(|segment| segment.segment));
    let (_, path) = archived_segments(&store.paths.archive, 0).unwrap().remove(1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[500] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = StoreLog::read(&store.paths, Scope::Everything, &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    store.start(1, &mut Seen::default()).unwrap();
}
