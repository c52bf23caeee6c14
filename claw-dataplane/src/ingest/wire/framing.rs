//! Finds whole frames in the bytes as they arrive, and their commands one by one.
//!
//! A frame that lies whole in what was received is handed on from there, without a copy; only what
//! is incomplete is kept. The taker may pause between two commands of a frame: the rest is kept and
//! goes on without the frame being given again. Time comes in with each call, deadlines go out as
//! data. After a refusal nothing more of the connection is read.

use claw_common::limits::WIRE_FRAME_BYTES_MAX;
use claw_common::time::UnixMs;
use claw_common::wire::{FRAME_COMMANDS, FrameHeader, MAGIC, PREFACE, PREFACE_BYTES, VERSION};
use claw_core::protocol::{Frame, read_frame, split_command};

use crate::ingest::http::{Expiry, Flow, Timeouts};
use crate::ingest::problem::{Problem, ProblemKind};

/// Bytes of the preface behind the magic.
const PREFACE_REST_BYTES: usize = PREFACE_BYTES - MAGIC.len();
/// A frame gets this long and what its bytes need at [`FRAME_BYTES_PER_MS_MIN`].
const FRAME_MS_BASE: u64 = 10_000;
/// Slowest frame that is waited for: 4 KiB/s.
const FRAME_BYTES_PER_MS_MIN: usize = 4;
/// Most bytes kept: a frame, and what arrives after a pause until the receiver has stopped.
const BUFFERED_BYTES_MAX: usize = 4 * WIRE_FRAME_BYTES_MAX;
/// A buffer larger than this is given back once it is empty: what one frame may need is kept, so
/// that receiving allocates nothing once warm.
const IDLE_BUFFER_BYTES_MAX: usize = WIRE_FRAME_BYTES_MAX;

