//! The sending half: answers into frames, frames into the send buffer, each with its tag.
//!
//! An answer joins the frame that is open; a frame is sealed when it is full or when the bytes are
//! about to be sent. Everything is written in place: nothing allocates once the buffer is warm.

use claw_common::id::Position;
use claw_common::limits::{WIRE_COMMANDS_MAX, WIRE_FRAME_BYTES_MAX};
use claw_common::time::UnixMs;
use claw_common::wire::{
    ANSWER_OUTCOME, ANSWER_PROBLEM, AnswerHeader, FRAME_ANSWERS, FRAME_CLOSING, FRAME_WELCOME,
    FrameHeader, TAG_BYTES_HASH, session_tag,
};
use claw_core::codec::{CodecError, Decode as _, Reader};
use claw_core::outcome::{OrderState, Outcome, made_hold};
use zerocopy::IntoBytes as _;
use zerocopy::little_endian::{U16, U32, U64};

use super::session::Session;
use crate::ingest::problem::Problem;
use crate::ingest::render::refusal::kind_of;
use crate::ingest::render::wire::{write_problem, write_refusal};

/// A frame is sealed when the next answer could make it longer than this.
const FRAME_BYTES_TARGET: usize = WIRE_FRAME_BYTES_MAX / 2;

/// See the module.
#[derive(Debug, Default)]
pub struct Answers {
    /// Where the open frame begins in the send buffer.
    open_at: Option<usize>,
    count: u16,
    next_sequence: u64,
    key: Option<[u8; 32]>,
    ended: bool,
}

/// Which command is answered.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its number.
    pub sequence: u64,
    /// Whether it is a checkout, which is answered 202 until it has ended.
    pub checkout: bool,
    /// Whether it waited for the order.
    pub waited: bool,
    /// Now.
    pub now_ms: UnixMs,
}

impl Answers {
    /// Appends the first frame; with a key, its tag too.
    pub fn welcome(&mut self, out: &mut Vec<u8>, frame: &[u8], session: &Session) {
        assert_eq!(self.next_sequence, 0, "the welcome is the first frame");
        self.key = session.server_key();
        let start = out.len();
        out.extend_from_slice(frame);
        self.next_sequence = 1;
        self.tag(out, start);
    }

    /// Appends the answer that an outcome is, and returns its status.
    pub fn outcome(
        &mut self,
        out: &mut Vec<u8>,
        asked: Asked,
        encoded: &[u8],
        position: Position,
    ) -> Result<u16, CodecError> {
        if let Some(created) = made_hold(encoded) {
            // What is asked for most: its bytes go as they are.
            let (status, start) = (made(created), self.open(out, asked.now_ms));
            write_header(out, (asked.sequence, ANSWER_OUTCOME, status), Some(position));
            out.extend_from_slice(encoded);
            patch_length(out, start);
            return Ok(status);
        }
        let outcome = Outcome::decode(&mut Reader::new(encoded))?;
        let status = status_of(&outcome, asked);
        let start = self.open(out, asked.now_ms);
        let kind = match outcome {
            Outcome::Refused(_) => ANSWER_PROBLEM,
            _ => ANSWER_OUTCOME,
        };
        write_header(out, (asked.sequence, kind, status), Some(position));
        match &outcome {
            Outcome::Refused(refusal) => write_refusal(out, refusal),
            _ => out.extend_from_slice(encoded),
        }
        patch_length(out, start);
        Ok(status)
    }

    /// Appends a problem as a command's answer, and returns its status.
    pub fn problem(&mut self, out: &mut Vec<u8>, asked: Asked, problem: &Problem) -> u16 {
        let status = problem.kind.status();
        let start = self.open(out, asked.now_ms);
        write_header(out, (asked.sequence, ANSWER_PROBLEM, status), None);
        write_problem(out, problem);
        patch_length(out, start);
        status
    }

    /// Appends an empty frame: the answer to a frame without commands.
    pub fn alive(&mut self, out: &mut Vec<u8>, now_ms: UnixMs) {
        self.seal(out);
        self.begin(out, FRAME_ANSWERS, now_ms);
        self.seal(out);
    }

    /// Appends the last frame; whatever is answered after it goes nowhere.
    pub fn closing(&mut self, out: &mut Vec<u8>, problem: &Problem, now_ms: UnixMs) {
        if self.ended {
            return;
        }
        self.seal(out);
        self.begin(out, FRAME_CLOSING, now_ms);
        write_problem(out, problem);
        self.seal(out);
        self.ended = true;
    }

