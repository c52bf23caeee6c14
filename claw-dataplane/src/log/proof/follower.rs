//! Follows one stream of a running node, block by block, from where recovery ended.
//!
//! Reads what lies behind the last block it took: the next one is there when its number, its
//! generation and the hash it names fit. Whether a block is durable is not seen here: the caller
//! knows the shards' published positions, looks ([`Follower::peek`]) and takes
//! ([`Follower::advance`]) only what lies below them. Changes nothing.

use std::fs::File;
use std::path::PathBuf;

use claw_common::checksum::Digest;
use claw_common::limits::{BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX};
use claw_core::log::{
    BlockView, StreamTail, parse_segment_file_name, peek_header, segment_file_name,
};

use super::aligned::{BlockBuffer, open_direct};
use super::places::BlockAt;
use crate::log::ReadError;
use crate::log::reader::list;

/// Where following begins.
#[derive(Clone, Debug)]
pub struct FollowerStart {
    /// The data folder.
    pub data: PathBuf,
    /// Which stream.
    pub stream: u16,
    /// Its last block.
    pub last_sequence: u64,
    /// Its hash.
    pub last_hash: Digest,
    /// Segment and byte offset where the next block goes when it fits.
    pub next: Option<(u32, u64)>,
}

impl FollowerStart {
    /// Behind what recovery found.
    pub fn behind(data: PathBuf, tail: &StreamTail) -> Self {
        let offset = |place: &claw_core::log::BlockPlace| u64::try_from(place.offset).unwrap_or(0);
        Self {
            data,
            stream: tail.superblock.stream,
            last_sequence: tail.last_sequence,
            last_hash: tail.last_hash,
            next: tail.next.as_ref().map(|place| (place.segment, offset(place))),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Follower {
    start: FollowerStart,
    open: Option<(u32, File)>,
    buffer: BlockBuffer,
    /// The buffer holds the next block, and it passed its checks.
    found: bool,
}

impl Follower {
    /// Takes its place.
    pub fn new(start: FollowerStart) -> Self {
        Self { start, open: None, buffer: BlockBuffer::new(), found: false }
    }

    /// The next block, when it is there and whole.
    pub fn peek(&mut self) -> Result<Option<BlockView<'_>>, ReadError> {
        if !self.found {
            self.found = self.read_next()?;
        }
        if !self.found {
            return Ok(None);
        }
        Ok(BlockView::reread(self.buffer.bytes()).ok())
    }

    /// Where the block lies that was looked at last.
    pub fn place(&self) -> Option<BlockAt> {
        let (segment, offset) = self.start.next.filter(|_| self.found)?;
        let header = peek_header(self.buffer.bytes())?;
        Some(BlockAt {
            first: header.shard_sequence.get(),
            stream: self.start.stream,
            segment,
            generation: header.segment_generation.get(),
            offset: u32::try_from(offset).ok()?,
        })
    }

    /// Goes on behind the block that was looked at.
    pub fn advance(&mut self) {
        assert!(self.found, "only what was looked at can be taken");
        self.found = false;
        let header = peek_header(self.buffer.bytes()).expect("it was just read");
        let (segment, offset) = self.start.next.expect("it was found there");
        self.start.next = Some((segment, offset + u64::from(header.size_bytes.get())));
        self.start.last_sequence = header.stream_sequence.get();
        self.start.last_hash = header.hash;
    }

    fn read_next(&mut self) -> Result<bool, ReadError> {
        if let Some((segment, offset)) = self.start.next
            && self.read_at(segment, offset)?
        {
            return Ok(true);
        }
        // It did not fit there: another segment begins with it.
        for (_, name) in list(&self.start.data)? {
            let Some((stream, segment)) = parse_segment_file_name(&name) else { continue };
            let tried = self.start.next == Some((segment, 0));
            if stream == self.start.stream && !tried && self.read_at(segment, 0)? {
                self.start.next = Some((segment, 0));
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads a block that follows the last one; `false` when something else, or half of it, is
    /// there.
    fn read_at(&mut self, segment: u32, offset: u64) -> Result<bool, ReadError> {
        let path = self.start.data.join(segment_file_name(self.start.stream, segment));
        if self.open.as_ref().is_none_or(|(open, _)| *open != segment) {
            let file = open_direct(&path).map_err(ReadError::file("open", &path))?;
            self.open = Some((segment, file));
        }
        let (_, file) = self.open.as_ref().expect("just opened");
        let failed = || ReadError::file("read", &path);
        self.buffer.read(file, offset, 0..BLOCK_ALIGN_BYTES).map_err(failed())?;
        let Some(header) = peek_header(self.buffer.bytes()) else { return Ok(false) };
        let size_bytes = usize::try_from(header.size_bytes.get()).unwrap_or(0);
        let follows = header.stream_sequence.get() == self.start.last_sequence + 1
            && header.stream_previous == self.start.last_hash
            && (BLOCK_ALIGN_BYTES..=BLOCK_BYTES_MAX).contains(&size_bytes)
            && size_bytes.is_multiple_of(BLOCK_ALIGN_BYTES);
        if !follows {
            return Ok(false);
        }
        self.buffer.read(file, offset, BLOCK_ALIGN_BYTES..size_bytes).map_err(failed())?;
        Ok(BlockView::parse(self.buffer.bytes()).is_ok())
    }
}
