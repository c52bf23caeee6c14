//! Segments: the files, or device ranges, that a stream's blocks lie in, and their names.
//!
//! Owns the names (so that the writing and the reading side cannot disagree) and the walk over a
//! segment's bytes. A segment is written front to back and reused whole; the generation in its
//! blocks says which use they belong to.
//!
//! Does not know which of the blocks found still count: [`super::recovery`] does.

use claw_common::event::{BLOCK_MAGIC, BlockHeader};
use claw_common::limits::BLOCK_ALIGN_BYTES;
use zerocopy::FromBytes;

use super::view::{BlockError, BlockView};

/// File name of a segment.
pub fn segment_file_name(stream: u16, segment: u32) -> String {
    format!("stream-{stream:02}-segment-{segment:06}.log")
}

/// Reads [`segment_file_name`] back: stream and segment.
pub fn parse_segment_file_name(name: &str) -> Option<(u16, u32)> {
    let rest = name.strip_prefix("stream-")?.strip_suffix(".log")?;
    let (stream, segment) = rest.split_once("-segment-")?;
    let parsed = (stream.parse().ok()?, segment.parse().ok()?);
    (segment_file_name(parsed.0, parsed.1) == name).then_some(parsed)
}

/// File name of a stream's superblocks.
pub fn superblock_file_name(stream: u16) -> String {
    format!("stream-{stream:02}.superblock")
}

/// Reads [`superblock_file_name`] back: the stream.
pub fn parse_superblock_file_name(name: &str) -> Option<u16> {
    let stream = name.strip_prefix("stream-")?.strip_suffix(".superblock")?.parse().ok()?;
    (superblock_file_name(stream) == name).then_some(stream)
}

/// File name of an archived segment: by generation, which never repeats.
pub fn archive_file_name(stream: u16, generation: u64) -> String {
    format!("stream-{stream:02}-generation-{generation:010}.log")
}

/// Reads [`archive_file_name`] back: stream and generation.
pub fn parse_archive_file_name(name: &str) -> Option<(u16, u64)> {
    let rest = name.strip_prefix("stream-")?.strip_suffix(".log")?;
    let (stream, generation) = rest.split_once("-generation-")?;
    let parsed = (stream.parse().ok()?, generation.parse().ok()?);
    (archive_file_name(parsed.0, parsed.1) == name).then_some(parsed)
}

/// What lies at one place of a segment.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Byte offset within the segment.
    pub offset: usize,
    /// A block, or why what begins like one is none. Never [`BlockError::NotABlock`].
    pub block: Result<BlockView<'a>, BlockError>,
}

/// Walks a segment: over valid blocks by their size, over anything else by the alignment, so that
/// valid blocks behind torn ones are found. Places where nothing begins are passed in silence.
#[derive(Clone, Debug)]
pub struct SegmentScan<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> SegmentScan<'a> {
    /// Starts at the front of a segment.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Starts at `offset`, a multiple of the alignment.
    pub fn starting_at(bytes: &'a [u8], offset: usize) -> Self {
        assert!(offset.is_multiple_of(BLOCK_ALIGN_BYTES));
        Self { bytes, offset }
    }
}

impl<'a> Iterator for SegmentScan<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        loop {
            let offset = self.offset;
            let rest = self.bytes.get(offset..).filter(|rest| !rest.is_empty())?;
            let block = BlockView::parse(rest);
            self.offset += block.as_ref().map_or(BLOCK_ALIGN_BYTES, BlockView::size_bytes);
            if !matches!(block, Err(BlockError::NotABlock)) {
                return Some(Found { offset, block });
            }
        }
    }
}

/// The header of something that begins like a block. Unchecked: for reports only.
pub fn peek_header(bytes: &[u8]) -> Option<&BlockHeader> {
    let (header, _) = BlockHeader::ref_from_prefix(bytes).ok()?;
    (header.magic == BLOCK_MAGIC).then_some(header)
}