/// What was found.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A whole frame. When it is taken, its commands follow.
    Frame(&'a Frame<'a>),
    /// The bytes of a command of the frame given last, and its place in it.
    Command(&'a [u8], usize),
    /// The last event of a connection: tell it, then close.
    Refused(&'a Problem),
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Waiting for the rest of the preface.
    Preface,
    /// Waiting for a frame.
    Frame,
    /// Commands of a taken frame that are still to be given, and where the frame's payload ends.
    Commands { place: usize, count: usize, tag_bytes: usize },
    /// Nothing more is read.
    Closed,
}

/// The receiving half of a connection.
#[derive(Debug)]
pub struct Framing {
    buffer: Vec<u8>,
    phase: Phase,
    paused: bool,
    deadline_ms: UnixMs,
    timeouts: Timeouts,
    /// Whether the deadline is that of a frame under way, or of the opening.
    in_frame: bool,
    opened: bool,
}

impl Framing {
    /// A connection whose magic arrived at `now_ms`.
    pub const fn new(now_ms: UnixMs, timeouts: Timeouts) -> Self {
        Self {
            buffer: Vec::new(),
            phase: Phase::Preface,
            paused: false,
            deadline_ms: now_ms + timeouts.head_ms,
            timeouts,
            in_frame: true,
            opened: false,
        }
    }

    /// Takes received bytes and gives every event in them to `sink`.
    pub fn ingest(
        &mut self,
        bytes: &[u8],
        now_ms: UnixMs,
        sink: &mut impl FnMut(Event<'_>) -> Flow,
    ) {
        if self.closed() {
            return;
        }
        if self.buffer.is_empty() && !self.paused {
            let used = self.run(bytes, now_ms, sink);
            self.buffer.extend_from_slice(&bytes[used..]);
        } else {
            self.buffer.extend_from_slice(bytes);
            self.drain(now_ms, sink);
        }
        self.settle(now_ms);
    }

    /// Goes on after [`Flow::Pause`].
    pub fn resume(&mut self, now_ms: UnixMs, sink: &mut impl FnMut(Event<'_>) -> Flow) {
        self.paused = false;
        if !self.in_frame {
            self.deadline_ms = now_ms + self.timeouts.idle_ms;
        }
        self.drain(now_ms, sink);
        self.settle(now_ms);
    }

    /// Whether the receiver should go on: not while paused, not after the end.
    pub const fn wants_bytes(&self) -> bool {
        !self.paused && !self.closed()
    }

    /// Whether nothing more is read.
    pub const fn closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Reads nothing more.
    pub fn close(&mut self) {
        self.phase = Phase::Closed;
        self.buffer = Vec::new();
    }

    /// When to call [`Framing::expire`]; `u64::MAX` for never.
    pub const fn deadline_ms(&self) -> UnixMs {
        if self.wants_bytes() { self.deadline_ms } else { UnixMs::MAX }
    }

    /// Acts on a passed deadline.
    pub fn expire(&mut self, now_ms: UnixMs, sink: &mut impl FnMut(Event<'_>) -> Flow) -> Expiry {
        if now_ms < self.deadline_ms() {
            return Expiry::None;
        }
        if self.in_frame {
            let detail = "send the hello within 10 s and every frame at 4 KiB/s or more";
            self.refuse(&Problem::new(ProblemKind::RequestTimeout, detail), sink);
            return Expiry::Refused;
        }
        self.deadline_ms = now_ms + self.timeouts.idle_ms;
        Expiry::Idle
    }

    fn drain(&mut self, now_ms: UnixMs, sink: &mut impl FnMut(Event<'_>) -> Flow) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let used = self.run(&buffer, now_ms, sink);
        buffer.drain(..used);
        self.buffer = buffer;
    }

    /// Takes what is whole from the front of `bytes` and says how many bytes it was.
    fn run(
        &mut self,
        bytes: &[u8],
        now_ms: UnixMs,
        sink: &mut impl FnMut(Event<'_>) -> Flow,
    ) -> usize {
        let mut at = 0;
        while !self.paused && !self.closed() {
            match self.step(&bytes[at..], now_ms, sink) {
                Ok(Some(used)) => at += used,
                Ok(None) => break,
                Err(problem) => self.refuse(&problem, sink),
            }
        }
        at
    }

    fn step(
        &mut self,
        bytes: &[u8],
        now_ms: UnixMs,
        sink: &mut impl FnMut(Event<'_>) -> Flow,
    ) -> Result<Option<usize>, Problem> {
        match self.phase {
            Phase::Preface => self.take_preface(bytes),
            Phase::Frame => self.take_frame(bytes, now_ms, sink),
            Phase::Commands { place, count, tag_bytes } if place == count => {
                self.phase = Phase::Frame;
                Ok(Some(tag_bytes))
            }
            Phase::Commands { place, count, tag_bytes } => {
                let (command, _) = split_command(bytes)?;
                self.phase = Phase::Commands { place: place + 1, count, tag_bytes };
                self.follow(sink(Event::Command(command, place)));
                Ok(Some(command.len()))
            }
            Phase::Closed => Ok(None),
        }
    }

    fn take_preface(&mut self, bytes: &[u8]) -> Result<Option<usize>, Problem> {
        let Some(rest) = bytes.get(..PREFACE_REST_BYTES) else { return Ok(None) };
        if *rest != PREFACE[MAGIC.len()..] {
            let detail = format!("this node speaks version {VERSION} of the wire protocol");
            return Err(Problem::new(ProblemKind::VersionUnknown, detail));
        }
        self.phase = Phase::Frame;
        Ok(Some(PREFACE_REST_BYTES))
    }

    fn take_frame(
        &mut self,
        bytes: &[u8],
        now_ms: UnixMs,
        sink: &mut impl FnMut(Event<'_>) -> Flow,
    ) -> Result<Option<usize>, Problem> {
        let Some(frame) = read_frame(bytes)? else { return Ok(None) };
        self.opened = true;
        self.in_frame = false;
        self.deadline_ms = now_ms + self.timeouts.idle_ms;
        let flow = sink(Event::Frame(&frame));
        self.follow(flow);
        if flow == Flow::Close || frame.header.kind != FRAME_COMMANDS {
            return Ok(Some(frame.bytes.len()));
        }
        let (place, count) = (0, usize::from(frame.header.count.get()));
        self.phase = Phase::Commands { place, count, tag_bytes: frame.tag.len() };
        Ok(Some(size_of::<FrameHeader>()))
    }

    fn follow(&mut self, flow: Flow) {
        match flow {
            Flow::Continue => {}
            Flow::Pause => self.paused = true,
            Flow::Close => self.phase = Phase::Closed,
        }
    }

    fn refuse(&mut self, problem: &Problem, sink: &mut impl FnMut(Event<'_>) -> Flow) {
        self.close();
        // Whatever the sink wants next: there is nothing more.
        let _: Flow = sink(Event::Refused(problem));
    }

    /// Keeps the deadline and the memory in order after events were given out.
    fn settle(&mut self, now_ms: UnixMs) {
        if self.closed() || self.buffer.len() > BUFFERED_BYTES_MAX {
            self.close();
        } else if self.buffer.is_empty() {
            if self.buffer.capacity() > IDLE_BUFFER_BYTES_MAX {
                self.buffer = Vec::new();
            }
        } else if self.opened && !self.in_frame && !self.paused {
            self.in_frame = true;
            self.deadline_ms = now_ms + FRAME_MS_BASE + self.frame_ms();
        }
    }

    /// How long the frame under way may take to arrive.
    fn frame_ms(&self) -> u64 {
        let length = self.buffer.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(WIRE_FRAME_BYTES_MAX);
        u64::try_from(length / FRAME_BYTES_PER_MS_MIN).expect("bounded by a frame")
    }
}
