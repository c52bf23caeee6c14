//! The send buffer, which is also where unanswered commands are kept.
//!
//! A command is encoded here once, in place, inside the frame that carries it, and stays until its
//! answer has come: when the connection breaks before, its bytes are framed again for the next one.
//! Invariants: `commands` is in the order of their bytes; bytes before `sent` were handed over;
//! the buffer never holds more than [`OUTBOX_BYTES_MAX`], beyond which pushing is refused.
//!
//! Does not know tags, credits or what a command means.

use std::collections::VecDeque;

use claw_common::wire::FrameHeader;
use zerocopy::IntoBytes as _;

use super::error::WireError;

/// Most bytes of unsent frames and unanswered commands.
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a frame before its payload.
pub(super) const HEADER_BYTES: usize = size_of::<FrameHeader>();

/// A command that is not answered.
#[derive(Clone, Copy, Debug)]
struct Kept {
    sequence: u64,
    start: usize,
    end: usize,
    answered: bool,
}

/// A frame that still takes commands.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenFrame {
    start: usize,
    pub(super) count: u16,
}

/// Where each command of a frame begins and ends.
type Ranges<'a> = &'a mut dyn Iterator<Item = (usize, usize)>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    frame: Option<OpenFrame>,
    commands: VecDeque<Kept>,
    unanswered: usize,
    /// The former buffer while frames are made again.
    former: Vec<u8>,
}

impl Outbox {
    /// Commands without an answer.
    pub(super) const fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// The frame being filled.
    pub(super) const fn frame(&self) -> Option<OpenFrame> {
        self.frame
    }

    /// Bytes of the frame being filled, its header included; 0 when there is none.
    pub(super) fn frame_bytes(&self) -> usize {
        self.frame.map_or(0, |frame| self.bytes.len() - frame.start)
    }

    /// Sealed bytes that are still to be handed over.
    pub(super) fn transmit(&self) -> &[u8] {
        let end = self.frame.map_or(self.bytes.len(), |frame| frame.start);
        &self.bytes[self.sent..end]
    }

    /// `count` of them are handed over.
    pub(super) fn transmitted(&mut self, count: usize) {
        assert!(count <= self.transmit().len(), "only what there is can be handed over");
        self.sent += count;
        self.clear_when_empty();
    }

    /// Encodes a command at the end of the open frame, or of a new one. Returns its size.
    pub(super) fn push(
        &mut self,
        sequence: u64,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
    ) -> Result<usize, WireError> {
        let before = self.bytes.len();
        if self.frame.is_none() {
            self.bytes.extend_from_slice(&[0; HEADER_BYTES]);
        }
        let start = self.bytes.len();
        let written = encode(&mut self.bytes);
        let end = self.bytes.len();
        if let Err(error) = written {
            self.bytes.truncate(before);
            return Err(error);
        }
        if end > OUTBOX_BYTES_MAX {
            self.bytes.truncate(before);
            return Err(WireError::Full { unanswered: self.unanswered });
        }
        let frame = self.frame.get_or_insert(OpenFrame { start: before, count: 0 });
        frame.count += 1;
        self.commands.push_back(Kept { sequence, start, end, answered: false });
        self.unanswered += 1;
        Ok(end - start)
    }

    /// Takes the last command out again: it made its frame too large.
    pub(super) fn pop(&mut self) {
        let kept = self.commands.pop_back().expect("one was pushed");
        self.unanswered -= 1;
        self.bytes.truncate(kept.start);
        let frame = self.frame.as_mut().expect("it is in the open frame");
        frame.count -= 1;
        if frame.count == 0 {
            self.bytes.truncate(frame.start);
            self.frame = None;
        }
    }

    /// Takes the last command out again and returns its number and bytes.
    pub(super) fn take_last(&mut self) -> (u64, Vec<u8>) {
        let kept = *self.commands.back().expect("one was pushed");
        let bytes = self.bytes[kept.start..kept.end].to_vec();
        self.pop();
        (kept.sequence, bytes)
    }

    /// Opens an empty frame when none is open: it keeps a connection alive.
    pub(super) fn open(&mut self) {
        if self.frame.is_none() {
            self.frame = Some(OpenFrame { start: self.bytes.len(), count: 0 });
            self.bytes.extend_from_slice(&[0; HEADER_BYTES]);
        }
    }

