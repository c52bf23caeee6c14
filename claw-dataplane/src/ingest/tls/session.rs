//! One TLS connection: records as they arrive, answers as they leave.
//!
//! Records that lie whole in what was received are opened there; only an incomplete one is kept.
//! rustls gives each record's plaintext in memory of its own (it does not decrypt in place yet):
//! one allocation a record, the only one in steady state. Answers are encrypted straight into the
//! buffer that is sent. Bounds: at most [`INCOMPLETE_BYTES_MAX`] are kept, and a handshake has a
//! deadline; after it the protocol above has its own.
//!
//! Invariant: after a failure nothing more is opened or sealed, and only the alert leaves.

use std::fmt;

use claw_common::time::UnixMs;
use rustls::HandshakeKind;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, WriteTraffic};
use rustls::unbuffered::{EncodeTlsData, UnbufferedStatus};

use super::error::SessionError;
use super::identity::Identity;

/// The largest record: header, 16 KiB, and what encryption may add (RFC 8446 section 5.2).
const RECORD_BYTES_MAX: usize = 5 + 16 * 1024 + 256;
/// Most bytes kept because they make no whole message yet. An established session has less than
/// one record; a greeting in pieces may take two.
pub const INCOMPLETE_BYTES_MAX: usize = 2 * RECORD_BYTES_MAX;
/// A buffer larger than this is given back once it is empty.
const IDLE_BUFFER_BYTES_MAX: usize = 4 * 1024;
/// Plaintext in one record we send.
const FRAGMENT_BYTES: usize = 16 * 1024;
/// What sealing adds to each: header, content type, tag.
const SEAL_BYTES: usize = 5 + 1 + 16;
/// Room for `close_notify`, and for a key update and tickets that may stand before it.
const GOODBYE_BYTES: usize = 1024;

/// What received bytes brought beside plaintext.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The handshake has ended well just now.
    pub established: Option<Handshake>,
    /// The session has failed just now. After [`SessionError::PlainHttp`] nothing was used up and
    /// nothing is to be sent: the connection can be answered as it asked, in plain.
    pub failed: Option<SessionError>,
    /// The client will send nothing more, and said so.
    pub finished: bool,
}

/// How much of a handshake was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// All of it.
    Full,
    /// A ticket took up an earlier session.
    Resumed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing came yet: what comes may be no TLS at all.
    Silent,
    Handshake,
    Open,
    /// The client said `close_notify`.
    PeerFinished,
    Failed,
}

/// See the module.
pub struct Session {
    connection: UnbufferedServerConnection,
    phase: Phase,
    deadline_ms: UnixMs,
    /// Received and not whole.
    incoming: Vec<u8>,
    /// Handshake messages and alerts to send before anything else.
    outgoing: Vec<u8>,
    goodbye_said: bool,
}

