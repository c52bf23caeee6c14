//! Peers: the connections of one core, with what they sent and what they are owed.
//!
//! Owns the two send buffers of each connection (one with the kernel, one filling) and the rules of
//! ending: what was asked is answered, what was answered is sent, then the socket closes. Knows
//! HTTP's framing through `ingest::http`, the wire's through `ingest::wire`, encryption through
//! [`Transport`], and nothing of what
//! requests mean.

use claw_common::time::UnixMs;

use crate::ingest::http::{Connection, ResponseQueue, Timeouts};
use crate::ingest::socket::Session;
use crate::ingest::wire::{Framing, Link, Preface, Wire};
use crate::ring::{ConnectionId, CoreRing, RingError};

use super::transport::Transport;

/// A buffer that grew beyond this for one large answer is given back.
const SEND_BUFFER_BYTES_KEPT: usize = 64 * 1024;
/// With this much to send behind what is being sent, the client does not listen: it is not heard
/// either, until it does.
const UNSENT_BYTES_MAX: usize = 256 * 1024;
/// What all connections of a core together may keep beyond their share, while receives that are to
/// stop have not stopped: eight receive pools. The connection that would exceed it is closed.
const OVERRUN_BYTES_MAX: usize = 64 << 20;

/// One connection.
#[derive(Debug)]
pub struct Peer {
    /// Its id on the ring.
    pub(super) id: ConnectionId,
    /// How its bytes travel.
    pub(super) transport: Transport,
    /// What its first bytes say of its protocol.
    pub(super) preface: Preface,
    /// The receiving half, while the connection speaks HTTP.
    pub(super) http: Connection,
    /// Set once it speaks the wire protocol.
    pub(super) wire: Option<Box<Wire>>,
    /// Set once it is a WebSocket.
    pub(super) socket: Option<Box<Session>>,
    /// Answers owed, in order.
    pub(super) answers: ResponseQueue,
    /// Answers to send next, not encrypted yet.
    pub(super) send: Vec<u8>,
    /// Waits in the core's list of peers to go on with.
    pub(super) stalled: bool,
    /// Has as many unanswered requests, or unsent answers, as it may.
    pub(super) pipeline_full: bool,
    /// What it keeps beyond its share, as counted in the sum of all.
    overrun_bytes: usize,
    spare: Vec<u8>,
    sending: bool,
    dirty: bool,
    receiving: bool,
    finished: bool,
    closed: bool,
}

impl Peer {
    /// A connection just accepted.
    pub fn new(id: ConnectionId, transport: Transport, http: Connection) -> Self {
        Self {
            id,
            http: http.carried_by(transport.scheme()),
            transport,
            preface: Preface::default(),
            wire: None,
            socket: None,
            answers: ResponseQueue::default(),
            send: Vec::new(),
            stalled: false,
            pipeline_full: false,
            overrun_bytes: 0,
            spare: Vec::new(),
            sending: false,
            dirty: false,
            receiving: true,
            finished: false,
            closed: false,
        }
    }

    /// When it is to be looked at whatever happens; `u64::MAX` for never.
    pub fn deadline_ms(&self) -> UnixMs {
        let protocol_ms = match (&self.socket, &self.wire) {
            (Some(socket), _) => socket.deadline_ms(),
            (None, Some(wire)) => wire.framing.deadline_ms(),
            (None, None) => self.http.deadline_ms(),
        };
        protocol_ms.min(self.transport.deadline_ms())
    }

    /// The connection speaks the wire protocol from here on.
    pub fn speak_wire(&mut self, now_ms: UnixMs, timeouts: Timeouts) {
        self.http = Connection::new(now_ms, timeouts);
        let framing = Framing::new(now_ms, timeouts);
        self.wire = Some(Box::new(Wire { framing, link: Link::default() }));
    }

    /// The connection is a WebSocket from here on; what came behind its request is not read.
    pub fn open_socket(&mut self, session: Session) {
        self.pipeline_full = false;
        self.socket = Some(Box::new(session));
    }

    /// Takes a sent buffer back for the next answers.
    pub fn sent(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        buffer.shrink_to(self.bytes_kept());
        self.spare = buffer;
        self.sending = false;
    }

    /// Room of a send buffer that is kept: over the wire every batch of answers needs it again.
    const fn bytes_kept(&self) -> usize {
        if self.wire.is_some() { UNSENT_BYTES_MAX } else { SEND_BUFFER_BYTES_KEPT }
    }

    /// The client will send nothing more; what it is owed is still sent.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// Moves the connection on: sends what waits, stops or starts receiving, closes when done.
    pub fn advance(&mut self, ring: &mut CoreRing) -> Result<(), RingError> {
        if self.closed {
            return Ok(());
        }
        if self.transport.failed() {
            self.stop_reading();
        }
        self.flush(ring)?;
        let (reading, ended) = match (&self.socket, &self.wire) {
            (Some(socket), _) => (!socket.ended(), socket.ended() || self.http.closed()),
            (None, Some(wire)) => (wire.framing.wants_bytes(), wire.framing.closed()),
            (None, None) => (self.http.wants_bytes(), self.http.closed()),
        };
        let wants_bytes = reading && !self.stalled && !self.finished;
        if wants_bytes != self.receiving && !self.finished {
            if wants_bytes {
                ring.receive(self.id)?;
            } else {
                ring.pause_receive(self.id)?;
            }
            self.receiving = wants_bytes;
        }
        if self.idle() && (self.finished || ended) {
            if self.transport.say_goodbye() {
                return self.flush(ring);
            }
            self.close(ring)?;
        }
        Ok(())
    }

