//! The folder of a file log: its lock and its segments.
//!
//! Owns what is done rarely and may block: opening, making segments ahead of need.
//! Shared by all cores and the housekeeping thread; a core's own part is a `FileDevice`.
//!
//! ```text
//!  DIR/                               locked with flock while a process has it
//!    stream-00.superblock             4 copies of 4096 bytes, written in turn
//!    stream-00-segment-000000.log     pre-written with zeros: a write changes no metadata
//!    stream-00-segment-000001.log
//! ```
//! Invariants: a segment has its name only once all its bytes are written and flushed; opening
//! flushes everything before anything is read, so that what recovery sees stays.
//!
//! Deliberately absent: superblocks (see `superblock`), and which segments are free (recovery and
//! the archive know).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use claw_common::limits::{BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX};
use claw_core::log::{parse_segment_file_name, parse_superblock_file_name, segment_file_name};

use super::device::{CachePath, DeviceInfo, FlushMode};
use super::pace::{PIECE_BYTES, Pause, at_once};
use super::{DeviceUrl, LogError};

/// A piece of a new segment, aligned for writes around the page cache.
#[repr(align(4096))]
struct Zeros([u8; PIECE_BYTES]);
static ZEROS: Zeros = Zeros([0; PIECE_BYTES]);
/// Where the system does not say what it writes whole.
const LOGICAL_BLOCK_BYTES_DEFAULT: u32 = 4096;

/// The folder of a log, open and locked.
#[derive(Debug)]
pub struct FileStore {
    url: DeviceUrl,
    segment_bytes: u64,
    cache_path: CachePath,
    logical_block_bytes: u32,
    /// Holds the lock.
    folder: File,
}

/// A segment that is ready to be written.
#[derive(Debug)]
pub struct PreparedSegment {
    pub(super) segment: u32,
    pub(super) file: File,
}

impl PreparedSegment {
    /// Its number.
    pub fn segment(&self) -> u32 {
        self.segment
    }
}

impl FileStore {
    /// Makes the folder if there is none, locks it, and flushes all it holds.
    pub fn open(url: DeviceUrl, segment_bytes: u64) -> Result<Self, LogError> {
        assert!(segment_bytes.is_multiple_of(align_bytes()));
        assert!(segment_bytes >= u64::try_from(BLOCK_BYTES_MAX).expect("fits"));
        let path = &url.folder;
        fs::create_dir_all(path).map_err(LogError::file("creating the folder", path))?;
        let folder = File::open(path).map_err(LogError::file("opening the folder", path))?;
        lock(&folder, path)?;
        remove_unfinished(path)?;
        flush_all(path)?;
        let (cache_path, logical_block_bytes) = examine(path)?;
        Ok(Self { url, segment_bytes, cache_path, logical_block_bytes, folder })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.url.folder
    }

    /// As given on the command line.
    pub fn url(&self) -> &DeviceUrl {
        &self.url
    }

    /// What a device on this store says of itself.
    pub fn info(&self, flush: FlushMode) -> DeviceInfo {
        DeviceInfo {
            url: self.url.to_string(),
            logical_block_bytes: self.logical_block_bytes,
            segment_bytes: self.segment_bytes,
            cache_path: self.cache_path,
            flush,
        }
    }

    /// The streams that have a superblock, in order.
    pub fn streams(&self) -> Result<Vec<u16>, LogError> {
        let mut streams: Vec<u16> =
            self.file_names()?.iter().filter_map(|name| parse_superblock_file_name(name)).collect();
        streams.sort_unstable();
        Ok(streams)
    }

    /// The segments of a stream, in the order of their numbers.
    pub fn segments(&self, stream: u16) -> Result<Vec<u32>, LogError> {
        let mut segments: Vec<u32> = self
            .file_names()?
            .iter()
            .filter_map(|name| parse_segment_file_name(name))
            .filter(|(of, _)| *of == stream)
            .map(|(_, segment)| segment)
            .collect();
        segments.sort_unstable();
        Ok(segments)
    }

    /// Where a segment lies, for mapping it.
    pub fn segment_path(&self, stream: u16, segment: u32) -> PathBuf {
        self.path().join(segment_file_name(stream, segment))
    }

