//! A hold over the wire protocol, 64 in a frame, through the node's stages.
//!
//! Owns the frames, made by the SDK's own client in a session, and the order in which the parts are
//! called, which is the order of `node::wire`. What is done once for a frame (its framing, its tag)
//! is shared by its commands.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use claw_common::id::{Position, ShardId};
use claw_common::time::UnixMs;
use claw_common::wire::MAGIC;
use claw_core::command::{AuthMode, Command};
use claw_core::protocol::CommandView;
use claw_core::schema::CompiledSchema;
use claw_dataplane::ingest::auth::Keyring;
use claw_dataplane::ingest::authorize;
use claw_dataplane::ingest::decode::{Settings, Target};
use claw_dataplane::ingest::http::{Flow, Timeouts};
use claw_dataplane::ingest::limits::Limits;
use claw_dataplane::ingest::wire::ahead::expect_holds;
use claw_dataplane::ingest::wire::answers::Asked as AskedFor;
use claw_dataplane::ingest::wire::decode::{Input, Scratch, decode, route_of};
use claw_dataplane::ingest::wire::{Answers, Event, Framing, Session};
use claw_sdk::wire::{Command as Said, Extras, Identity, Line, Machine, Mode};

use super::backend::{Asked, HOLD_TTL_MS};
use super::cluster::{Answered, Cluster};
use super::http::{self, SESSIONS_COUNT, SETTINGS};
use super::{BATCH_COUNT, Fill, Pipeline, Stage};
use crate::greeting::greet;

/// See the module.
pub(super) struct WireHolds {
    frames: Vec<Vec<u8>>,
    next: usize,
    framing: Framing,
    front: Front,
    send: Vec<u8>,
    answers: Answers,
}

/// What stands between a command and its decision.
struct Front {
    until: Stage,
    keyring: Keyring,
    session: Session,
    limits: Limits,
    scratch: Scratch,
    schema: CompiledSchema,
    /// Number of each command of the batch.
    sequences: Vec<u64>,
    cluster: Cluster,
    settings: Settings,
}

impl WireHolds {
    /// `count` holds in frames of [`BATCH_COUNT`], to be served up to a stage by so many cores.
    pub(super) fn new(
        count: usize,
        until: Stage,
        (fill, cores_count): (Fill, u16),
    ) -> Result<Self> {
        let cluster = Cluster::new(until, fill, cores_count);
        let now_ms = cluster.now_ms();
        let (signer, keyring) = http::key()?;
        let identity = Identity { signer: Arc::new(signer), mode: Mode::Session, session: [7; 16] };
        let mut machine = Machine::new(identity, 1);
        let mut send = Vec::with_capacity(BATCH_COUNT * 1024);
        let mut framing = Framing::new(now_ms, Timeouts::default());
        let mut answers = Answers::default();
        machine.connect(now_ms, [9; 32]);
        let hello = machine.transmit().to_vec();
        machine.transmitted(hello.len());
        let session = welcome(&mut framing, &hello[MAGIC.len()..], &keyring, now_ms)?;
        answers.welcome(&mut send, &session.1, &session.0);
        machine.space()[..send.len()].copy_from_slice(&send);
        machine.received(send.len());
        machine.answer_ready()?;
        send.clear();
        let frames = (0..count / BATCH_COUNT).map(|frame| holds(&mut machine, frame, fill));
        let frames = frames.collect::<Result<_>>()?;
        Ok(Self {
            frames,
            next: 0,
            framing,
            front: Front {
                until,
                keyring,
                session: session.0,
                limits: http::limits()?,
                scratch: Scratch::default(),
                schema: http::schema()?,
                sequences: Vec::with_capacity(BATCH_COUNT),
                cluster,
                settings: Settings { shards_count: cores_count, ..SETTINGS },
            },
            send,
            answers,
        })
    }

    fn finish_batches(&mut self) {
        let Front { until, cluster, sequences, .. } = &mut self.front;
        let (send, answers, now_ms) = (&mut self.send, &mut self.answers, cluster.now_ms());
        let mut last_core = 0;
        cluster.finish_batches(|Answered { core, index, outcome, sequence }| {
            if *until < Stage::Render {
                black_box(outcome);
                return;
            }
            if core != last_core {
                // Each core has a client of its own.
                answers.seal(send);
                last_core = core;
            }
            let asked =
                AskedFor { sequence: sequences[index], checkout: false, waited: false, now_ms };
            let position = Position { shard: ShardId(0), sequence };
            answers.outcome(send, asked, outcome, position).expect("encoded by this version");
        });
        answers.seal(send);
        black_box(&*send);
        send.clear();
        sequences.clear();
    }
}

