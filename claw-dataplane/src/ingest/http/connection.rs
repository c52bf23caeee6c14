//! One connection: finds whole requests in the bytes as they arrive.
//!
//! A request that lies whole in what was received is handed on from there, without a copy. Only
//! what is incomplete is kept, at most one head, one body and what arrived while paused. Nothing
//! is scanned twice however small the pieces are. Time comes in with each call; deadlines go out
//! as data. After a refusal nothing more of the connection is read: its framing is not trusted.

use claw_common::limits::{BODY_BYTES_MAX, HEAD_BYTES_MAX};
use claw_common::time::UnixMs;

use super::chunked::ChunkDecoder;
use super::head::{Framing, Head, Request, Scheme, header_room, parse_head};
use crate::ingest::problem::{Problem, ProblemKind};

/// A body gets this long and what its bytes need at [`BODY_BYTES_PER_MS_MIN`].
const BODY_MS_BASE: u64 = 10_000;
/// Slowest body that is waited for: 4 KiB/s.
const BODY_BYTES_PER_MS_MIN: usize = 4;
/// A buffer larger than this is given back once it is empty.
const IDLE_BUFFER_BYTES_MAX: usize = 4 * 1024;
/// Bytes that any connection may keep: a partial request, and some that arrive after
/// [`Flow::Pause`] until the receiver has stopped. What is kept beyond is overrun: the kernel may
/// hand over all that a fast client has sent before a receive that is to stop has stopped, so it is
/// no mistake of the client's, and whoever holds all connections bounds their sum.
const BUFFERED_BYTES_MAX: usize = 2 * (HEAD_BYTES_MAX + 2 * BODY_BYTES_MAX);

/// How long a connection is waited for, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From a request's first byte to the end of its head.
    pub head_ms: u64,
    /// Without a request.
    pub idle_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { head_ms: 10_000, idle_ms: 60_000 }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A whole request.
    Request(&'a Request<'a>),
    /// The client waits for `100 Continue` before it sends its body.
    Continue,
    /// The last event of a connection: answer it, then close.
    Refused(&'a Problem),
}

/// What the taker of an event wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// More.
    Continue,
    /// Nothing until [`Connection::resume`]: too many requests are unanswered.
    Pause,
    /// Nothing more ever.
    Close,
}

/// What a passed deadline means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// None passed.
    None,
    /// Nothing was asked for long: close, unless answers are outstanding.
    Idle,
    /// A request did not arrive in time; [`Event::Refused`] was given.
    Refused,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Waiting for a head; this many bytes are known not to end it.
    Head { searched: usize },
    /// Waiting for this many bytes, head included.
    Length { needed: usize },
    /// Waiting for the last chunk.
    Chunked { head_bytes: usize, decoder: ChunkDecoder },
    /// Nothing more is read.
    Closed,
}

/// The receiving half of a connection.
#[derive(Debug)]
pub struct Connection {
    buffer: Vec<u8>,
    body: Vec<u8>,
    phase: Phase,
    paused: bool,
    deadline_ms: UnixMs,
    timeouts: Timeouts,
    scheme: Scheme,
    /// Whether the deadline is that of a request under way.
    in_request: bool,
}

impl Connection {
    /// A connection accepted at `now_ms`.
    pub const fn new(now_ms: UnixMs, timeouts: Timeouts) -> Self {
        Self {
            buffer: Vec::new(),
            body: Vec::new(),
            phase: Phase::Head { searched: 0 },
            paused: false,
            deadline_ms: now_ms + timeouts.idle_ms,
            timeouts,
            scheme: Scheme::Http,
            in_request: false,
        }
    }