    /// Whether the last frame was written.
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// Ends the open frame, if there is one: what is in the buffer may be sent then.
    pub fn seal(&mut self, out: &mut Vec<u8>) {
        let Some(start) = self.open_at.take() else { return };
        out[start + 6..start + 8].copy_from_slice(&self.count.to_le_bytes());
        self.count = 0;
        self.tag(out, start);
    }

    /// Makes sure of an open frame with room; gives the place of the next answer.
    fn open(&mut self, out: &mut Vec<u8>, now_ms: UnixMs) -> usize {
        if let Some(start) = self.open_at {
            let full = usize::from(self.count) == WIRE_COMMANDS_MAX;
            if full || out.len() - start > FRAME_BYTES_TARGET {
                self.seal(out);
            }
        }
        if self.open_at.is_none() {
            self.begin(out, FRAME_ANSWERS, now_ms);
        }
        self.count += 1;
        out.len()
    }

    fn begin(&mut self, out: &mut Vec<u8>, kind: u8, created_ms: UnixMs) {
        self.open_at = Some(out.len());
        let header = frame_header(kind, self.next_sequence, created_ms);
        out.extend_from_slice(header.as_bytes());
        self.next_sequence += 1;
    }

    /// Writes the length of the frame that begins at `start`, and appends its tag.
    fn tag(&self, out: &mut Vec<u8>, start: usize) {
        let tag_bytes = if self.key.is_some() { TAG_BYTES_HASH } else { 0 };
        let length = u32::try_from(out.len() - start + tag_bytes).expect("bounded by a frame");
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        out[start + 5] = u8::try_from(tag_bytes).expect("0 or 32");
        if let Some(key) = &self.key {
            let tag = session_tag(key, &out[start..]);
            out.extend_from_slice(&tag);
        }
    }
}

/// The header of a server's frame; length, count and tag follow when it is sealed.
fn frame_header(kind: u8, sequence: u64, created_ms: UnixMs) -> FrameHeader {
    FrameHeader {
        length_bytes: U32::new(0),
        kind,
        tag_bytes: 0,
        count: U16::new(0),
        sequence: U64::new(sequence),
        created_ms: U64::new(created_ms),
    }
}

/// The welcome frame without its tag, whose length counts it already.
pub fn welcome_frame(payload: &[&[u8]], tag_bytes: usize, now_ms: UnixMs) -> Vec<u8> {
    let mut header = frame_header(FRAME_WELCOME, 0, now_ms);
    let payload_bytes: usize = payload.iter().map(|part| part.len()).sum();
    let length = size_of::<FrameHeader>() + payload_bytes + tag_bytes;
    header.length_bytes.set(u32::try_from(length).expect("shards are bounded"));
    header.tag_bytes = u8::try_from(tag_bytes).expect("0 or 32");
    let mut frame = header.as_bytes().to_vec();
    for part in payload {
        frame.extend_from_slice(part);
    }
    frame
}

fn write_header(out: &mut Vec<u8>, what: (u64, u8, u16), position: Option<Position>) {
    let (sequence, kind, status) = what;
    let header = AnswerHeader {
        length_bytes: U32::new(0),
        kind,
        reserved: 0,
        status: U16::new(status),
        sequence: U64::new(sequence),
        shard: U16::new(position.map_or(0, |position| position.shard.0)),
        reserved_tail: [0; 6],
        position: U64::new(position.map_or(0, |position| position.sequence)),
    };
    out.extend_from_slice(header.as_bytes());
}

fn patch_length(out: &mut [u8], start: usize) {
    let length = u32::try_from(out.len() - start).expect("an answer is bounded");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

const fn made(created: bool) -> u16 {
    if created { 201 } else { 200 }
}

/// The status of the same answer over HTTP.
fn status_of(outcome: &Outcome<'_>, asked: Asked) -> u16 {
    match outcome {
        Outcome::Product(view) => made(view.created),
        Outcome::Coupon(view) => made(view.created),
        Outcome::Hold(view) => made(view.created),
        Outcome::CartCreated { .. } => 201,
        Outcome::Order(view) if asked.checkout => {
            let settled = matches!(
                view.state,
                OrderState::Placed
                    | OrderState::Shipped
                    | OrderState::Cancelled
                    | OrderState::Refunded
            );
            if asked.waited && settled { 200 } else { 202 }
        }
        Outcome::Refused(refusal) => kind_of(refusal).status(),
        _ => 200,
    }
}