impl Pipeline for WireHolds {
    fn serve(&mut self, count: usize) {
        let frames = count / BATCH_COUNT;
        for number in self.next..self.next + frames {
            let (now_ms, front) = (self.front.cluster.now_ms(), &mut self.front);
            self.framing.ingest(&self.frames[number], now_ms, &mut |event| {
                front.take(event);
                Flow::Continue
            });
            if self.front.cluster.next_core() && self.front.until >= Stage::Decide {
                self.finish_batches();
            }
        }
        self.next += frames;
    }
}

impl Front {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Frame(frame) => {
                black_box(frame);
                if self.until >= Stage::Signature {
                    let now_ms = self.cluster.now_ms();
                    self.session.admit(frame, &self.keyring, now_ms).expect("the session's tag");
                }
                if self.until >= Stage::Decode {
                    let Self { session, settings, cluster, .. } = self;
                    expect_holds(frame, session, settings.shards_count, |shard| {
                        cluster.local(shard)
                    });
                }
            }
            Event::Command(bytes, place) => self.take_command(bytes, place),
            Event::Refused(problem) => panic!("a frame: {problem:?}"),
        }
    }

    fn take_command(&mut self, bytes: &[u8], place: usize) {
        let view = CommandView::read(bytes).expect("the SDK's command");
        let route = route_of(view.kind);
        if self.until == Stage::Grammar {
            black_box((view, route));
            return;
        }
        let now_ms = self.cluster.now_ms();
        let caller = self.session.caller();
        authorize(route.spec(), &caller).expect("a storefront may hold");
        self.limits.admit_key(caller.name, now_ms * 1_000).expect("below the rate");
        let identity = self.session.identity(place);
        if self.until == Stage::Signature {
            black_box(identity);
            return;
        }
        let input = Input {
            command: &view,
            identity,
            schema: &self.schema,
            settings: &self.settings,
            now_ms,
        };
        let Self { scratch, limits, cluster, sequences, until, .. } = self;
        decode(&input, scratch, |routed| {
            let Command::CreateHold { session, .. } = routed.command else { panic!("a hold") };
            limits.admit_session(session, now_ms * 1_000).expect("below the rate");
            if *until == Stage::Decode {
                black_box(routed);
                return;
            }
            let Target::Shard(shard) = routed.target else { panic!("a hold has a home") };
            let index = sequences.len();
            sequences.push(view.sequence);
            let (command, identity) = (routed.command, routed.identity);
            let asked = Asked { command, identity, auth_mode: AuthMode::Session };
            cluster.decide(&asked, shard, index);
        })
        .expect("a valid hold");
    }
}

/// Lets the hello in; gives the session, and the welcome frame without its tag.
fn welcome(
    framing: &mut Framing,
    hello: &[u8],
    keyring: &Keyring,
    now_ms: UnixMs,
) -> Result<(Session, Vec<u8>)> {
    let mut let_in = None;
    framing.ingest(hello, now_ms, &mut |event| {
        let Event::Frame(hello) = event else { panic!("a hello: {event:?}") };
        let_in = Some(greet(hello, keyring, now_ms));
        Flow::Continue
    });
    let_in.context("a whole hello")?
}

/// A frame of holds. Nobody answers the client, so it is told to forget them.
fn holds(machine: &mut Machine, frame: usize, fill: Fill) -> Result<Vec<u8>> {
    let first = machine.sequence_next();
    for place in 0..BATCH_COUNT {
        let number = frame * BATCH_COUNT + place;
        let session = format!("s{}", number % SESSIONS_COUNT);
        let sku = fill.sku(number);
        let lines = [Line { sku: &sku, quantity: 1 }];
        let ttl_ms = Some(HOLD_TTL_MS);
        let hold = Said::CreateHold { session: &session, lines: &lines, ttl_ms };
        machine.push(&hold, Extras::default())?;
    }
    machine.flush();
    let bytes = machine.transmit().to_vec();
    machine.transmitted(bytes.len());
    (first..machine.sequence_next()).for_each(|sequence| machine.forget(sequence));
    ensure!(machine.unanswered() == 0, "every command is forgotten");
    Ok(bytes)
}
