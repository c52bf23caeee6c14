//! What a cut leaves: of the model for every coin, of a real mount for one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::time::SystemTime;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::contents::{Contents, PAGE_BYTES, Toll};
use super::medium::{Honesty, Medium};
use super::tree::{Kind, Owner, ROOT, Refusal, Tree};
use super::*;

const PAGES_COUNT: usize = 64;

fn coin(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A file of pages of ones, all of it durable.
fn durable() -> Contents {
    let mut contents = Contents::default();
    contents.write(0, &vec![1; PAGES_COUNT * PAGE_BYTES]);
    let flush = contents.flush();
    contents.flushed(flush);
    contents
}

/// The first byte of every page.
fn pages(contents: &Contents) -> Vec<u8> {
    let whole = contents.read(0, usize::MAX);
    whole.chunks(PAGE_BYTES).map(|page| page[0]).collect()
}

#[test]
fn what_was_flushed_survives_and_pages_that_were_not_by_the_coin() {
    let mut contents = durable();
    contents.write(0, &vec![2; PAGES_COUNT * PAGE_BYTES]);
    let toll = contents.lose_power(&mut coin(1));
    let found = pages(&contents);
    assert!(found.iter().all(|byte| matches!(byte, 1 | 2)), "{found:?}");
    let survived: usize = found.iter().map(|byte| usize::from(byte - 1)).sum();
    assert!((1..PAGES_COUNT).contains(&survived), "torn: {found:?}");
    let counted = |count| u64::try_from(count).unwrap();
    let expected =
        Toll { survived_count: counted(survived), lost_count: counted(PAGES_COUNT - survived) };
    assert_eq!(toll, expected);
    let mut again = durable();
    again.write(0, &vec![2; PAGES_COUNT * PAGE_BYTES]);
    again.lose_power(&mut coin(1));
    assert_eq!(pages(&again), found, "the same seed, the same ruin");
}

#[test]
fn flush_makes_durable_what_there_was_when_it_began() {
    let mut contents = durable();
    contents.write(0, &[2; PAGE_BYTES]);
    let flush = contents.flush();
    contents.write(0, &[3; PAGE_BYTES]);
    contents.flushed(flush);
    let found: Vec<u8> = (0..32)
        .map(|seed| {
            let mut contents = durable();
            contents.write(0, &[2; PAGE_BYTES]);
            let flush = contents.flush();
            contents.write(0, &[3; PAGE_BYTES]);
            contents.flushed(flush);
            contents.lose_power(&mut coin(seed));
            pages(&contents)[0]
        })
        .collect();
    assert!(found.contains(&2) && found.contains(&3), "{found:?}");
    assert!(!found.contains(&1), "flushed, and lost: {found:?}");
    assert_eq!(contents.read(0, 1), [3], "seen by every process before that");
}

#[test]
fn flush_that_ends_late_replaces_nothing_newer() {
    let mut contents = durable();
    contents.write(0, &[2; PAGE_BYTES]);
    let early = contents.flush();
    contents.write(0, &[3; PAGE_BYTES]);
    let late = contents.flush();
    contents.flushed(late);
    contents.write(0, &[4; PAGE_BYTES]);
    contents.flushed(early);
    let left: BTreeSet<u8> = (0..16)
        .map(|seed| {
            let mut contents = contents.clone();
            contents.lose_power(&mut coin(seed));
            contents.read(0, 1)[0]
        })
        .collect();
    assert_eq!(left, [3, 4].into(), "the flushed one, or the one that was not");
}

#[test]
fn flushed_range_is_durable_and_what_lies_beside_it_is_not() {
    let mut contents = durable();
    contents.write(0, &vec![2; PAGES_COUNT * PAGE_BYTES]);
    let page = u64::try_from(PAGE_BYTES).unwrap();
    let flush = contents.flush_range(page..3 * page);
    contents.flushed(flush);
    contents.lose_power(&mut coin(2));
    let found = pages(&contents);
    assert_eq!(found[1..3], [2, 2]);
    assert!(found.contains(&1), "{found:?}");
}

#[test]
fn file_that_grew_keeps_no_page_behind_a_lost_one() {
    let mut sizes = Vec::new();
    for seed in 0..32 {
        let mut contents = Contents::default();
        contents.write(0, b"flushed");
        let flush = contents.flush();
        contents.flushed(flush);
        contents.write(7, &vec![9; 4 * PAGE_BYTES]);
        contents.lose_power(&mut coin(seed));
        let left = contents.read(0, usize::MAX);
        assert_eq!(&left[..7], b"flushed");
        assert!(left[7..].iter().all(|byte| *byte == 9), "a hole: seed {seed}");
        sizes.push(left.len());
    }
    sizes.sort_unstable();
    sizes.dedup();
    assert!(sizes.len() > 2, "{sizes:?}");
}

#[test]
fn what_is_cut_off_does_not_come_back() {
    let mut contents = durable();
    contents.resize(10);
    contents.grow(20);
    assert_eq!(contents.read(0, 100), [[1; 10], [0; 10]].concat());
    let before = contents.size_bytes();
    contents.lose_power(&mut coin(0));
    assert!(contents.size_bytes() <= before);
    assert_eq!(contents.read(0, 10), [1; 10]);
    assert!(contents.read(10, 100).iter().all(|byte| *byte == 0));
}

#[test]
fn names_are_durable_at_once_and_files_without_one_go() {
    let mut tree = Tree::new(SystemTime::UNIX_EPOCH);
    let owner = Owner { uid: 0, gid: 0, mode: 0o600 };
    let make = |tree: &mut Tree, name: &str| {
        let node = (Kind::File(Contents::default()), owner);
        tree.make((ROOT, OsStr::new(name)), node, SystemTime::UNIX_EPOCH).unwrap()
    };
    let (old, new) = (make(&mut tree, "log"), make(&mut tree, "log.new"));
    tree.open(old).unwrap();
    tree.rename((ROOT, OsStr::new("log.new")), (ROOT, OsStr::new("log"))).unwrap();
    tree.with_contents(old, |contents| contents.write(0, b"still open")).unwrap();
    tree.lose_power(&mut coin(0));
    assert_eq!(tree.find(ROOT, OsStr::new("log")), Ok(new));
    assert_eq!(tree.find(ROOT, OsStr::new("log.new")), Err(Refusal::Missing));
    assert!(tree.node(old).is_err());
}

#[test]
fn lying_medium_makes_nothing_durable_and_a_dead_one_answers_nothing() {
    for (honesty, durable) in [(Honesty::Honest, true), (Honesty::Lying, false)] {
        let medium = Medium::new(honesty);
        let file = medium
            .with(|tree| {
                let owner = Owner { uid: 0, gid: 0, mode: 0o600 };
                let node = (Kind::File(Contents::default()), owner);
                tree.make((ROOT, OsStr::new("log")), node, SystemTime::UNIX_EPOCH)
            })
            .unwrap();
        let write = |contents: &mut Contents| contents.write(0, &vec![7; 64 * PAGE_BYTES]);
        medium.with(|tree| tree.with_contents(file, write)).unwrap();
        medium.flush(file).unwrap();
        medium.pull_plug();
        assert_eq!(medium.flush(file), Err(Refusal::Dead));
        let toll = medium.lose_power(&mut coin(3));
        assert_eq!(toll.lost_count == 0, durable, "{honesty:?}: {toll:?}");
    }
}

/// Through the kernel: what the node, PostgreSQL and Redis do to make a write durable.
#[test]
fn mounted_filesystem_loses_what_was_not_flushed_and_nothing_else() {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut volatile = match Volatile::mount(folder.path(), Honesty::Honest) {
        Ok(volatile) => volatile,
        Err(why) => {
            writeln!(std::io::stderr(), "skipped: no FUSE filesystem here: {why:#}").unwrap();
            return;
        }
    };
    let path = |name: &str| folder.path().join(name);
    let block = vec![2; PAGES_COUNT * PAGE_BYTES];
    let names = ["unflushed", "flushed", "synchronous"];
    for name in names {
        fs::write(path(name), vec![1; block.len()]).unwrap();
    }
    volatile.settle();
    let open = |name: &str, flags| {
        OpenOptions::new().read(true).write(true).custom_flags(flags).open(path(name)).unwrap()
    };
    open("unflushed", 0).write_all_at(&block, 0).unwrap();
    let flushed = open("flushed", 0);
    flushed.write_all_at(&block, 0).unwrap();
    flushed.sync_data().unwrap();
    open("synchronous", libc::O_DSYNC).write_all_at(&block, 0).unwrap();
    fs::rename(path("flushed"), path("renamed")).unwrap();
    drop(flushed);
    volatile.pull_plug();
    assert!(fs::write(path("later"), b"").is_err(), "written without power");
    volatile.lose_power(&mut coin(5)).unwrap();
    let read = |name: &str| {
        let mut bytes = Vec::new();
        open(name, 0).read_to_end(&mut bytes).unwrap();
        bytes.chunks(PAGE_BYTES).map(|page| page[0]).collect::<Vec<_>>()
    };
    assert!(read("renamed").iter().all(|byte| *byte == 2));
    assert!(read("synchronous").iter().all(|byte| *byte == 2));
    let torn = read("unflushed");
    assert!(torn.contains(&1) && torn.contains(&2), "{torn:?}");
    assert!(!path("later").exists());
}
