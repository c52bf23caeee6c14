//! From received bytes to decisions: the receiving half of a turn.
//!
//! Owns what happens to one request on the core that accepts it: authenticate, check the role and
//! the limits, decode, remember who waits, hand it to its shard. A request that finds no room in
//! its shard's block waits encoded at the front of the inbox, and its connection is not read on
//! until then; one whose core is behind is answered 503.

use std::sync::Arc;

use claw_common::id::ShardId;
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, ReplyTo, Request};
use claw_core::shard::Shard;
use rand::RngCore as _;

use crate::buffer::ReceivedBuffer;
use crate::ingest::decode::{Input, Routed, Target, decode, decode_ticket};
use crate::ingest::http::{self, Event, Expiry, Flow, Ticket};
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::render::{Renderer, ReplyContext};
use crate::ingest::routes::Route;
use crate::ingest::tls::{Handshake, Received, SessionError};
use crate::ingest::wire::Protocol;
use crate::ring::ConnectionId;
use crate::subjects::{Carried, SealError};

use super::core::{Core, CoreError};
use super::envelope::{Envelope, ReplyAddress, encode_request};
use super::gate::{Admitted, Gate};
use super::peer::Peer;
use super::pending::{Asker, Gather, Pending, Place, Stage};
use super::slab::SlabKey;
use super::transport::Transport;
use super::work::Work;

/// Who asked, in the form a command needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender<'a> {
    pub(super) key: u32,
    pub(super) auth_mode: AuthMode,
    pub(super) evidence: &'a [u8],
}

impl Core {
    /// Takes received bytes; gives them back while requests before them wait for room.
    pub(super) fn serve(
        &mut self,
        connection: ConnectionId,
        mut buffer: ReceivedBuffer,
    ) -> Result<Option<Work>, CoreError> {
        if self.short_of_room {
            return Ok(Some(Work::Bytes { connection, buffer }));
        }
        self.with_peer(connection, |core, gate, peer| {
            let mut transport = std::mem::take(&mut peer.transport);
            let received = transport.receive(&mut buffer, &mut |bytes| {
                core.take_bytes(gate, peer, bytes);
            });
            peer.transport = transport;
            core.take_received(gate, peer, received);
        })?;
        Ok(None)
    }

    /// Acts on what bytes brought beside requests.
    fn take_received(&mut self, gate: &mut Gate, peer: &mut Peer, received: Received) {
        let metrics = gate.metrics_mut().tls();
        match received.established {
            Some(Handshake::Resumed) => metrics.resumed(),
            Some(Handshake::Full) => metrics.established(),
            None => {}
        }
        if received.finished {
            peer.finish();
        }
        let Some(error) = received.failed else { return };
        metrics.failed(error);
        if error == SessionError::PlainHttp {
            // Answered in plain, since that is what was asked; then closed.
            peer.transport = Transport::Plain;
            let detail = "this port speaks TLS: ask again with https://";
            let problem = Problem::malformed(detail);
            self.with_http(peer, |core, peer, http| {
                http.reject(&problem, &mut |event| core.take_event(gate, peer, event));
            });
        }
    }

    /// Goes on with a connection that was stopped for want of room; `false` when there is none yet.
    pub(super) fn serve_stalled(&mut self, connection: ConnectionId) -> Result<bool, CoreError> {
        if self.short_of_room {
            self.stalled.push_front(connection);
            return Ok(false);
        }
        self.with_peer(connection, |core, gate, peer| {
            peer.stalled = false;
            if peer.socket.is_some() {
                return;
            }
            if peer.wire.is_some() {
                return core.resume_wire(gate, peer);
            }
            core.with_http(peer, |core, peer, http| {
                let now_ms = core.now_ms;
                http.resume(now_ms, &mut |event| core.take_event(gate, peer, event));
            });
        })?;
        Ok(true)
    }

    /// Acts on a connection's passed deadline.
    pub(super) fn expire(&mut self, connection: ConnectionId) -> Result<(), CoreError> {
        let mut idle = false;
        let mut late = false;
        self.with_peer(connection, |core, gate, peer| {
            let now_ms = core.now_ms;
            late = peer.transport.deadline_ms() <= now_ms;
            if late {
                gate.metrics_mut().tls().failed(SessionError::Late);
                return;
            }
            if peer.socket.is_some() {
                late = core.expire_socket(peer);
                return;
            }
            if peer.wire.is_some() {
                idle = core.expire_wire(gate, peer) && peer.idle();
                return;
            }
            core.with_http(peer, |core, peer, http| {
                let expiry = http.expire(now_ms, &mut |event| core.take_event(gate, peer, event));
                idle = expiry == Expiry::Idle && peer.idle();
            });
        })?;
        let Some(peer) = self.peers.touch(connection) else { return Ok(()) };
        if late {
            peer.abort(&mut self.ring)?;
        } else if idle {
            peer.end();
        }
        Ok(())
    }

