//! Superblocks on files: made when a store is formatted, replaced copy by copy afterwards.
//!
//! Owns the order of those writes: each is durable before the function returns, and what changes
//! meaning (a raised epoch) is written to two copies, so that the loss of one is no loss.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use claw_core::log::{SUPERBLOCKS_BYTES, StoreShape, Superblock, superblock_file_name};

use super::pace::{leave_half, write_durably};
use super::read_error::ReadError;

/// Makes the superblocks of streams `from..count`, in order; nothing may be there yet.
pub fn format_streams(
    data: &Path,
    shape: StoreShape,
    streams: std::ops::Range<u16>,
) -> Result<Vec<Superblock>, ReadError> {
    fs::create_dir_all(data).map_err(ReadError::file("create", data))?;
    streams.map(|stream| format_stream(data, shape, stream)).collect()
}

fn format_stream(data: &Path, shape: StoreShape, stream: u16) -> Result<Superblock, ReadError> {
    let path = data.join(superblock_file_name(stream));
    let superblock = Superblock::format(shape, stream);
    let mut copies = vec![0; SUPERBLOCKS_BYTES];
    let at = superblock.offset();
    let encoded = superblock.encode();
    copies[at..at + encoded.len()].copy_from_slice(&encoded);
    write_new(&path, &[&copies])?;
    Ok(superblock)
}

/// Writes a superblock over the oldest copy and waits until it is durable.
pub fn write_superblock(data: &Path, superblock: &Superblock) -> Result<(), ReadError> {
    let path = data.join(superblock_file_name(superblock.stream));
    let file = OpenOptions::new().write(true).open(&path);
    let file = file.map_err(ReadError::file("open", &path))?;
    let at = u64::try_from(superblock.offset()).expect("within a few pages");
    file.write_all_at(&superblock.encode(), at).map_err(ReadError::file("write", &path))?;
    file.sync_all().map_err(ReadError::file("flush", &path))
}

/// [`write_superblock`], twice; returns what is the newest now.
pub fn write_superblock_twice(
    data: &Path,
    superblock: &Superblock,
) -> Result<Superblock, ReadError> {
    write_superblock(data, superblock)?;
    let again = superblock.again();
    write_superblock(data, &again)?;
    Ok(again)
}

/// Writes a whole file under a temporary name, makes it durable, then gives it its name: a crash
/// leaves the old state or the new one. A large one leaves the device to commits between pieces.
pub(super) fn write_new(path: &Path, parts: &[&[u8]]) -> Result<(), ReadError> {
    let temporary = temporary_name(path);
    let file = File::create(&temporary).map_err(ReadError::file("create", &temporary))?;
    let mut at = 0;
    for part in parts {
        write_durably(&file, part, at, &mut leave_half)
            .map_err(ReadError::file("write", &temporary))?;
        at += u64::try_from(part.len()).expect("a length in memory");
    }
    file.sync_all().map_err(ReadError::file("flush", &temporary))?;
    fs::rename(&temporary, path).map_err(ReadError::file("name", path))?;
    sync_directory(path)
}

fn temporary_name(path: &Path) -> PathBuf {
    path.with_extension("tmp")
}

fn sync_directory(file: &Path) -> Result<(), ReadError> {
    let directory = file.parent().unwrap_or_else(|| Path::new("."));
    let opened = File::open(directory).map_err(ReadError::file("open", directory))?;
    opened.sync_all().map_err(ReadError::file("flush", directory))
}
