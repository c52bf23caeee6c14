//! The receive buffer: bytes in, whole frames out, answers borrowed from it.
//!
//! Grows with what arrives up to the largest frame, and not beyond: a full buffer has no space to
//! read into until its answers were taken, so the node is not read either. Does not know tags.

use std::ops::Range;

use claw_common::limits::WIRE_FRAME_BYTES_MAX;
use claw_common::wire::FrameHeader;
use zerocopy::FromBytes as _;

use super::error::WireError;
use super::outbox::HEADER_BYTES;

/// Space offered first; a connection of little traffic needs no more.
const SPACE_BYTES_MIN: usize = 2 * 1024;
/// Largest buffer: a whole frame, and the beginning of the next one.
const INBOX_BYTES_MAX: usize = WIRE_FRAME_BYTES_MAX + SPACE_BYTES_MIN;

/// The answers of a frame that were not taken yet.
#[derive(Clone, Debug)]
struct Batch {
    answers: Range<usize>,
    left: u16,
    frame_end: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    batch: Option<Batch>,
}

impl Inbox {
    /// Where to read into; empty when answers must be taken first.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.bytes.len() - self.end < SPACE_BYTES_MIN && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            if let Some(batch) = &mut self.batch {
                batch.answers.start -= self.start;
                batch.answers.end -= self.start;
                batch.frame_end -= self.start;
            }
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() - self.end < SPACE_BYTES_MIN {
            let wanted = (2 * self.bytes.len()).clamp(2 * SPACE_BYTES_MIN, INBOX_BYTES_MAX);
            self.bytes.resize(wanted.max(self.bytes.len()), 0);
        }
        &mut self.bytes[self.end..]
    }

    /// `count` bytes were read into the space.
    pub(super) fn filled(&mut self, count: usize) {
        assert!(count <= self.bytes.len() - self.end, "no more than there was space for");
        self.end += count;
    }

    /// Forgets everything: the connection is gone.
    pub(super) fn clear(&mut self) {
        (self.start, self.end, self.batch) = (0, 0, None);
    }

    /// The bytes of a range that one of the other methods gave.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// The frame at the front, when it is whole.
    pub(super) fn frame(&self) -> Result<Option<(FrameHeader, Range<usize>)>, WireError> {
        let here = &self.bytes[self.start..self.end];
        let Ok((header, _)) = FrameHeader::read_from_prefix(here) else { return Ok(None) };
        let length = super::answer::length(header.length_bytes.get());
        if length > WIRE_FRAME_BYTES_MAX || length < HEADER_BYTES + usize::from(header.tag_bytes) {
            return Err(WireError::Protocol { reason: "a frame of an impossible length" });
        }
        Ok((length <= here.len()).then(|| (header, self.start..self.start + length)))
    }

    /// The frame at the front is done with.
    pub(super) fn drop_frame(&mut self, frame: &Range<usize>) {
        self.start = frame.end;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// The frame at the front holds answers: they are taken one by one.
    pub(super) fn begin_batch(&mut self, frame: &Range<usize>, header: &FrameHeader) {
        let answers = frame.start + HEADER_BYTES..frame.end - usize::from(header.tag_bytes);
        self.batch = Some(Batch { answers, left: header.count.get(), frame_end: frame.end });
    }

    /// Whether answers of a frame are still to be taken.
    pub(super) fn in_batch(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| batch.left > 0)
    }

    /// The answers not yet taken, from the next one on; `None` when the frame is done with.
    pub(super) fn rest_of_batch(&mut self) -> Result<Option<Range<usize>>, WireError> {
        let Some(batch) = &self.batch else { return Ok(None) };
        if batch.left > 0 {
            return Ok(Some(batch.answers.clone()));
        }
        if !batch.answers.is_empty() {
            return Err(WireError::Protocol { reason: "bytes after the last answer" });
        }
        let frame = self.start..batch.frame_end;
        self.batch = None;
        self.drop_frame(&frame);
        Ok(None)
    }

    /// The next answer has this many bytes and is taken.
    pub(super) fn take_answer(&mut self, length: usize) {
        let batch = self.batch.as_mut().expect("inside a frame of answers");
        batch.answers.start += length;
        batch.left -= 1;
    }
}