/// Names no key and no byte of anybody.
impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl Session {
    /// A session under `identity` whose handshake must be over by `deadline_ms`.
    ///
    /// # Panics
    /// Never: identities are complete.
    pub fn new(identity: Identity, deadline_ms: UnixMs) -> Self {
        let connection = UnbufferedServerConnection::new(identity)
            .expect("only an impossible fragment size is refused");
        Self {
            connection,
            phase: Phase::Silent,
            deadline_ms,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            goodbye_said: false,
        }
    }

    /// Takes received bytes, which are overwritten, and gives the plaintext in them to `sink`,
    /// record by record.
    pub fn receive(&mut self, bytes: &mut [u8], sink: &mut impl FnMut(&[u8])) -> Received {
        if self.goodbye_said {
            // Nothing could be answered; and rustls takes a second alert for our mistake.
            return Received::default();
        }
        match self.phase {
            Phase::Silent if looks_like_http(bytes) => {
                self.phase = Phase::Failed;
                let failed = Some(SessionError::PlainHttp);
                return Received { failed, ..Received::default() };
            }
            Phase::Silent => self.phase = Phase::Handshake,
            Phase::Handshake | Phase::Open => {}
            // RFC 8446 section 6.1: what comes after is ignored.
            Phase::PeerFinished | Phase::Failed => return Received::default(),
        }
        let before = self.phase;
        let opened = self.open(bytes, sink);
        let mut received = Received::default();
        if before == Phase::Handshake && !self.connection.is_handshaking() {
            received.established = Some(match self.connection.handshake_kind() {
                Some(HandshakeKind::Resumed) => Handshake::Resumed,
                _ => Handshake::Full,
            });
        }
        match opened {
            Err(error) => {
                self.fail();
                received.failed = Some(error);
            }
            Ok(Ended::Yes) => self.phase = Phase::PeerFinished,
            Ok(Ended::No) if !self.connection.is_handshaking() => self.phase = Phase::Open,
            Ok(Ended::No) => {}
        }
        received.finished = self.phase == Phase::PeerFinished;
        received
    }

    /// Moves what is to be sent into `out`: handshake messages and alerts, then `answers`
    /// encrypted. Answers wait while the handshake lasts and are dropped after a failure.
    pub fn seal(&mut self, answers: &mut Vec<u8>, out: &mut Vec<u8>) {
        out.append(&mut self.outgoing);
        if answers.is_empty() {
            return;
        }
        match self.phase {
            Phase::Silent | Phase::Handshake => return,
            Phase::Failed => {}
            Phase::Open | Phase::PeerFinished => {
                if self.encrypt(answers, out).is_err() {
                    self.fail();
                    out.append(&mut self.outgoing);
                }
            }
        }
        answers.clear();
    }

    /// Queues `close_notify`, once; `true` when there is something to send for it.
    pub fn say_goodbye(&mut self) -> bool {
        if self.goodbye_said || !matches!(self.phase, Phase::Open | Phase::PeerFinished) {
            return false;
        }
        self.goodbye_said = true;
        let mut out = std::mem::take(&mut self.outgoing);
        let said = self.when_writable(&mut out, |mut traffic, out| {
            into_room(out, GOODBYE_BYTES, |room| traffic.queue_close_notify(room))
        });
        if said.is_err() {
            self.phase = Phase::Failed;
        }
        self.outgoing = out;
        !self.outgoing.is_empty()
    }

    /// When the handshake must be over; `u64::MAX` once it is.
    pub const fn deadline_ms(&self) -> UnixMs {
        match self.phase {
            Phase::Silent | Phase::Handshake => self.deadline_ms,
            Phase::Open | Phase::PeerFinished | Phase::Failed => UnixMs::MAX,
        }
    }

    /// Whether the session failed; once the alert is sent, close the socket.
    pub const fn failed(&self) -> bool {
        matches!(self.phase, Phase::Failed)
    }

    /// Whether an end of the connection now would cut the client off in the middle: it has not
    /// said that it is done.
    pub const fn truncated_by_end(&self) -> bool {
        matches!(self.phase, Phase::Handshake | Phase::Open)
    }

    /// Bytes waiting to be sent before any answer.
    pub const fn unsent_bytes(&self) -> usize {
        self.outgoing.len()
    }

    /// The application protocol agreed on; `None` when the client named none.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    fn open(
        &mut self,
        bytes: &mut [u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<Ended, SessionError> {
        let mut kept = std::mem::take(&mut self.incoming);
        let (used, ended) = if kept.is_empty() {
            let (used, ended) = self.open_all(bytes, sink)?;
            kept.extend_from_slice(&bytes[used..]);
            (0, ended)
        } else {
            kept.extend_from_slice(bytes);
            self.open_all(&mut kept, sink)?
        };
        kept.drain(..used);
        if kept.is_empty() && kept.capacity() > IDLE_BUFFER_BYTES_MAX {
            kept = Vec::new();
        }
        if kept.len() > INCOMPLETE_BYTES_MAX {
            return Err(SessionError::Garbled);
        }
        self.incoming = kept;
        Ok(ended)
    }

    /// Opens every whole record at the front of `bytes` and says how many bytes they were.
    fn open_all(
        &mut self,
        bytes: &mut [u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(usize, Ended), SessionError> {
        let mut used = 0;
        let mut ended = Ended::No;
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut bytes[used..]);
            let mut more = true;
            let state = match state {
                Ok(state) => state,
                Err(error) => {
                    used += discard;
                    take_alert(&mut self.connection, &mut bytes[used..], &mut self.outgoing);
                    return Err(SessionError::from(&error));
                }
            };
            match state {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(|error| SessionError::from(&error))?;
                        discard += record.discard;
                        sink(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(data) => encode(data, &mut self.outgoing)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => ended = Ended::Yes,
                ConnectionState::BlockedHandshake
                | ConnectionState::WriteTraffic(_)
                | ConnectionState::Closed => more = false,
                // Early data is off; anything else is not known to us.
                _ => return Err(SessionError::Other),
            }
            used += discard;
            if !more {
                return Ok((used, ended));
            }
        }
    }

    fn encrypt(&mut self, answers: &[u8], out: &mut Vec<u8>) -> Result<(), SessionError> {
        let fragments = answers.len().div_ceil(FRAGMENT_BYTES);
        let room = answers.len() + fragments * SEAL_BYTES;
        self.when_writable(out, |mut traffic, out| {
            into_room(out, room, |room| traffic.encrypt(answers, room))
        })
    }

    /// Lets what stands before application data out, then writes.
    fn when_writable(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnOnce(
            WriteTraffic<'_, ServerConnectionData>,
            &mut Vec<u8>,
        ) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        loop {
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut self.incoming);
            // Everything whole was opened when it came.
            assert_eq!(discard, 0, "what is kept is not whole");
            match state.map_err(|error| SessionError::from(&error))? {
                ConnectionState::EncodeTlsData(data) => encode(data, out)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::WriteTraffic(traffic) => return write(traffic, out),
                _ => return Err(SessionError::Other),
            }
        }
    }

    /// Nothing more is read or sealed, and rustls is asked nothing more.
    fn fail(&mut self) {
        self.phase = Phase::Failed;
        self.incoming = Vec::new();
    }
}

/// Whether the client has said that it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    No,
    Yes,
}

