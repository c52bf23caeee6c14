//! Registered writes and flushes.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::super::{Completion, PostSource, SyncRequest, WriteDurability, WriteRequest};
use super::{next, small_ring};
use crate::buffer::{Arena, ArenaShape};

fn file_of(size_bytes: usize) -> (tempfile::NamedTempFile, Rc<OwnedFd>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&vec![0; size_bytes]).unwrap();
    let fd = Rc::new(OwnedFd::from(file.reopen().unwrap()));
    (file, fd)
}

#[test]
fn every_durability_writes_the_block_and_returns_the_slot() {
    let mut ring = small_ring();
    let (arena, mut slots) = Arena::map(ArenaShape { slots_count: 3, slot_bytes: 8192 }).unwrap();
    ring.register_arena(&arena).unwrap();
    let (file, fd) = file_of(3 * 8192);
    let durabilities =
        [WriteDurability::Accepted, WriteDurability::DataSync, WriteDurability::LinkedSync];
    for (token, durability) in (0_u64..).zip(durabilities) {
        let mut slot = slots.pop().unwrap().fill();
        slot.bytes_mut().fill(u8::try_from(token).unwrap() + b'a');
        ring.write(WriteRequest {
            file: Rc::clone(&fd),
            offset_bytes: token * 8192,
            slot: slot.seal(8192),
            durability,
            token,
        })
        .unwrap();
    }
    for _ in durabilities {
        let Completion::Written { slot, result, .. } = next(&mut ring) else {
            panic!("only writes are in flight");
        };
        assert_eq!(result.unwrap(), 8192);
        slots.push(slot);
    }
    let mut written = Vec::new();
    File::open(file.path()).unwrap().read_to_end(&mut written).unwrap();
    for (block, letter) in written.chunks(8192).zip(b'a'..) {
        assert!(block.iter().all(|byte| *byte == letter));
    }
    assert_eq!(slots.len(), 3);
}

#[test]
fn failed_write_with_linked_flush_is_reported_once_with_its_error() {
    let mut ring = small_ring();
    let (arena, mut slots) = Arena::map(ArenaShape { slots_count: 1, slot_bytes: 4096 }).unwrap();
    ring.register_arena(&arena).unwrap();
    let (file, _) = file_of(4096);
    let read_only = Rc::new(OwnedFd::from(File::open(file.path()).unwrap()));
    ring.write(WriteRequest {
        file: read_only,
        offset_bytes: 0,
        slot: slots.remove(0).fill().seal(4096),
        durability: WriteDurability::LinkedSync,
        token: 9,
    })
    .unwrap();
    let Completion::Written { token, result, .. } = next(&mut ring) else {
        panic!("a write is reported");
    };
    assert_eq!(token, 9);
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EBADF));
    ring.post(PostSource::Node, 1).unwrap();
    assert!(matches!(next(&mut ring), Completion::Posted { payload: 1, .. }));
}

#[test]
fn flush_alone_is_reported() {
    let mut ring = small_ring();
    let (_file, fd) = file_of(4096);
    ring.sync(SyncRequest { file: fd, token: 5 }).unwrap();
    let Completion::Synced { token, result } = next(&mut ring) else {
        panic!("a flush is reported");
    };
    assert_eq!(token, 5);
    result.unwrap();
}

#[test]
#[should_panic(expected = "the slot is of this ring")]
fn slot_of_another_arena_is_our_mistake() {
    let mut ring = small_ring();
    let shape = ArenaShape { slots_count: 1, slot_bytes: 4096 };
    let (arena, _slots) = Arena::map(shape).unwrap();
    ring.register_arena(&arena).unwrap();
    let (_other, mut others) = Arena::map(shape).unwrap();
    let (_file, fd) = file_of(4096);
    drop(ring.write(WriteRequest {
        file: fd,
        offset_bytes: 0,
        slot: others.remove(0).fill().seal(4096),
        durability: WriteDurability::Accepted,
        token: 0,
    }));
}
