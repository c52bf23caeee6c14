//! Follows one stream of a running node, block by block, from where recovery ended.
//!
//! Reads what lies behind the last block it took: the next one is there when its number, its
//! generation and the hash it names fit. Whether a block is durable is not seen here: the caller
//! knows the shards' published positions, looks ([`Follower::peek`]) and takes
//! ([`Follower::advance`]) only what lies below them. Changes nothing.
//!
//! Blocks of a busy node are small and many, so a read takes what lies behind as well; what was not
//! written when it was read does not pass as the next block, and is read again.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use claw_common::checksum::Digest;
use claw_common::limits::{BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX};
use claw_core::log::{
    BlockView, StreamTail, parse_segment_file_name, peek_header, segment_file_name,
};

use super::aligned::{BlockBuffer, open_direct};
use super::places::BlockAt;
use crate::log::ReadError;
use crate::log::reader::list;

/// Bytes that are read at a time: what a core of 100,000 holds a second writes in 3 ms.
const READ_BYTES: usize = 128 << 10;
const _: () =
    assert!(READ_BYTES <= BLOCK_BYTES_MAX && READ_BYTES.is_multiple_of(BLOCK_ALIGN_BYTES));

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
    /// What of the open segment the buffer holds.
    held: Range<u64>,
    /// Where in the buffer the next block is, once it passed its checks.
    found: Option<usize>,
}

impl Follower {
    /// Takes its place.
    pub fn new(start: FollowerStart) -> Self {
        Self { start, open: None, buffer: BlockBuffer::new(), held: 0..0, found: None }
    }

    /// The next block, when it is there and whole.
    pub fn peek(&mut self) -> Result<Option<BlockView<'_>>, ReadError> {
        if self.found.is_none() {
            self.found = self.read_next()?;
        }
        Ok(self.found.and_then(|at| BlockView::reread(&self.buffer.bytes()[at..]).ok()))
    }

    /// Where the block lies that was looked at last.
    pub fn place(&self) -> Option<BlockAt> {
        let (at, (segment, offset)) = self.found.zip(self.start.next)?;
        let header = peek_header(&self.buffer.bytes()[at..])?;
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
        let at = self.found.take().expect("only what was looked at can be taken");
        let header = peek_header(&self.buffer.bytes()[at..]).expect("it was just read");
        let (segment, offset) = self.start.next.expect("it was found there");
        self.start.next = Some((segment, offset + u64::from(header.size_bytes.get())));
        self.start.last_sequence = header.stream_sequence.get();
        self.start.last_hash = header.hash;
    }

    fn read_next(&mut self) -> Result<Option<usize>, ReadError> {
        if let Some((segment, offset)) = self.start.next
            && let Some(found) = self.read_at(segment, offset)?
        {
            return Ok(Some(found));
        }
        // It did not fit there: another segment begins with it.
        for (_, name) in list(&self.start.data)? {
            let Some((stream, segment)) = parse_segment_file_name(&name) else { continue };
            if stream != self.start.stream || self.start.next == Some((segment, 0)) {
                continue;
            }
            if let Some(found) = self.read_at(segment, 0)? {
                self.start.next = Some((segment, 0));
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Where in the buffer a block that follows the last one is, once it is read; `None` when
    /// something else, or half of it, is there.
    fn read_at(&mut self, segment: u32, offset: u64) -> Result<Option<usize>, ReadError> {
        let path = self.start.data.join(segment_file_name(self.start.stream, segment));
        if self.open.as_ref().is_none_or(|(open, _)| *open != segment) {
            let file = open_direct(&path).map_err(ReadError::file("open", &path))?;
            self.open = Some((segment, file));
            self.held = 0..0;
        }
        if let Some(at) = self.held_at(offset)
            && let Some(size_bytes) = self.follows(at)
            && offset + u64::try_from(size_bytes).unwrap_or(u64::MAX) <= self.held.end
            && self.is_whole(at)
        {
            return Ok(Some(at));
        }
        self.read(&path, offset, 0..READ_BYTES)?;
        let Some(size_bytes) = self.follows(0) else { return Ok(None) };
        if size_bytes > READ_BYTES {
            self.read(&path, offset, READ_BYTES..size_bytes)?;
        }
        Ok(self.is_whole(0).then_some(0))
    }

    /// Reads a part of what begins at `offset` to its place in the buffer.
    fn read(&mut self, path: &Path, offset: u64, part: Range<usize>) -> Result<(), ReadError> {
        let (_, file) = self.open.as_ref().expect("opened before");
        self.held = offset..offset + u64::try_from(part.end).expect("a buffer's length");
        self.buffer.read(file, offset, part).map_err(ReadError::file("read", path))
    }

    /// Where in the buffer the segment's `offset` is, with a header's length behind it.
    fn held_at(&self, offset: u64) -> Option<usize> {
        let header_end = offset + u64::try_from(BLOCK_ALIGN_BYTES).expect("fits");
        let held = self.held.start <= offset && header_end <= self.held.end;
        held.then(|| usize::try_from(offset - self.held.start).expect("within the buffer"))
    }

    /// The size of the block there, when its header follows the last block's.
    fn follows(&self, at: usize) -> Option<usize> {
        let header = peek_header(&self.buffer.bytes()[at..])?;
        let size_bytes = usize::try_from(header.size_bytes.get()).ok()?;
        let follows = header.stream_sequence.get() == self.start.last_sequence + 1
            && header.stream_previous == self.start.last_hash
            && (BLOCK_ALIGN_BYTES..=BLOCK_BYTES_MAX).contains(&size_bytes)
            && size_bytes.is_multiple_of(BLOCK_ALIGN_BYTES);
        follows.then_some(size_bytes)
    }

    fn is_whole(&self, at: usize) -> bool {
        BlockView::parse(&self.buffer.bytes()[at..]).is_ok()
    }
}
