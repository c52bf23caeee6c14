//! Reads one block of the log by its place, live or archived.

use std::fs::File;
use std::io;
use std::path::Path;

use claw_common::limits::{BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX};
use claw_core::log::{BlockView, archive_file_name, peek_header, segment_file_name};

use super::aligned::{BlockBuffer, open_direct};
use super::places::BlockAt;
use crate::log::{LogPaths, ReadError};

/// Keeps the buffer it reads into.
#[derive(Debug)]
pub(super) struct BlockReader {
    paths: LogPaths,
    buffer: BlockBuffer,
}

impl BlockReader {
    pub(super) fn new(paths: LogPaths) -> Self {
        Self { paths, buffer: BlockBuffer::new() }
    }

    /// The block at a place; `None` when its segment holds something else by now and no archive has
    /// it, or when it fails its checks.
    pub(super) fn read(&mut self, at: &BlockAt) -> Result<Option<BlockView<'_>>, ReadError> {
        let live = self.paths.data.join(segment_file_name(at.stream, at.segment));
        let archived = self.paths.archive.join(archive_file_name(at.stream, at.generation));
        if !self.read_from(&live, at)? && !self.read_from(&archived, at)? {
            return Ok(None);
        }
        Ok(BlockView::parse(self.buffer.bytes()).ok())
    }

    fn read_from(&mut self, path: &Path, at: &BlockAt) -> Result<bool, ReadError> {
        let file: File = match open_direct(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(ReadError::file("open", path)(error)),
        };
        let offset = u64::from(at.offset);
        let failed = || ReadError::file("read", path);
        self.buffer.read(&file, offset, 0..BLOCK_ALIGN_BYTES).map_err(failed())?;
        let Some(header) = peek_header(self.buffer.bytes()) else { return Ok(false) };
        let size_bytes = usize::try_from(header.size_bytes.get()).unwrap_or(0);
        let ours = header.stream.get() == at.stream
            && header.segment_generation.get() == at.generation
            && header.shard_sequence.get() == at.first
            && (BLOCK_ALIGN_BYTES..=BLOCK_BYTES_MAX).contains(&size_bytes)
            && size_bytes.is_multiple_of(BLOCK_ALIGN_BYTES);
        if ours {
            self.buffer.read(&file, offset, BLOCK_ALIGN_BYTES..size_bytes).map_err(failed())?;
        }
        Ok(ours)
    }
}