    /// Ends the open frame: `tag` appends its tag to the frame, whose header is complete.
    pub(super) fn seal(
        &mut self,
        mut header: FrameHeader,
        tag: impl FnOnce(&mut Vec<u8>, usize, &FrameHeader, Ranges<'_>),
    ) {
        let frame = self.frame.take().expect("an open frame");
        let length = self.bytes.len() - frame.start + usize::from(header.tag_bytes);
        header.length_bytes = u32::try_from(length).expect("bounded by the node's limit").into();
        header.count = frame.count.into();
        self.bytes[frame.start..frame.start + HEADER_BYTES].copy_from_slice(header.as_bytes());
        let first = self.commands.len() - usize::from(frame.count);
        let mut ranges = self.commands.iter().skip(first).map(|kept| (kept.start, kept.end));
        tag(&mut self.bytes, frame.start, &header, &mut ranges);
        assert_eq!(self.bytes.len() - frame.start, length, "the tag is as long as the header says");
    }

    /// An answer came; `false` when nobody waits for it.
    pub(super) fn answered(&mut self, sequence: u64) -> bool {
        let Some(place) = self.find(sequence) else { return false };
        self.commands[place].answered = true;
        self.unanswered -= 1;
        while self.commands.front().is_some_and(|kept| kept.answered) {
            self.commands.pop_front();
        }
        self.clear_when_empty();
        true
    }

    /// Numbers usually follow each other, and answers come in that order.
    fn find(&self, sequence: u64) -> Option<usize> {
        let waits = |kept: &Kept| kept.sequence == sequence && !kept.answered;
        let first = self.commands.front()?.sequence;
        let guess = sequence.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        match guess.filter(|&place| self.commands.get(place).is_some_and(waits)) {
            Some(place) => Some(place),
            None => self.commands.iter().position(waits),
        }
    }

    /// Whether a command waits for its answer.
    pub(super) fn waits(&self, sequence: u64) -> bool {
        self.find(sequence).is_some()
    }

    fn clear_when_empty(&mut self) {
        if self.commands.is_empty() && self.frame.is_none() && self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
    }

    /// Makes room for `wanted` more bytes, when need be by closing the gaps that answered commands
    /// left; `false` when there is none.
    pub(super) fn make_room(&mut self, wanted: usize) -> bool {
        if self.bytes.len() + wanted <= self.bytes.capacity().min(OUTBOX_BYTES_MAX) {
            return true;
        }
        self.compact();
        self.bytes.len() + wanted <= OUTBOX_BYTES_MAX
    }

    fn compact(&mut self) {
        let straddles = |kept: &&Kept| kept.start < self.sent && self.sent < kept.end;
        let cut = self.commands.iter().find(straddles).map_or(self.sent, |kept| kept.start);
        let mut to = 0;
        for kept in self.commands.iter_mut().take_while(|kept| kept.start < cut) {
            let length = if kept.answered { 0 } else { kept.end - kept.start };
            self.bytes.copy_within(kept.start..kept.start + length, to);
            (kept.start, kept.end) = (to, to + length);
            to += length;
        }
        let shift = cut - to;
        self.bytes.drain(to..cut);
        let moved = self.commands.iter_mut().rev().take_while(|kept| kept.start >= cut);
        for kept in moved {
            (kept.start, kept.end) = (kept.start - shift, kept.end - shift);
        }
        self.sent -= shift;
        if let Some(frame) = &mut self.frame {
            frame.start -= shift;
        }
    }

    /// The connection is gone: nothing is under way, every unanswered command is kept.
    pub(super) fn rewind(&mut self) {
        self.frame = None;
        self.sent = self.bytes.len();
        self.clear_when_empty();
    }

    /// Begins to frame every unanswered command again; [`Outbox::next_again`] gives them.
    pub(super) fn begin_again(&mut self) -> usize {
        assert!(self.frame.is_none() && self.sent == self.bytes.len(), "rewound before");
        std::mem::swap(&mut self.bytes, &mut self.former);
        self.bytes.clear();
        self.sent = 0;
        self.unanswered = 0;
        self.commands.len()
    }

    /// Frames the next of them; returns its number and size, or `None` for one that was answered.
    pub(super) fn next_again(&mut self) -> Option<(u64, usize)> {
        let kept = self.commands.pop_front().expect("as many as there were");
        if kept.answered {
            return None;
        }
        let former = std::mem::take(&mut self.former);
        let pushed = self.push(kept.sequence, |out| {
            out.extend_from_slice(&former[kept.start..kept.end]);
            Ok(())
        });
        self.former = former;
        Some((kept.sequence, pushed.expect("it had room before")))
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros as _;

    use super::*;

    fn push(outbox: &mut Outbox, sequence: u64, length: usize) {
        assert!(outbox.make_room(length + HEADER_BYTES));
        let fill = u8::try_from(sequence).unwrap();
        outbox
            .push(sequence, |out| {
                out.extend(std::iter::repeat_n(fill, length));
                Ok(())
            })
            .unwrap();
    }

    fn seal(outbox: &mut Outbox) {
        outbox.seal(FrameHeader::new_zeroed(), |_, _, _, _| {});
    }

    fn again(outbox: &mut Outbox) -> Vec<u64> {
        outbox.rewind();
        let found = (0..outbox.begin_again()).filter_map(|_| outbox.next_again());
        let found: Vec<_> = found.collect();
        found
            .iter()
            .map(|&(sequence, length)| {
                let kept = outbox.commands.iter().find(|kept| kept.sequence == sequence).unwrap();
                let bytes = &outbox.bytes[kept.start..kept.end];
                assert!(bytes.iter().all(|&byte| u64::from(byte) == sequence), "{bytes:?}");
                assert_eq!(bytes.len(), length);
                sequence
            })
            .collect()
    }

    #[test]
    fn buffer_is_empty_once_everything_is_sent_and_answered() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 1, 40);
        push(&mut outbox, 2, 50);
        assert!(outbox.transmit().is_empty(), "an open frame is not sent");
        seal(&mut outbox);
        assert_eq!(outbox.transmit().len(), HEADER_BYTES + 90);
        outbox.transmitted(HEADER_BYTES + 90);
        assert!(outbox.answered(2) && outbox.answered(1));
        assert!(!outbox.answered(1), "nobody waits for it any more");
        assert_eq!((outbox.bytes.len(), outbox.unanswered()), (0, 0));
    }

