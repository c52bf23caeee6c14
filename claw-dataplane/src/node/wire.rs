//! Connections that speak the wire protocol: from frames to decisions, and answers back.
//!
//! Owns what a frame goes through on the core that accepts it: its key and tag once, then for each
//! command role, rates, decoding and the same `dispatch` as a request over HTTP. Knows nothing of
//! layouts: `ingest::wire` does.

use std::sync::Arc;

use claw_common::id::Position;
use claw_common::limits::{WIRE_COMMANDS_MAX, WIRE_FRAME_BYTES_MAX, WIRE_IN_FLIGHT_MAX};
use claw_common::time::UnixMs;
use claw_common::wire::{FRAME_HELLO, OUTCOME_VERSION, ShardPlace, VERSION, WelcomeHeader};
use claw_core::command::Command;
use claw_core::protocol::{CommandView, Frame};
use zerocopy::IntoBytes as _;
use zerocopy::little_endian::{U16, U32, U64};

use crate::ingest::auth::Keyring;
use crate::ingest::authorize;
use crate::ingest::decode::Routed;
use crate::ingest::http::{Expiry, Flow};
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::render::today::outcome_today;
use crate::ingest::routes::Route;
use crate::ingest::wire::ahead::expect_holds;
use crate::ingest::wire::answers::{Asked, welcome_frame};
use crate::ingest::wire::decode::{Input, decode, route_of};
use crate::ingest::wire::{Event, Link, Opening, Session, Stranger, Wire};
use crate::subjects::Carried;

use super::core::Core;
use super::gate::Gate;
use super::intake::{Sender, session_of, unsealed};
use super::peer::Peer;
use super::pending::{Asker, Place};

/// A command of the wire that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub struct WirePlace {
    /// Its number in the client's session.
    pub sequence: u64,
    /// The route of the same meaning.
    pub route: Route,
    /// Whether it waits for the order.
    pub waited: bool,
}

impl WirePlace {
    fn asked(self, now_ms: UnixMs) -> Asked {
        let checkout = self.route == Route::CheckoutCreate;
        Asked { sequence: self.sequence, checkout, waited: self.waited, now_ms }
    }
}

impl Core {
    /// Takes received bytes of a connection that speaks the wire protocol.
    pub(super) fn serve_wire(&mut self, gate: &mut Gate, peer: &mut Peer, bytes: &[u8]) {
        self.with_wire(peer, |core, peer, wire| {
            let Wire { framing, link } = wire;
            let now_ms = core.now_ms;
            framing.ingest(bytes, now_ms, &mut |event| {
                core.take_wire_event(gate, (&mut *peer, &mut *link), event)
            });
        });
    }

    /// Goes on with one that was stopped for want of room.
    pub(super) fn resume_wire(&mut self, gate: &mut Gate, peer: &mut Peer) {
        self.with_wire(peer, |core, peer, wire| {
            let Wire { framing, link } = wire;
            let now_ms = core.now_ms;
            framing.resume(now_ms, &mut |event| {
                core.take_wire_event(gate, (&mut *peer, &mut *link), event)
            });
        });
    }

    /// Acts on its passed deadline; `true` when nothing was asked for long.
    pub(super) fn expire_wire(&mut self, gate: &mut Gate, peer: &mut Peer) -> bool {
        let mut idle = false;
        self.with_wire(peer, |core, peer, wire| {
            let Wire { framing, link } = wire;
            let now_ms = core.now_ms;
            let expiry = framing.expire(now_ms, &mut |event| {
                core.take_wire_event(gate, (&mut *peer, &mut *link), event)
            });
            idle = expiry == Expiry::Idle && link.in_flight_count == 0;
        });
        idle
    }

    fn with_wire(&mut self, peer: &mut Peer, work: impl FnOnce(&mut Self, &mut Peer, &mut Wire)) {
        let Some(mut wire) = peer.wire.take() else { return };
        work(self, peer, &mut wire);
        peer.wire = Some(wire);
    }