    /// The same, its requests carried as `scheme` says.
    #[must_use]
    pub fn carried_by(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Answers with `problem` and reads nothing: what the bytes are is known without looking.
    pub fn reject(&mut self, problem: &Problem, sink: &mut impl FnMut(Event<'_>) -> Flow) {
        self.refuse(problem, sink);
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
        if !self.in_request {
            self.deadline_ms = now_ms + self.timeouts.idle_ms;
        }
        self.drain(now_ms, sink);
        self.settle(now_ms);
    }

    /// Whether the receiver should go on: not while paused, not after the end.
    pub const fn wants_bytes(&self) -> bool {
        !self.paused && !self.closed()
    }

    /// Whether nothing more is read; once all answers are sent, close the socket.
    pub const fn closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Bytes kept beyond what any connection may keep.
    pub const fn overrun_bytes(&self) -> usize {
        self.buffer.len().saturating_sub(BUFFERED_BYTES_MAX)
    }

    /// Reads nothing more.
    pub fn close(&mut self) {
        self.phase = Phase::Closed;
        self.buffer = Vec::new();
        self.body = Vec::new();
    }

    /// When to call [`Connection::expire`]; `u64::MAX` for never.
    pub const fn deadline_ms(&self) -> UnixMs {
        if self.wants_bytes() { self.deadline_ms } else { UnixMs::MAX }
    }

    /// Acts on a passed deadline.
    pub fn expire(&mut self, now_ms: UnixMs, sink: &mut impl FnMut(Event<'_>) -> Flow) -> Expiry {
        if now_ms < self.deadline_ms() {
            return Expiry::None;
        }
        if self.in_request {
            let detail = "send the whole head in time and the body at 4 KiB/s or more";
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

    /// Takes whole requests from the front of `bytes` and says how many bytes they were.
    fn run(
        &mut self,
        bytes: &[u8],
        now_ms: UnixMs,
        sink: &mut impl FnMut(Event<'_>) -> Flow,
    ) -> usize {
        let mut at = 0;
        while at < bytes.len() && !self.paused && !self.closed() {
            match self.step(&bytes[at..], now_ms, sink) {
                Ok(Some(used)) => at += used,
                Ok(None) => break,
                Err(problem) => self.refuse(&problem, sink),
            }
        }
        at
    }

    /// Looks for one request at the front of `bytes`; `None` while it is incomplete.
    fn step(
        &mut self,
        bytes: &[u8],
        now_ms: UnixMs,
        sink: &mut impl FnMut(Event<'_>) -> Flow,
    ) -> Result<Option<usize>, Problem> {
        if !self.worth_parsing(bytes)? {
            return Ok(None);
        }
        let mut room = header_room();
        let Some(head) = parse_head(bytes, &mut room)? else {
            self.phase = Phase::Head { searched: bytes.len() };
            return Ok(None);
        };
        let Some(end) = self.find_end(bytes, &head)? else {
            self.wait_for_body(&head, now_ms, sink);
            return Ok(None);
        };
        let joined = std::mem::take(&mut self.body);
        let body = match head.framing {
            Framing::Length(_) => &bytes[head.head_bytes..end],
            Framing::Chunked => joined.as_slice(),
        };
        let request = Request { body, scheme: self.scheme, ..head.request };
        self.phase = Phase::Head { searched: 0 };
        self.in_request = false;
        self.deadline_ms = now_ms + self.timeouts.idle_ms;
        match sink(Event::Request(&request)) {
            Flow::Continue => {}
            Flow::Pause => self.paused = true,
            Flow::Close => self.phase = Phase::Closed,
        }
        if request.close {
            self.phase = Phase::Closed;
        }
        Ok(Some(end))
    }

    /// Whether the head can now be complete (again) and its body too.
    fn worth_parsing(&mut self, bytes: &[u8]) -> Result<bool, Problem> {
        match &mut self.phase {
            Phase::Head { searched } => {
                let from = searched.saturating_sub(3);
                // A bare LF ends a line for the parser; it must see such a head to refuse it.
                let ends = |window: &[u8]| window.ends_with(b"\n\n") || window == b"\r\n\r\n";
                let may_end = *searched == 0
                    || bytes[from..].windows(2).any(ends)
                    || bytes[from..].windows(4).any(ends)
                    || bytes.len() >= HEAD_BYTES_MAX;
                *searched = bytes.len();
                Ok(may_end)
            }
            Phase::Length { needed } => Ok(bytes.len() >= *needed),
            Phase::Chunked { head_bytes, decoder } => {
                // At the end it stays where it is: `find_end` asks it once more.
                let end = decoder.advance(&bytes[*head_bytes..], &mut self.body)?;
                Ok(end.is_some())
            }
            Phase::Closed => Ok(false),
        }
    }

    /// Where the request ends, when it has arrived whole.
    fn find_end(&mut self, bytes: &[u8], head: &Head<'_>) -> Result<Option<usize>, Problem> {
        match head.framing {
            Framing::Length(length) => {
                let end = head.head_bytes + length;
                Ok((bytes.len() >= end).then_some(end))
            }
            Framing::Chunked => {
                if !matches!(self.phase, Phase::Chunked { .. }) {
                    let decoder = ChunkDecoder::default();
                    self.body.clear();
                    self.phase = Phase::Chunked { head_bytes: head.head_bytes, decoder };
                }
                let Phase::Chunked { head_bytes, decoder } = &mut self.phase else {
                    unreachable!("just set")
                };
                let end = decoder.advance(&bytes[*head_bytes..], &mut self.body)?;
                Ok(end.map(|end| end + *head_bytes))
            }
        }
    }

    fn wait_for_body(
        &mut self,
        head: &Head<'_>,
        now_ms: UnixMs,
        sink: &mut impl FnMut(Event<'_>) -> Flow,
    ) {
        let length = match head.framing {
            Framing::Length(length) => {
                self.phase = Phase::Length { needed: head.head_bytes + length };
                length
            }
            Framing::Chunked => BODY_BYTES_MAX,
        };
        let transfer_ms = u64::try_from(length / BODY_BYTES_PER_MS_MIN).expect("a body's length");
        self.in_request = true;
        self.deadline_ms = now_ms + BODY_MS_BASE + transfer_ms;
        if head.expects_continue && sink(Event::Continue) == Flow::Close {
            self.phase = Phase::Closed;
        }
    }

    fn refuse(&mut self, problem: &Problem, sink: &mut impl FnMut(Event<'_>) -> Flow) {
        self.close();
        // Whatever the sink wants next: there is nothing more.
        let _: Flow = sink(Event::Refused(problem));
    }

    /// Keeps the deadline and the memory in order after events were given out.
    fn settle(&mut self, now_ms: UnixMs) {
        if self.closed() {
            self.close();
        } else if self.buffer.is_empty() {
            if self.buffer.capacity() > IDLE_BUFFER_BYTES_MAX {
                self.buffer = Vec::new();
            }
        } else if !self.in_request && !self.paused {
            self.in_request = true;
            self.deadline_ms = now_ms + self.timeouts.head_ms;
        }
    }
}