    /// Sends what waits, when nothing is being sent.
    fn flush(&mut self, ring: &mut CoreRing) -> Result<(), RingError> {
        let waits = !self.send.is_empty() || self.transport.owes_bytes();
        if !waits || self.sending || !ring.may_send(self.id) {
            return Ok(());
        }
        if let Some(wire) = &mut self.wire {
            wire.link.answers.seal(&mut self.send);
        }
        let mut buffer = std::mem::take(&mut self.spare);
        self.transport.seal(&mut self.send, &mut buffer);
        self.send.shrink_to(self.bytes_kept());
        if buffer.is_empty() {
            self.spare = buffer;
            return Ok(());
        }
        self.sending = true;
        ring.send(self.id, buffer)
    }

    /// Reads nothing more, and ends the connection once what it is owed is sent.
    pub fn end(&mut self) {
        self.http.close();
        if let Some(wire) = &mut self.wire {
            wire.framing.close();
        }
    }

    /// Reads nothing more, and owes nothing more.
    fn stop_reading(&mut self) {
        self.end();
        self.answers.clear();
        if let Some(wire) = &mut self.wire {
            wire.link.in_flight_count = 0;
        }
    }

    /// Ends the connection whatever it is owed.
    pub fn close(&mut self, ring: &mut CoreRing) -> Result<(), RingError> {
        if !self.closed {
            self.closed = true;
            self.stop_reading();
            ring.close(self.id)?;
        }
        Ok(())
    }

    /// The same, now: a client that does not read cannot keep it open.
    pub fn abort(&mut self, ring: &mut CoreRing) -> Result<(), RingError> {
        self.closed = true;
        self.stop_reading();
        ring.abort(self.id)
    }

    /// Whether another request may be taken.
    pub fn has_room(&self) -> bool {
        self.answers.has_room() && self.send.len() < UNSENT_BYTES_MAX
    }

    /// Whether nothing is under way.
    pub fn idle(&self) -> bool {
        let owed = self.wire.as_ref().is_some_and(|wire| wire.link.in_flight_count > 0);
        self.answers.is_empty() && !owed && self.send.is_empty() && !self.sending
    }
}

/// Every connection of a core, by ring index.
#[derive(Debug)]
pub struct Peers {
    places: Vec<Option<Box<Peer>>>,
    dirty: Vec<u32>,
    scan_at: usize,
    count: usize,
    /// Sum over all peers that are in their places.
    overrun_bytes: usize,
}

impl Peers {
    /// Room for `count_max` connections.
    pub fn with_capacity(count_max: usize) -> Self {
        Self {
            places: (0..count_max).map(|_| None).collect(),
            dirty: Vec::with_capacity(count_max),
            scan_at: 0,
            count: 0,
            overrun_bytes: 0,
        }
    }

    /// Connections there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds a connection.
    pub fn insert(&mut self, peer: Peer) {
        let place = &mut self.places[peer.id.index()];
        assert!(place.is_none(), "the ring reuses an index only after Closed");
        *place = Some(Box::new(peer));
        self.count += 1;
    }

    /// Takes a connection out, to work on it beside the core; give it back with
    /// [`Peers::put_back`].
    pub fn take(&mut self, id: ConnectionId) -> Option<Box<Peer>> {
        let place = self.places.get_mut(id.index())?;
        let peer = place.take_if(|peer| peer.id == id)?;
        self.overrun_bytes -= peer.overrun_bytes;
        Some(peer)
    }

    /// The inverse of [`Peers::take`]; the connection is moved on at the end of the turn.
    pub fn put_back(&mut self, mut peer: Box<Peer>) {
        let index = peer.id.index();
        if self.overrun_bytes + peer.http.overrun_bytes() > OVERRUN_BYTES_MAX {
            log::warn!("a connection is closed: clients that do not read send more than fits");
            peer.http.close();
        }
        peer.overrun_bytes = peer.http.overrun_bytes();
        self.overrun_bytes += peer.overrun_bytes;
        if !peer.dirty {
            peer.dirty = true;
            self.dirty.push(u32::try_from(index).expect("a ring index"));
        }
        self.places[index] = Some(peer);
    }

    /// A connection to add answers to; it is moved on at the end of the turn.
    pub fn touch(&mut self, id: ConnectionId) -> Option<&mut Peer> {
        let index = id.index();
        let peer = self.places.get_mut(index)?.as_mut().filter(|peer| peer.id == id)?;
        if !peer.dirty {
            peer.dirty = true;
            self.dirty.push(u32::try_from(index).expect("a ring index"));
        }
        Some(peer)
    }

    /// Forgets a connection that is gone.
    pub fn remove(&mut self, id: ConnectionId) {
        if self.take(id).is_some() {
            self.count -= 1;
        }
    }

    /// Moves every touched connection on.
    pub fn advance(&mut self, ring: &mut CoreRing) -> Result<(), RingError> {
        while let Some(index) = self.dirty.pop() {
            if let Some(peer) = &mut self.places[index as usize] {
                peer.dirty = false;
                peer.advance(ring)?;
            }
        }
        Ok(())
    }

    /// Up to `count` connections whose deadline has passed, in turn over all of them: a full scan
    /// takes a fraction of a second, which is exact enough for timeouts of seconds.
    pub fn scan_overdue(&mut self, now_ms: UnixMs, count: usize, overdue: &mut Vec<ConnectionId>) {
        for _ in 0..count.min(self.places.len()) {
            self.scan_at = (self.scan_at + 1) % self.places.len();
            if let Some(peer) = &self.places[self.scan_at]
                && peer.deadline_ms() <= now_ms
            {
                overdue.push(peer.id);
            }
        }
    }

    /// Every connection, to be closed at shutdown.
    pub fn ids(&self) -> Vec<ConnectionId> {
        self.places.iter().flatten().map(|peer| peer.id).collect()
    }
}
