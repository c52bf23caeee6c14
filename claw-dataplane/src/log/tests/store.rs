//! The folder: lock, segments, superblocks, probe.

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use super::super::{CachePath, FileStore, FlushMode, LogError};
use super::{SEGMENT_BYTES, folder, sectors, url};
use crate::log::pace::at_once;

fn open(folder: &std::path::Path) -> FileStore {
    FileStore::open(url(folder, ""), SEGMENT_BYTES).unwrap()
}

#[test]
fn second_process_is_refused_and_welcome_after_the_first() {
    let folder = folder();
    let first = open(folder.path());
    let second = FileStore::open(url(folder.path(), ""), SEGMENT_BYTES);
    assert!(matches!(second, Err(LogError::Locked { .. })));
    drop(first);
    open(folder.path());
}

#[test]
fn new_segment_is_all_zeros_and_really_allocated() {
    use std::os::unix::fs::MetadataExt;
    let folder = folder();
    let store = open(folder.path());
    store.create_segment(0, 0, &mut at_once).unwrap();
    assert!(sectors(folder.path(), 0).iter().all(|sector| *sector == 0));
    let facts = fs::metadata(store.segment_path(0, 0)).unwrap();
    assert_eq!(facts.len(), SEGMENT_BYTES);
    assert!(facts.blocks() * 512 >= SEGMENT_BYTES, "sparse");
    assert_eq!(store.segments(0).unwrap(), [0]);
}

#[test]
fn half_made_segment_is_forgotten_at_the_next_open() {
    let folder = folder();
    drop(open(folder.path()));
    fs::write(folder.path().join("stream-00-segment-000000.unfinished"), [0; 100]).unwrap();
    let store = open(folder.path());
    assert!(store.segments(0).unwrap().is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn segment_of_another_size_is_refused_with_the_reason() {
    let folder = folder();
    let store = open(folder.path());
    store.create_segment(0, 0, &mut at_once).unwrap();
    let path = store.segment_path(0, 0);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(4096).unwrap();
    let error = store.open_segment(0, 0).unwrap_err();
    assert!(matches!(error, LogError::SegmentSize { found_bytes: 4096, .. }));
}

#[test]
fn direct_writing_is_claimed_only_where_the_flag_is_set() {
    let folder = folder();
    let store = open(folder.path());
    store.create_segment(0, 0, &mut at_once).unwrap();
    let asked =
        OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(store.segment_path(0, 0));
    let direct = asked.is_ok_and(|file| {
        // SAFETY: no pointers, and the descriptor is open.
        let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
        flags & libc::O_DIRECT != 0
    });
    let info = store.info(FlushMode::DataSync);
    assert_eq!(info.cache_path == CachePath::Direct, direct);
    assert!(info.logical_block_bytes.is_power_of_two());
}

#[test]
fn probe_measures_both_modes_and_leaves_no_file() {
    let folder = folder();
    let store = open(folder.path());
    let report = store.probe().unwrap();
    assert_eq!(report.rows.len(), 4);
    for row in &report.rows {
        assert!(row.commits_per_second > 0, "{row:?}");
        assert!(row.p50_us > 0, "{row:?}");
        assert!(row.p99_us >= row.p50_us, "{row:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
