//! One connection without a socket: bytes in, bytes out, answers out.
//!
//! ```text
//!   push --> outbox: frame being filled --seal--> transmit --> (the shell writes)
//!                      ^ kept until answered                        |
//!   next_answer <-- inbox: whole frames <-- space, received <-- (the shell reads)
//! ```
//! Owns the order of the protocol: hello before anything, commands only when welcomed and only as
//! many as there are credits, frames numbered without gaps, tags made and checked, every answer for
//! a command that waits for it. A connection that breaks loses nothing: [`Machine::disconnected`],
//! then [`Machine::connect`], and every unanswered command is sent again under its number, byte for
//! byte; the node gives the first answer to what it has done.
//!
//! Deliberately without socket, clock, thread and randomness: time and entropy come in with the
//! calls. Takes no memory per command once warm.

use std::sync::Arc;

use claw_common::wire::{
    AnswerHeader, DOMAIN_FRAME, FRAME_ANSWERS, FRAME_CLOSING, FRAME_COMMANDS, FRAME_WELCOME,
    FrameBase, FrameHeader, SessionKeys, TAG_BYTES_HASH, command_digest, session_tag,
};
use zerocopy::IntoBytes as _;

use super::answer::{Answer, Problem, split};
use super::command::{Command, Extras};
use super::error::WireError;
use super::handshake::{Mode, Opening, Welcome, registered_tag_bytes, same};
use super::inbox::Inbox;
use super::outbox::{HEADER_BYTES, Outbox};
use crate::key::Signer;

/// Problems after which a new connection may be served; all others repeat themselves.
const CLOSINGS_MOMENTARY: [&str; 6] =
    ["request-timeout", "signature-expired", "internal", "overloaded", "not-ready", "rate-limited"];

/// Room that a command without large texts fits.
const COMMAND_BYTES_USUAL: usize = 4 * 1024;

/// Who a client is to the node.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The registered key.
    pub signer: Arc<Signer>,
    /// How frames are authenticated.
    pub mode: Mode,
    /// 16 random bytes, the same over reconnects. With the key's name and a command's number they
    /// are what a command is known by: a client that goes on after its own restart keeps them.
    pub session: [u8; 16],
}

#[derive(Debug)]
enum Phase {
    Apart,
    Opening { opening: Opening, sent: usize },
    Open { welcome: Welcome, keys: Option<SessionKeys> },
}

/// See the module.
#[derive(Debug)]
pub struct Machine {
    identity: Identity,
    phase: Phase,
    sequence_next: u64,
    frames_out: u64,
    frames_in: u64,
    now_ms: u64,
    outbox: Outbox,
    inbox: Inbox,
    /// What ed25519 signs of a frame.
    base: Vec<u8>,
}

impl Machine {
    /// A client that has not connected; its commands are numbered from `sequence_first` (at least
    /// 1, and above all that this session has used).
    pub fn new(identity: Identity, sequence_first: u64) -> Self {
        assert!(sequence_first > 0, "commands are numbered from 1");
        Self {
            identity,
            phase: Phase::Apart,
            sequence_next: sequence_first,
            frames_out: 0,
            frames_in: 0,
            now_ms: 0,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            base: Vec::new(),
        }
    }

    /// There is a connection: says hello. `entropy` must be fresh randomness.
    pub fn connect(&mut self, now_ms: u64, entropy: [u8; 32]) {
        assert!(matches!(self.phase, Phase::Apart), "one connection at a time");
        let Identity { signer, mode, session } = &self.identity;
        let opening = Opening::new(signer, *mode, *session, (now_ms, entropy));
        self.now_ms = now_ms;
        self.phase = Phase::Opening { opening, sent: 0 };
        (self.frames_out, self.frames_in) = (1, 0);
    }

    /// The connection is gone. Unanswered commands are kept for the next one.
    pub fn disconnected(&mut self) {
        self.phase = Phase::Apart;
        self.inbox.clear();
        self.outbox.rewind();
    }

    /// What the node said when it let us in; `None` before.
    pub const fn welcome(&self) -> Option<&Welcome> {
        match &self.phase {
            Phase::Open { welcome, .. } => Some(welcome),
            Phase::Apart | Phase::Opening { .. } => None,
        }
    }

    /// Commands without an answer.
    pub const fn unanswered(&self) -> usize {
        self.outbox.unanswered()
    }

    /// Commands that may be pushed now without an answer.
    pub fn credits(&self) -> usize {
        self.welcome().map_or(0, |found| found.in_flight_max - self.outbox.unanswered())
    }

    /// Number of the next new command.
    pub const fn sequence_next(&self) -> u64 {
        self.sequence_next
    }

    /// Tells the time, Unix milliseconds; frames say when they were made.
    pub const fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// Puts a new command into the frame being filled and returns its number.
    /// [`WireError::Full`]: take an answer first. [`WireError::NotOpen`]: not welcomed.
    pub fn push(&mut self, command: &Command<'_>, extras: Extras<'_>) -> Result<u64, WireError> {
        let sequence = self.sequence_next;
        self.push_as(sequence, command, extras)?;
        Ok(sequence)
    }

