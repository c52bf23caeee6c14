//! Reading blocks beside the cores, past the page cache.
//!
//! A page that the cache holds makes the kernel hand a core's direct write to a worker thread, so
//! what follows the log reads directly as well: aligned, into one buffer that is kept. Where the
//! file system has no direct reads (a memory file system), it reads as everybody does.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use claw_common::limits::{BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX};

/// Room for one block of any size, aligned for direct reads.
#[derive(Debug)]
pub(super) struct BlockBuffer {
    bytes: Vec<u8>,
    front: usize,
}

impl BlockBuffer {
    pub(super) fn new() -> Self {
        let bytes = vec![0; BLOCK_BYTES_MAX + BLOCK_ALIGN_BYTES];
        let front = bytes.as_ptr().align_offset(BLOCK_ALIGN_BYTES);
        Self { bytes, front }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.front..self.front + BLOCK_BYTES_MAX]
    }

    /// Reads `range` of what begins at `offset`, both aligned; a short file leaves zeros.
    pub(super) fn read(
        &mut self,
        file: &File,
        offset: u64,
        range: std::ops::Range<usize>,
    ) -> io::Result<()> {
        let (start, front) = (range.start, self.front);
        let target = &mut self.bytes[front + start..front + range.end];
        let offset = offset + u64::try_from(start).unwrap_or(0);
        let mut done = 0;
        while done < target.len() {
            let at = offset + u64::try_from(done).unwrap_or(0);
            match file.read_at(&mut target[done..], at) {
                Ok(0) => {
                    target[done..].fill(0);
                    break;
                }
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Opens a segment for direct reads where there are any.
pub(super) fn open_direct(path: &Path) -> io::Result<File> {
    let direct = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path);
    match direct {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => File::open(path),
        other => other,
    }
}