    fn take_wire_event(
        &mut self,
        gate: &mut Gate,
        ends: (&mut Peer, &mut Link),
        event: Event<'_>,
    ) -> Flow {
        let (peer, link) = ends;
        match event {
            Event::Frame(frame) => {
                if let Err(problem) = self.take_frame(gate, (&mut *peer, &mut *link), frame) {
                    return gate.end_wire((peer, link), &problem, self.now_ms);
                }
            }
            Event::Command(bytes, place) => {
                Self::count(&self.counters().requests_count, 1);
                self.take_command(gate, (&mut *peer, &mut *link), (bytes, place));
            }
            Event::Refused(problem) => return gate.end_wire((peer, link), problem, self.now_ms),
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

    fn take_frame(
        &mut self,
        gate: &Gate,
        ends: (&mut Peer, &mut Link),
        frame: &Frame<'_>,
    ) -> Result<(), Problem> {
        let (peer, link) = ends;
        let keyring = Arc::clone(gate.keyring()?);
        let Some(session) = &mut link.session else {
            return self.welcome(&keyring, (peer, link), frame);
        };
        if frame.header.kind == FRAME_HELLO {
            return Err(Problem::malformed("a connection begins with one hello"));
        }
        session.admit(frame, &keyring, self.now_ms)?;
        let count = usize::from(frame.header.count.get());
        if count == 0 {
            link.answers.alive(&mut peer.send, self.now_ms);
        }
        link.in_flight_count += count;
        if link.in_flight_count > WIRE_IN_FLIGHT_MAX {
            let detail = format!("at most {WIRE_IN_FLIGHT_MAX} commands may be unanswered");
            return Err(Problem::new(ProblemKind::CreditsExceeded, detail));
        }
        self.wire_sessions.raise(session.identity_key(), frame.sequence_last());
        expect_holds(frame, session, self.placement.shards_count(), |shard| {
            self.lane_index(shard).map(|lane| self.lanes[lane].shard())
        });
        Ok(())
    }

    /// Answers a hello.
    fn welcome(
        &mut self,
        keyring: &Keyring,
        ends: (&mut Peer, &mut Link),
        hello: &Frame<'_>,
    ) -> Result<(), Problem> {
        let (peer, link) = ends;
        if hello.header.kind != FRAME_HELLO {
            return Err(Problem::malformed("a connection begins with a hello"));
        }
        let (mut connection, mut private) = ([0; 16], [0; 32]);
        let filled = getrandom::fill(&mut connection).and_then(|()| getrandom::fill(&mut private));
        filled.map_err(|_none| {
            Problem::new(ProblemKind::Internal, "the system gives no randomness")
        })?;
        let opening = Opening { hello, keyring, now_ms: self.now_ms, connection, private };
        let stranger = opening.admit()?;
        let frame = self.welcome_frame(&stranger);
        let session = stranger.agree(keyring, &frame)?;
        self.wire_sessions.note(session.identity_key());
        link.answers.welcome(&mut peer.send, &frame, &session);
        link.session = Some(session);
        Ok(())
    }

    fn welcome_frame(&self, stranger: &Stranger) -> Vec<u8> {
        let number = |bound: usize| U32::new(u32::try_from(bound).expect("a small bound"));
        let session = stranger.session();
        let shards_count = self.placement.shards_count();
        let header = WelcomeHeader {
            version: U16::new(VERSION),
            outcome_version: U16::new(OUTCOME_VERSION),
            shards_count: U16::new(shards_count),
            core: U16::new(self.id.0.into()),
            in_flight_max: number(WIRE_IN_FLIGHT_MAX),
            commands_max: number(WIRE_COMMANDS_MAX),
            frame_bytes_max: number(WIRE_FRAME_BYTES_MAX),
            reserved: U32::new(0),
            sequence_taken: U64::new(self.wire_sessions.taken(session.identity_key())),
            connection: session.connection(),
            ephemeral: stranger.ephemeral(),
        };
        let places: Vec<ShardPlace> = (0..shards_count)
            .map(|shard| {
                let core = self.placement.core_of(claw_common::id::ShardId(shard));
                // All cores accept on one port, and the kernel picks.
                ShardPlace { core: U16::new(core.0.into()), port: U16::new(0) }
            })
            .collect();
        let payload = [header.as_bytes(), places.as_bytes()];
        welcome_frame(&payload, stranger.tag_bytes(), self.now_ms)
    }

    fn take_command(
        &mut self,
        gate: &mut Gate,
        ends: (&mut Peer, &mut Link),
        command: (&[u8], usize),
    ) {
        let (peer, link) = ends;
        let session = link.session.as_ref().expect("a frame was admitted");
        let mut route = None;
        let taken = self.try_command(gate, (peer, session), command, &mut route);
        if let Err(problem) = taken {
            let sequence = CommandView::sequence_of(command.0);
            let asked = Asked { sequence, checkout: false, waited: false, now_ms: self.now_ms };
            link.in_flight_count = link.in_flight_count.saturating_sub(1);
            gate.metrics.refused(problem.kind);
            let status = link.answers.problem(&mut peer.send, asked, &problem);
            gate.metrics.answered(route, status);
        }
    }

    fn try_command(
        &mut self,
        gate: &mut Gate,
        asker: (&Peer, &Session),
        command: (&[u8], usize),
        route: &mut Option<Route>,
    ) -> Result<(), Problem> {
        let (peer, session) = asker;
        let view = CommandView::read(command.0)?;
        let now_ms = self.now_ms;
        let matched = route_of(view.kind);
        *route = Some(matched);
        let caller = session.caller();
        authorize(matched.spec(), &caller)?;
        gate.limits.admit_key(caller.name, now_ms * 1_000)?;
        let identity = session.identity(command.1);
        let Gate { schema, settings, limits, wire_scratch, sealer, .. } = gate;
        let input = Input { command: &view, identity, schema, settings, now_ms };
        let sender =
            Sender { key: caller.key, auth_mode: caller.auth_mode, evidence: session.evidence() };
        decode(&input, wire_scratch, |routed| {
            if let Some(session) = session_of(&routed.command) {
                limits.admit_session(session, now_ms * 1_000)?;
            }
            let waited = matches!(routed.command, Command::Checkout { wait_until_ms: 1.., .. });
            let place = WirePlace { sequence: view.sequence, route: matched, waited };
            let asker = Asker { connection: peer.id, place: Place::Wire(place) };
            let Routed { command, extra, identity, .. } = *routed;
            let carried = Carried { command, extra, identity, evidence: sender.evidence };
            let Carried { command, extra, identity, evidence } =
                sealer.seal(carried).map_err(unsealed)?;
            let sender = Sender { evidence, ..sender };
            self.dispatch(&Routed { command, identity, extra, ..*routed }, sender, asker)
        })?
    }
}

impl Gate {
    /// Tells the client why, and ends the connection.
    fn end_wire(
        &mut self,
        ends: (&mut Peer, &mut Link),
        problem: &Problem,
        now_ms: UnixMs,
    ) -> Flow {
        let (peer, link) = ends;
        self.metrics.refused(problem.kind);
        link.answers.closing(&mut peer.send, problem, now_ms);
        link.in_flight_count = 0;
        Flow::Close
    }

    /// Writes an outcome.
    pub(super) fn render_wire(
        &mut self,
        peer: &mut Peer,
        place: WirePlace,
        outcome: &[u8],
        seen: (Position, UnixMs),
    ) {
        let (position, now_ms) = seen;
        let Some(wire) = peer.wire.as_mut().filter(|wire| !wire.link.answers.ended()) else {
            return;
        };
        wire.link.in_flight_count = wire.link.in_flight_count.saturating_sub(1);
        let asked = place.asked(now_ms);
        let outcome = outcome_today(&self.schema, outcome);
        let outcome = outcome.expect("encoded by a shard of this version");
        let status = wire
            .link
            .answers
            .outcome(&mut peer.send, asked, &outcome, position)
            .expect("encoded by a shard of this version");
        self.metrics.answered(Some(place.route), status);
    }
}