    /// Sends a command under a number it had before, byte for byte the same: after an answer that
    /// said "later" (429, 503), or after it was forgotten. It must not wait for an answer.
    pub fn push_as(
        &mut self,
        sequence: u64,
        command: &Command<'_>,
        extras: Extras<'_>,
    ) -> Result<(), WireError> {
        assert!(sequence > 0 && !self.outbox.waits(sequence), "one at a time under a number");
        if self.welcome().is_none() {
            return Err(WireError::NotOpen);
        }
        if self.credits() == 0 || !self.outbox.make_room(COMMAND_BYTES_USUAL) {
            return Err(WireError::Full { unanswered: self.unanswered() });
        }
        let encode = |out: &mut Vec<u8>| command.encode(out, sequence, extras);
        let length = self.outbox.push(sequence, encode)?;
        if self.frame_too_large() {
            // It goes into a frame of its own.
            self.outbox.pop();
            let most = self.payload_bytes_max();
            if length > most {
                return Err(WireError::TooLarge { bytes: length, bytes_max: most });
            }
            self.flush();
            self.outbox.push(sequence, encode)?;
        }
        self.sequence_next = self.sequence_next.max(sequence + 1);
        self.flush_when_full();
        Ok(())
    }

    /// Nobody waits for this command's answer any more: it will not be sent again. Only before the
    /// connection is given up, since an answer that nobody waits for is a broken protocol.
    pub fn forget(&mut self, sequence: u64) {
        self.outbox.answered(sequence);
    }

    /// As [`Machine::forget`], of every command; the connection is given up.
    pub fn forget_all(&mut self) {
        self.disconnected();
        self.outbox = Outbox::default();
    }

    /// Ends the frame being filled, if there is one: it can be transmitted.
    pub fn flush(&mut self) {
        if self.outbox.frame().is_none() {
            return;
        }
        let Phase::Open { welcome, keys } = &self.phase else { return };
        let Identity { signer, session, .. } = &self.identity;
        let hash_bytes = u8::try_from(TAG_BYTES_HASH).expect("32");
        let header = FrameHeader {
            length_bytes: 0.into(),
            kind: FRAME_COMMANDS,
            tag_bytes: if keys.is_some() { hash_bytes } else { registered_tag_bytes(signer) },
            count: 0.into(),
            sequence: self.frames_out.into(),
            created_ms: self.now_ms.into(),
        };
        self.frames_out += 1;
        let base = &mut self.base;
        self.outbox.seal(header, |bytes, start, header, commands| {
            if let Some(keys) = keys {
                let tag = session_tag(&keys.client, &bytes[start..]);
                bytes.extend_from_slice(&tag);
                return;
            }
            let front = FrameBase {
                domain: DOMAIN_FRAME,
                session: *session,
                connection: welcome.connection,
                header: *header,
            };
            let payload = &bytes[start + HEADER_BYTES..];
            if let Some(code) = signer.code(&[front.as_bytes(), payload]) {
                bytes.extend_from_slice(code.as_bytes());
                return;
            }
            base.clear();
            base.extend_from_slice(front.as_bytes());
            for (start, end) in commands {
                base.extend_from_slice(&command_digest(&bytes[start..end]));
            }
            let signature = signer.tag(base);
            bytes.extend_from_slice(signature.as_bytes());
        });
    }

    /// Keeps an idle connection open: an empty frame, which is answered by one.
    pub fn keep_alive(&mut self) {
        if self.welcome().is_some() {
            self.outbox.open();
            self.flush();
        }
    }

    /// Bytes to write.
    pub fn transmit(&self) -> &[u8] {
        match &self.phase {
            Phase::Opening { opening, sent } => &opening.bytes[*sent..],
            Phase::Open { .. } => self.outbox.transmit(),
            Phase::Apart => &[],
        }
    }

    /// The first `count` of them are written.
    pub fn transmitted(&mut self, count: usize) {
        match &mut self.phase {
            Phase::Opening { sent, .. } => *sent += count,
            Phase::Open { .. } => self.outbox.transmitted(count),
            Phase::Apart => assert_eq!(count, 0, "there was nothing to write"),
        }
    }

    /// Where to read into; empty when answers must be taken first.
    pub fn space(&mut self) -> &mut [u8] {
        self.inbox.space()
    }

    /// `count` bytes were read into the space.
    pub fn received(&mut self, count: usize) {
        self.inbox.filled(count);
    }

    /// Whether [`Machine::next_answer`] has one. Takes whole frames, the welcome too. After an
    /// error the connection is of no use: [`Machine::disconnected`].
    pub fn answer_ready(&mut self) -> Result<bool, WireError> {
        loop {
            if self.inbox.rest_of_batch()?.is_some() {
                return Ok(true);
            }
            if !self.take_frame()? {
                return Ok(false);
            }
        }
    }

    /// Whether more answers of the frame of the last one are to be taken.
    pub fn in_frame(&self) -> bool {
        self.inbox.in_batch()
    }

