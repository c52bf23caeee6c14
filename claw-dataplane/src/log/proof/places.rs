//! Where a shard's blocks lie: one entry a block, in the order of its records.
//!
//! ```text
//!  shard-000.places = n x 32 bytes, little-endian
//!  | first record u64 | generation u64 | segment u32 | offset u32 | stream u16 | 0 u16 | CRC32C |
//! ```
//! The checksum covers the 28 bytes before it. An archived segment is found by its generation, a
//! live one by its number; offsets are the same in both.

use std::fs::{File, OpenOptions};
use std::mem::size_of;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use claw_common::checksum::crc32c;
use claw_common::id::ShardId;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::log::ReadError;

const ENTRY_BYTES: usize = size_of::<Entry>();
const CHECKED_BYTES: usize = ENTRY_BYTES - size_of::<U32>();
/// Pending entries are written once there are so many.
const PENDING_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Entry {
    first: U64,
    generation: U64,
    segment: U32,
    offset: U32,
    stream: U16,
    reserved: U16,
    check: U32,
}

const _: () = assert!(ENTRY_BYTES == 32);

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockAt {
    /// The shard's first record in it.
    pub first: u64,
    /// Its stream.
    pub stream: u16,
    /// Its segment while that is live.
    pub segment: u32,
    /// The segment's generation, which the archive knows it by.
    pub generation: u64,
    /// Byte offset in the segment.
    pub offset: u32,
}

/// Where a shard's places are.
pub fn places_path(proofs: &Path, shard: ShardId) -> PathBuf {
    proofs.join(format!("shard-{:03}.places", shard.0))
}

/// See the module.
#[derive(Debug)]
pub struct PlacesFile {
    file: File,
    path: PathBuf,
    count: u64,
    pending: Vec<u8>,
}

impl PlacesFile {
    /// Opens or makes the file for the blocks of the first `size` records; `None` when it does not
    /// reach there.
    pub fn open(proofs: &Path, shard: ShardId, size: u64) -> Result<Option<Self>, ReadError> {
        let mut places = Self::at(proofs, shard, false)?;
        let length =
            places.file.metadata().map_err(ReadError::file("measure", &places.path))?.len();
        places.count = length / u64::try_from(ENTRY_BYTES).unwrap_or(1);
        places.count = places.partition(size);
        if size > 0 && (places.count == 0 || places.entry(0).is_none_or(|first| first.first != 1)) {
            return Ok(None);
        }
        let kept = places.count * u64::try_from(ENTRY_BYTES).unwrap_or(1);
        places.file.set_len(kept).map_err(ReadError::file("cut", &places.path))?;
        Ok(Some(places))
    }

    /// Begins anew.
    pub fn create(proofs: &Path, shard: ShardId) -> Result<Self, ReadError> {
        Self::at(proofs, shard, true)
    }

    fn at(proofs: &Path, shard: ShardId, truncate: bool) -> Result<Self, ReadError> {
        let path = places_path(proofs, shard);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(truncate).open(&path);
        let file = opened.map_err(ReadError::file("open", &path))?;
        Ok(Self { file, path, count: 0, pending: Vec::new() })
    }

    /// Adds a block.
    pub fn append(&mut self, at: &BlockAt) -> Result<(), ReadError> {
        let mut entry = Entry {
            first: at.first.into(),
            generation: at.generation.into(),
            segment: at.segment.into(),
            offset: at.offset.into(),
            stream: at.stream.into(),
            reserved: 0.into(),
            check: 0.into(),
        };
        entry.check = crc32c(&entry.as_bytes()[..CHECKED_BYTES]).into();
        self.pending.extend_from_slice(entry.as_bytes());
        if self.pending.len() >= PENDING_BYTES_MAX { self.write() } else { Ok(()) }
    }

    /// Writes what is pending.
    fn write(&mut self) -> Result<(), ReadError> {
        let entry_bytes = u64::try_from(ENTRY_BYTES).unwrap_or(1);
        let written = self.file.write_all_at(&self.pending, self.count * entry_bytes);
        written.map_err(ReadError::file("write", &self.path))?;
        self.count += u64::try_from(self.pending.len()).unwrap_or(0) / entry_bytes;
        self.pending.clear();
        Ok(())
    }

    /// Makes all of it durable.
    pub fn flush(&mut self) -> Result<(), ReadError> {
        self.write()?;
        self.file.sync_data().map_err(ReadError::file("flush", &self.path))
    }

    /// The block that holds a record, if any does.
    pub fn find(&self, sequence: u64) -> Option<BlockAt> {
        self.entry(self.partition(sequence).checked_sub(1)?)
    }

    /// How many entries begin at or before `sequence`. A damaged entry counts as beyond.
    fn partition(&self, sequence: u64) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.entry(middle).is_some_and(|entry| entry.first <= sequence) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn entry(&self, number: u64) -> Option<BlockAt> {
        let mut bytes = [0; ENTRY_BYTES];
        let offset = number * u64::try_from(ENTRY_BYTES).unwrap_or(1);
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        let entry = Entry::read_from_bytes(&bytes).ok()?;
        (entry.check.get() == crc32c(&bytes[..CHECKED_BYTES])).then_some(BlockAt {
            first: entry.first.get(),
            stream: entry.stream.get(),
            segment: entry.segment.get(),
            generation: entry.generation.get(),
            offset: entry.offset.get(),
        })
    }
}