    /// Makes a new segment: every byte written and flushed, then named. Takes as long as the
    /// device needs for it and `pause` lets it, so not for a core that serves.
    pub fn create_segment(
        &self,
        stream: u16,
        segment: u32,
        pause: Pause<'_>,
    ) -> Result<PreparedSegment, LogError> {
        let path = self.segment_path(stream, segment);
        let unfinished = path.with_extension(UNFINISHED);
        write_zeros(&unfinished, self.segment_bytes, self.cache_path, pause)
            .map_err(LogError::file("writing the new segment", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(LogError::file("naming the segment", &path))?;
        self.flush_folder()?;
        self.open_segment(stream, segment)
    }

    /// Opens a segment that exists, to go on in it or to use it again. Its bytes stay: whoever
    /// reads tells older blocks by their generation.
    pub fn open_segment(&self, stream: u16, segment: u32) -> Result<PreparedSegment, LogError> {
        let path = self.segment_path(stream, segment);
        let file = open_for_writing(&path, self.cache_path)
            .map_err(LogError::file("opening the segment", &path))?;
        let found_bytes =
            file.metadata().map_err(LogError::file("examining the segment", &path))?.len();
        if found_bytes != self.segment_bytes {
            return Err(LogError::SegmentSize {
                path,
                found_bytes,
                expected_bytes: self.segment_bytes,
            });
        }
        Ok(PreparedSegment { segment, file })
    }

    /// How files of this store are written.
    pub(super) fn cache_path(&self) -> CachePath {
        self.cache_path
    }

    fn flush_folder(&self) -> Result<(), LogError> {
        self.folder.sync_all().map_err(LogError::file("flushing the folder", self.path()))
    }

    fn file_names(&self) -> Result<Vec<String>, LogError> {
        list(self.path())
    }
}

const UNFINISHED: &str = "unfinished";

fn align_bytes() -> u64 {
    u64::try_from(BLOCK_ALIGN_BYTES).expect("fits")
}

fn lock(folder: &File, path: &Path) -> Result<(), LogError> {
    match folder.try_lock() {
        Ok(()) => Ok(()),
        Err(fs::TryLockError::WouldBlock) => Err(LogError::Locked { path: path.into() }),
        Err(fs::TryLockError::Error(error)) => {
            Err(LogError::file("locking the folder", path)(error))
        }
    }
}

fn list(path: &Path) -> Result<Vec<String>, LogError> {
    let failed = || LogError::file("listing the folder", path);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed())? {
        let name = entry.map_err(failed())?.file_name();
        names.extend(name.into_string());
    }
    Ok(names)
}

/// What a crash left half made was never used.
fn remove_unfinished(path: &Path) -> Result<(), LogError> {
    for name in list(path)? {
        let file = path.join(name);
        if file.extension().is_some_and(|end| end == UNFINISHED) {
            fs::remove_file(&file).map_err(LogError::file("removing the file", &file))?;
        }
    }
    Ok(())
}

/// Makes everything durable that a process before us may have left in a cache.
fn flush_all(path: &Path) -> Result<(), LogError> {
    for name in list(path)? {
        let ours =
            parse_segment_file_name(&name).is_some() || parse_superblock_file_name(&name).is_some();
        if ours {
            let file = path.join(name);
            File::open(&file)
                .and_then(|open| open.sync_all())
                .map_err(LogError::file("flushing", file))?;
        }
    }
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(LogError::file("flushing the folder", path))
}

/// Finds out how files in the folder can be written.
fn examine(path: &Path) -> Result<(CachePath, u32), LogError> {
    let trial = path.join("examine").with_extension(UNFINISHED);
    let failed = || LogError::file("examining the folder with the file", &trial);
    write_zeros(&trial, align_bytes(), CachePath::PageCache, &mut at_once).map_err(failed())?;
    let cache_path = match open_for_writing(&trial, CachePath::Direct) {
        Ok(file) if is_direct(&file).map_err(failed())? => CachePath::Direct,
        Ok(_) => CachePath::PageCache,
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => CachePath::PageCache,
        Err(error) => return Err(failed()(error)),
    };
    let file = File::open(&trial).map_err(failed())?;
    let logical_block_bytes = direct_align_bytes(&file).unwrap_or(LOGICAL_BLOCK_BYTES_DEFAULT);
    fs::remove_file(&trial).map_err(failed())?;
    Ok((cache_path, logical_block_bytes))
}

/// Opens a file for writing at offsets, around the page cache where that is asked for.
pub(super) fn open_for_writing(path: &Path, cache_path: CachePath) -> io::Result<File> {
    let flags = match cache_path {
        CachePath::Direct => libc::O_DIRECT,
        CachePath::PageCache => 0,
    };
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
}

/// Whether the flag is set, and not only asked for.
fn is_direct(file: &File) -> io::Result<bool> {
    // SAFETY: no pointers, and the descriptor is open.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(flags & libc::O_DIRECT != 0)
}

/// The offset alignment that direct writes need, where the filesystem says so.
fn direct_align_bytes(file: &File) -> Option<u32> {
    let mut facts = std::mem::MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: an empty path with AT_EMPTY_PATH means the descriptor; the result has room.
    let answer = unsafe {
        libc::statx(
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            libc::STATX_DIOALIGN,
            facts.as_mut_ptr(),
        )
    };
    if answer < 0 {
        return None;
    }
    // SAFETY: zeroed is valid for a struct of integers, and the kernel filled it.
    let facts = unsafe { facts.assume_init() };
    let known = facts.stx_mask & libc::STATX_DIOALIGN != 0 && facts.stx_dio_offset_align > 0;
    known.then_some(facts.stx_dio_offset_align)
}

/// A file of zeros that is really written, so that no later write changes metadata. Around the page
/// cache where it may be: the zeros are copied nowhere, and no flush finds more than a piece.
pub(super) fn write_zeros(
    path: &Path,
    size_bytes: u64,
    cache_path: CachePath,
    pause: Pause<'_>,
) -> io::Result<()> {
    File::create(path)?;
    let file = open_for_writing(path, cache_path)?;
    let mut at = 0;
    while at < size_bytes {
        let left_bytes = usize::try_from(size_bytes - at).unwrap_or(PIECE_BYTES);
        let piece = &ZEROS.0[..left_bytes.min(PIECE_BYTES)];
        let start = Instant::now();
        file.write_all_at(piece, at)?;
        if cache_path == CachePath::PageCache {
            // Around the page cache, commits flush what the device itself keeps.
            file.sync_data()?;
        }
        at += u64::try_from(piece.len()).expect("a piece's length");
        pause(start.elapsed());
    }
    file.sync_all()
}
