//! Snapshots: whole or not there, the newest wins, two stay.

use std::fs;

use claw_common::id::ShardId;
use claw_core::log::ShardStart;

use super::recover::header;
use super::store::SHAPE;
use crate::log::{covered_positions, read_snapshot, shard_snapshots, write_snapshot};

fn start(sequence: u64) -> ShardStart {
    ShardStart { sequence, hash: [3; 32] }
}

#[test]
fn two_newest_are_kept_and_the_older_covers() {
    let directory = tempfile::tempdir().unwrap();
    let covered = || covered_positions(directory.path(), SHAPE.store_id, 2).unwrap();
    assert_eq!(covered(), [0, 0]);
    for sequence in [5, 9, 100] {
        write_snapshot(directory.path(), &header(start(sequence)), b"state").unwrap();
    }
    let found = shard_snapshots(directory.path(), SHAPE.store_id, ShardId(0)).unwrap();
    let positions: Vec<_> = found.valid.iter().map(|(_, header)| header.start.sequence).collect();
    assert_eq!((positions, found.invalid.len()), (vec![100, 9], 0));
    assert_eq!(covered(), [9, 0]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file stays");
}

#[test]
fn silent_shard_is_covered_by_a_copy_at_its_last_position() {
    let directory = tempfile::tempdir().unwrap();
    let covered = || covered_positions(directory.path(), SHAPE.store_id, 1).unwrap();
    for (sequence, expected) in [(5, 0), (5, 5), (9, 5), (9, 9), (9, 9), (12, 9)] {
        write_snapshot(directory.path(), &header(start(sequence)), b"state").unwrap();
        assert_eq!(covered(), [expected], "after {sequence}");
        let count = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(count, if (sequence, expected) == (5, 0) { 1 } else { 2 });
    }
    let found = shard_snapshots(directory.path(), SHAPE.store_id, ShardId(0)).unwrap();
    let newest = &found.valid[0].1;
    assert_eq!((newest.start.sequence, found.invalid.len()), (12, 0));
}

#[test]
fn any_flipped_byte_makes_a_snapshot_invalid() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_snapshot(directory.path(), &header(start(5)), b"state").unwrap();
    let snapshot = read_snapshot(&path).unwrap().unwrap();
    assert_eq!((snapshot.body(), *snapshot.header()), (&b"state"[..], header(start(5))));
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(read_snapshot(&path).unwrap(), None, "byte {at}");
    }
    for length in [0, 100, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(read_snapshot(&path).unwrap(), None, "length {length}");
    }
    let found = shard_snapshots(directory.path(), SHAPE.store_id, ShardId(0)).unwrap();
    assert_eq!((found.valid.len(), found.invalid), (0, vec![path]));
}