    #[test]
    fn unanswered_commands_survive_compaction_and_are_framed_again_in_order() {
        let mut outbox = Outbox::default();
        for sequence in 1..=9 {
            push(&mut outbox, sequence, 10 + usize::try_from(sequence).unwrap());
            seal(&mut outbox);
        }
        // The sixth frame is half sent.
        let five: usize = (1..=5).map(|n| HEADER_BYTES + 10 + n).sum();
        outbox.transmitted(five + HEADER_BYTES + 3);
        for sequence in [2, 4, 5] {
            assert!(outbox.answered(sequence));
        }
        let left = outbox.transmit().to_vec();
        outbox.compact();
        assert_eq!(outbox.transmit(), left, "what is still to be sent is the same");
        assert_eq!(again(&mut outbox), [1, 3, 6, 7, 8, 9]);
        assert_eq!(outbox.unanswered(), 6);
    }

    #[test]
    fn full_buffer_refuses_and_keeps_what_it_has() {
        let mut outbox = Outbox::default();
        let large = OUTBOX_BYTES_MAX / 2;
        push(&mut outbox, 1, large);
        let refused = outbox.push(2, |out| {
            out.extend(std::iter::repeat_n(2, large));
            Ok(())
        });
        assert!(matches!(refused, Err(WireError::Full { unanswered: 1 })));
        assert_eq!(again(&mut outbox), [1]);
    }

    #[test]
    fn command_that_is_taken_out_again_leaves_no_trace() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 1, 10);
        push(&mut outbox, 2, 10);
        outbox.pop();
        assert_eq!(outbox.frame_bytes(), HEADER_BYTES + 10);
        outbox.pop();
        assert!(outbox.frame().is_none() && outbox.bytes.is_empty());
    }
}
