//! Files and block devices on the ring: registered writes, and flushes.
//!
//! Owns the slot and the file of every write in flight. A write is reported once, with its flush:
//! whether that is `RWF_DSYNC` or a linked flush is the caller's choice (see `log::probe`).
//! Does not judge results: a short write is reported as it is.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;

use io_uring::types::{Fd, FsyncFlags};
use io_uring::{opcode, squeue};

use super::completion::Completion;
use super::core_ring::RawCompletion;
use super::user_data::{Key, Kind, UserData};
use super::{CoreRing, RingError};
use crate::buffer::InFlightSlot;

/// The index of the one registered buffer.
const ARENA_INDEX: u16 = 0;

/// When a write counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteDurability {
    /// When the device has answered: its volatile cache may still hold the bytes.
    Accepted,
    /// When the bytes are durable, by `RWF_DSYNC` on the write.
    DataSync,
    /// When the bytes are durable, by a flush linked behind the write.
    LinkedSync,
}

/// A block to be written.
#[derive(Debug)]
pub struct WriteRequest {
    /// Where to.
    pub file: Rc<OwnedFd>,
    /// Where in the file.
    pub offset_bytes: u64,
    /// The block; its slot must be of the registered arena.
    pub slot: InFlightSlot,
    /// When it is done.
    pub durability: WriteDurability,
    /// Comes back with the completion.
    pub token: u64,
}

/// A flush of everything written before.
#[derive(Debug)]
pub struct SyncRequest {
    /// Of what.
    pub file: Rc<OwnedFd>,
    /// Comes back with the completion.
    pub token: u64,
}

/// What the kernel is doing to a file for us.
#[derive(Debug)]
pub(super) enum FileOperation {
    Sync {
        _file: Rc<OwnedFd>,
        token: u64,
    },
    Write {
        _file: Rc<OwnedFd>,
        slot: InFlightSlot,
        token: u64,
        /// Completions still to come: two with a linked flush.
        expected_count: u8,
        /// What is known so far.
        result: io::Result<u32>,
    },
}

impl CoreRing {
    /// Writes a block from the registered arena; `Written` gives the slot back.
    pub fn write(&mut self, request: WriteRequest) -> Result<(), RingError> {
        let arena = self.arena.as_ref().expect("an arena is registered");
        assert!(request.slot.lies_in(arena), "the slot is of this ring");
        let linked = request.durability == WriteDurability::LinkedSync;
        let fd = Fd(request.file.as_raw_fd());
        let write = write_entry(&request);
        let key = self.file_operations.insert(FileOperation::Write {
            _file: request.file,
            slot: request.slot,
            token: request.token,
            expected_count: if linked { 2 } else { 1 },
            result: Ok(0),
        })?;
        let write = write.user_data(UserData::pack(Kind::Write, key).bits());
        if !linked {
            // SAFETY: slot and file stay in the table until the completion.
            return unsafe { self.push(&write) };
        }
        let sync = opcode::Fsync::new(fd)
            .flags(FsyncFlags::DATASYNC)
            .build()
            .user_data(UserData::pack(Kind::WriteSync, key).bits());
        // SAFETY: slot and file stay in the table until both completions.
        unsafe { self.push_pair(&[write.flags(squeue::Flags::IO_LINK), sync]) }
    }

    /// Flushes a file's data; `Synced` tells how it went.
    pub fn sync(&mut self, request: SyncRequest) -> Result<(), RingError> {
        let fd = Fd(request.file.as_raw_fd());
        let key = self
            .file_operations
            .insert(FileOperation::Sync { _file: request.file, token: request.token })?;
        let entry = opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build();
        // SAFETY: no pointers; the file stays in the table until the completion.
        unsafe { self.push(&entry.user_data(UserData::pack(Kind::Sync, key).bits())) }
    }

    pub(super) fn complete_sync(&mut self, key: Key, raw: RawCompletion) -> Completion {
        let Some(FileOperation::Sync { token, .. }) = self.file_operations.remove(key) else {
            unreachable!("a flush is owned until it completes");
        };
        Completion::Synced { token, result: raw.io_result().map(drop) }
    }

    pub(super) fn complete_write(&mut self, key: Key, raw: RawCompletion) -> Option<Completion> {
        self.settle_write(key, |result, _asked| *result = raw.io_result())
    }

    pub(super) fn complete_write_sync(
        &mut self,
        key: Key,
        raw: RawCompletion,
    ) -> Option<Completion> {
        self.settle_write(key, |result, asked| {
            // A failed or short write cancels its flush, and is the better explanation.
            let written = matches!(result, Ok(count) if *count == asked);
            if let Err(error) = raw.io_result()
                && written
            {
                *result = Err(error);
            }
        })
    }

    fn settle_write(
        &mut self,
        key: Key,
        learn: impl FnOnce(&mut io::Result<u32>, u32),
    ) -> Option<Completion> {
        let Some(FileOperation::Write { slot, expected_count, result, .. }) =
            self.file_operations.find_mut(key)
        else {
            unreachable!("a write is owned until it completes");
        };
        let asked = u32::try_from(slot.bytes().len()).expect("a block fits 32 bits");
        learn(result, asked);
        *expected_count -= 1;
        if *expected_count > 0 {
            return None;
        }
        let Some(FileOperation::Write { slot, token, result, .. }) =
            self.file_operations.remove(key)
        else {
            unreachable!("found above");
        };
        Some(Completion::Written { token, slot: slot.complete(), result })
    }
}

fn write_entry(request: &WriteRequest) -> squeue::Entry {
    let bytes = request.slot.bytes();
    let length = u32::try_from(bytes.len()).expect("a block fits 32 bits");
    let flags = match request.durability {
        WriteDurability::DataSync => libc::RWF_DSYNC,
        WriteDurability::Accepted | WriteDurability::LinkedSync => 0,
    };
    opcode::WriteFixed::new(Fd(request.file.as_raw_fd()), bytes.as_ptr(), length, ARENA_INDEX)
        .offset(request.offset_bytes)
        .rw_flags(flags)
        .build()
}