    /// Works on a connection beside the rest of the core.
    fn with_peer(
        &mut self,
        connection: ConnectionId,
        work: impl FnOnce(&mut Self, &mut Gate, &mut Peer),
    ) -> Result<(), CoreError> {
        let Some(mut peer) = self.peers.take(connection) else { return Ok(()) };
        let mut gate = self.gate.take().expect("put back after each use");
        work(self, &mut gate, &mut peer);
        self.gate = Some(gate);
        self.peers.put_back(peer);
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Works on a connection's HTTP beside the connection.
    fn with_http(
        &mut self,
        peer: &mut Peer,
        work: impl FnOnce(&mut Self, &mut Peer, &mut http::Connection),
    ) {
        let fresh = http::Connection::new(self.now_ms, self.timeouts);
        let mut http = std::mem::replace(&mut peer.http, fresh);
        work(self, peer, &mut http);
        peer.http = http;
    }

    /// Takes a connection's bytes, in whichever protocol it speaks.
    fn take_bytes(&mut self, gate: &mut Gate, peer: &mut Peer, bytes: &[u8]) {
        if peer.socket.is_some() {
            return self.serve_socket(peer, bytes);
        }
        if peer.wire.is_some() {
            return self.serve_wire(gate, peer, bytes);
        }
        match peer.preface.look(bytes) {
            (Protocol::Http, bytes) => self.with_http(peer, |core, peer, http| {
                let now_ms = core.now_ms;
                http.ingest(bytes, now_ms, &mut |event| core.take_event(gate, peer, event));
            }),
            (Protocol::Wire, rest) => {
                peer.speak_wire(self.now_ms, self.timeouts);
                self.serve_wire(gate, peer, rest);
            }
        }
    }

    fn take_event(&mut self, gate: &mut Gate, peer: &mut Peer, event: Event<'_>) -> Flow {
        match event {
            Event::Request(request) => {
                Self::count(&self.counters().requests_count, 1);
                let ticket = peer.answers.open();
                let mut context = gate.context(request);
                let taken = self.take_request(gate, peer, ticket, &mut context, request);
                if let Err(problem) = &taken {
                    gate.refuse(peer, ticket, context, problem);
                }
                if taken.is_ok() && context.route == Some(Route::Socket) {
                    // What comes behind it is no request, or waits for its refusal.
                    peer.pipeline_full = peer.socket.is_none();
                    return Flow::Pause;
                }
            }
            Event::Continue => {
                let ticket = peer.answers.open();
                peer.answers.complete(ticket, &mut peer.send, Renderer::proceed);
            }
            Event::Refused(problem) => {
                let ticket = peer.answers.open();
                gate.refuse(
                    peer,
                    ticket,
                    ReplyContext { close: true, ..ReplyContext::default() },
                    problem,
                );
                return Flow::Close;
            }
        }
        if self.short_of_room {
            peer.stalled = true;
            self.stalled.push_back(peer.id);
            return Flow::Pause;
        }
        if !peer.has_room() {
            peer.pipeline_full = true;
            return Flow::Pause;
        }
        Flow::Continue
    }

    fn take_request(
        &mut self,
        gate: &mut Gate,
        peer: &mut Peer,
        ticket: Ticket,
        context: &mut ReplyContext,
        request: &http::Request<'_>,
    ) -> Result<(), Problem> {
        let now_ms = self.now_ms;
        let matched = gate.route(request)?;
        let route = matched.route;
        context.route = Some(route);
        if route == Route::Socket {
            let asker = Asker { connection: peer.id, place: Place::Http(ticket, *context) };
            return self.open_socket((gate, peer), asker, request);
        }
        if route == Route::PaymentWebhook {
            let place = Place::Http(ticket, *context);
            return self.forward_webhook(Asker { connection: peer.id, place }, request);
        }
        if !route.spec().signed() {
            let shared = Arc::clone(&self.shared);
            peer.answers.complete(ticket, &mut peer.send, |out| {
                gate.answer_open(out, *context, &matched, &shared);
            });
            return Ok(());
        }
        let Admitted { caller, evidence, schema, settings, scratch, limits, sealer } =
            gate.admit(request, route, now_ms)?;
        let sender = Sender { key: caller.key, auth_mode: caller.auth_mode, evidence };
        let input = Input { request, matched, caller: &caller, schema, settings, now_ms };
        let place = Place::Http(ticket, *context);
        let asker = Asker { connection: peer.id, place };
        if route == Route::TicketCreate {
            let wish = decode_ticket(&input, scratch)?;
            return self.take_ticket((gate, peer), asker, wish);
        }
        decode(&input, scratch, |routed| {
            // A token's session was counted at the gate.
            if caller.session.is_none()
                && let Some(session) = session_of(&routed.command)
            {
                limits.admit_session(session, now_ms * 1_000)?;
            }
            let Routed { command, extra, identity, .. } = *routed;
            let carried = Carried { command, extra, identity, evidence: sender.evidence };
            let Carried { command, extra, identity, evidence } =
                sealer.seal(carried).map_err(unsealed)?;
            let sender = Sender { evidence, ..sender };
            self.dispatch(&Routed { command, identity, extra, ..*routed }, sender, asker)
        })?
    }

    /// Hands a command to whoever decides it.
    pub(super) fn dispatch(
        &mut self,
        routed: &Routed<'_>,
        sender: Sender<'_>,
        asker: Asker,
    ) -> Result<(), Problem> {
        for position in routed.after {
            let known = self.shared.position(position.shard).unwrap_or(0);
            if known < position.sequence {
                let detail = format!("shard {} is at {known}; ask again", position.shard);
                return Err(Problem::new(ProblemKind::Behind, detail));
            }
        }
        let mut request = Request {
            command: routed.command,
            identity: routed.identity,
            reply_to: ReplyTo(0),
            key: sender.key,
            auth_mode: sender.auth_mode,
            accepted: self.next_stamp(),
            entropy: self.entropy.next_u64(),
            extra: routed.extra,
            extra_type: routed.extra_type,
            evidence: sender.evidence,
        };
        match routed.target {
            Target::Shard(shard) => {
                let receipt = matches!(request.command, Command::ReadOrderRecords { .. });
                let stage = if receipt { Stage::Receipt } else { Stage::Answer };
                let key = self.wait(asker, stage)?;
                request.reply_to = self.reply_to(key);
                self.send_request(shard, &request, key)
            }
            Target::PriceThen { sku, price_at, home } => {
                let key = self.wait(asker, Stage::Answer)?;
                request.reply_to = self.reply_to(key);
                let held = encode_request(&request);
                let pending = self.pending.find(key).expect("just inserted");
                pending.stage = Stage::Price { home, request: held };
                request.command = Command::ReadProduct { sku };
                request.identity = CommandKey::default();
                request.extra = &[];
                request.extra_type = ExtraType::default();
                request.evidence = &[];
                self.send_request(price_at, &request, key)
            }
            Target::All => self.gather(&mut request, asker),
        }
    }

    fn gather(&mut self, request: &mut Request<'_>, asker: Asker) -> Result<(), Problem> {
        let Command::ListProducts { limit, .. } = request.command else {
            unreachable!("only lists go to every shard")
        };
        let shards_count = self.placement.shards_count();
        let outstanding = usize::from(shards_count);
        let gather = Gather { outstanding, limit, parts: Vec::new() };
        let key = self.wait(asker, Stage::Gather(gather))?;
        request.reply_to = self.reply_to(key);
        for shard in (0..shards_count).map(ShardId) {
            self.send_request(shard, request, key)?;
        }
        Ok(())
    }

    /// Remembers who waits.
    pub(super) fn wait(&mut self, asker: Asker, stage: Stage) -> Result<SlabKey, Problem> {
        self.pending.insert(Pending { asker: Some(asker), stage }).map_err(|_full| {
            Self::count(&self.counters().overloaded_count, 1);
            let detail = "too many requests are under way; try again in a second";
            Problem::new(ProblemKind::Overloaded, detail)
        })
    }

    pub(super) fn reply_to(&self, key: SlabKey) -> ReplyTo {
        ReplyAddress { core: self.id, generation: key.generation, index: key.index }.pack()
    }

    /// Sends a request to its shard; when its core is behind, nobody waits any more.
    pub(super) fn send_request(
        &mut self,
        shard: ShardId,
        request: &Request<'_>,
        key: SlabKey,
    ) -> Result<(), Problem> {
        let core = self.placement.core_of(shard);
        if core == self.id {
            self.decide_here(shard, request);
            return Ok(());
        }
        let envelope = Envelope::Request { shard, request: encode_request(request) };
        self.mesh.try_send(core, envelope).map_err(|_full| {
            self.pending.remove(key);
            Self::count(&self.counters().overloaded_count, 1);
            let detail = "the core of this shard is behind; try again in a second";
            Problem::new(ProblemKind::Overloaded, detail)
        })
    }

    fn decide_here(&mut self, shard: ShardId, request: &Request<'_>) {
        let lane = self.lane_index(shard).expect("placed on this core");
        match self.make_room(lane, Shard::decision_bytes_max(request)) {
            Ok(true) => self.lanes[lane].decide(request, self.now_ms),
            Ok(false) => {
                self.short_of_room = true;
                let request = encode_request(request);
                self.inbox.push_front(Work::Request { shard, request });
            }
            Err(failure) => self.failure = Some(failure),
        }
    }
}

/// What cannot be sealed is not taken.
pub(super) fn unsealed(error: SealError) -> Problem {
    let detail = format!("personal members cannot be sealed: {error}");
    Problem::new(ProblemKind::CapacityFull, detail)
}

/// The shopper a command is for, where it names one.
pub(super) fn session_of<'a>(command: &Command<'a>) -> Option<&'a str> {
    match *command {
        Command::CreateCart { session }
        | Command::CreateHold { session, .. }
        | Command::JoinLine { session, .. }
        | Command::Checkout { session, .. } => Some(session),
        Command::SetCartItem { session, .. }
        | Command::ReadCart { session, .. }
        | Command::ReadHold { session, .. }
        | Command::ReleaseHold { session, .. }
        | Command::ExtendHold { session, .. }
        | Command::ReadOrder { session, .. }
        | Command::ReadOrderRecords { session, .. }
        | Command::AdvanceOrder { session, .. } => session,
        _ => None,
    }
}