/// After an error, what rustls has still to send: the alert, and what it had queued before. Asked
/// only while there is something, and with the bytes it failed on: it remembers places in them and
/// panics when they are gone; asked for more it would fail again, and take that for our mistake.
fn take_alert(
    connection: &mut UnbufferedServerConnection,
    bytes: &mut [u8],
    outgoing: &mut Vec<u8>,
) {
    while connection.wants_write() {
        let state = connection.process_tls_records(bytes).state;
        let Ok(ConnectionState::EncodeTlsData(data)) = state else { return };
        if encode(data, outgoing).is_err() {
            return;
        }
    }
}

/// A record begins with its type, a small number; a request with a method, in capitals.
fn looks_like_http(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_uppercase)
}

fn encode(
    mut data: EncodeTlsData<'_, ServerConnectionData>,
    out: &mut Vec<u8>,
) -> Result<(), SessionError> {
    into_room(out, 0, |room| {
        data.encode(room).map_err(|error| match error {
            EncodeError::InsufficientSize(size) => EncryptError::InsufficientSize(size),
            EncodeError::AlreadyEncoded => EncryptError::EncryptExhausted,
        })
    })
}

/// Appends to `out` what `write` writes, in `room_bytes` or in as many as it asks for.
fn into_room(
    out: &mut Vec<u8>,
    room_bytes: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), SessionError> {
    let start = out.len();
    let mut room_bytes = room_bytes;
    loop {
        out.resize(start + room_bytes, 0);
        match write(&mut out[start..]) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(size)) if size.required_size > room_bytes => {
                room_bytes = size.required_size;
            }
            Err(_) => {
                out.truncate(start);
                return Err(SessionError::Other);
            }
        }
    }
}