    /// The next answer, or `None` until more is received. After an error the connection is of no
    /// use: [`Machine::disconnected`].
    pub fn next_answer(&mut self) -> Result<Option<Answer<'_>>, WireError> {
        if !self.answer_ready()? {
            return Ok(None);
        }
        let Some(rest) = self.inbox.rest_of_batch()? else { return Ok(None) };
        let (header, _) = split::<AnswerHeader>(self.inbox.bytes(rest.clone()))?;
        let length = super::answer::length(header.length_bytes.get());
        if length < size_of::<AnswerHeader>() || length > rest.len() {
            return Err(broken("an answer of an impossible length"));
        }
        if !self.outbox.answered(header.sequence.get()) {
            return Err(broken("an answer that nobody waits for"));
        }
        self.inbox.take_answer(length);
        Answer::parse(self.inbox.bytes(rest.start..rest.start + length)).map(Some)
    }

    /// Takes the next whole frame; `false` when there is none.
    fn take_frame(&mut self) -> Result<bool, WireError> {
        let Some((header, range)) = self.inbox.frame()? else { return Ok(false) };
        if header.sequence.get() != self.frames_in {
            return Err(broken("a frame out of its order"));
        }
        self.frames_in += 1;
        match (&self.phase, header.kind) {
            (Phase::Opening { opening, .. }, FRAME_WELCOME) => {
                let frame = self.inbox.bytes(range.clone());
                let signer = &self.identity.signer;
                let (welcome, keys) = opening.welcomed(signer, &header, frame)?;
                self.inbox.drop_frame(&range);
                self.phase = Phase::Open { welcome, keys };
                self.send_again()?;
            }
            (Phase::Opening { .. }, FRAME_CLOSING) => return Err(self.closed(&header, range)),
            (Phase::Open { keys, .. }, FRAME_ANSWERS | FRAME_CLOSING) => {
                check_tag(keys.as_ref(), &header, self.inbox.bytes(range.clone()))?;
                if header.kind == FRAME_CLOSING {
                    return Err(self.closed(&header, range));
                }
                self.inbox.begin_batch(&range, &header);
            }
            _ => return Err(broken("a frame of a kind that is not due")),
        }
        Ok(true)
    }

    fn closed(&self, header: &FrameHeader, range: std::ops::Range<usize>) -> WireError {
        let end = range.end - usize::from(header.tag_bytes);
        match Problem::parse(self.inbox.bytes(range.start + HEADER_BYTES..end)) {
            Ok(problem) => WireError::Closed {
                name: problem.name.to_owned(),
                detail: problem.detail.to_owned(),
                retry: CLOSINGS_MOMENTARY.contains(&problem.name),
            },
            Err(error) => error,
        }
    }

    /// Frames everything unanswered for the connection that was just welcomed.
    fn send_again(&mut self) -> Result<(), WireError> {
        if self.welcome().is_some_and(|found| found.in_flight_max < self.outbox.unanswered()) {
            return Err(broken("the node takes fewer commands than are unanswered"));
        }
        for _ in 0..self.outbox.begin_again() {
            let Some((_, length)) = self.outbox.next_again() else { continue };
            if self.frame_too_large() {
                self.resplit(length)?;
            }
            self.flush_when_full();
        }
        self.flush();
        Ok(())
    }

    /// The last command made its frame too large: it goes into the next one.
    fn resplit(&mut self, length: usize) -> Result<(), WireError> {
        let most = self.payload_bytes_max();
        if length > most {
            return Err(WireError::TooLarge { bytes: length, bytes_max: most });
        }
        let (sequence, bytes) = self.outbox.take_last();
        self.flush();
        self.outbox.push(sequence, |out| {
            out.extend_from_slice(&bytes);
            Ok(())
        })?;
        Ok(())
    }

    fn payload_bytes_max(&self) -> usize {
        let tag_bytes = usize::from(registered_tag_bytes(&self.identity.signer));
        self.welcome().map_or(0, |found| found.frame_bytes_max - HEADER_BYTES - tag_bytes)
    }

    fn frame_too_large(&self) -> bool {
        self.outbox.frame_bytes() > HEADER_BYTES + self.payload_bytes_max()
    }

    fn flush_when_full(&mut self) {
        let most = self.welcome().map_or(0, |found| found.commands_max);
        if self.outbox.frame().is_some_and(|frame| usize::from(frame.count) >= most) {
            self.flush();
        }
    }
}

fn check_tag(
    keys: Option<&SessionKeys>,
    header: &FrameHeader,
    frame: &[u8],
) -> Result<(), WireError> {
    let (untagged, tag) = frame.split_at(frame.len() - usize::from(header.tag_bytes));
    let holds = match keys {
        Some(keys) => same(&session_tag(&keys.server, untagged), tag),
        None => tag.is_empty(),
    };
    if holds { Ok(()) } else { Err(broken("a frame with a wrong tag")) }
}

const fn broken(reason: &'static str) -> WireError {
    WireError::Protocol { reason }
}
