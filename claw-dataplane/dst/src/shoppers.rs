//! Shoppers: each has one command under way and repeats it until it is answered.
//!
//! Owns idempotency as a client sees it: one key per command, the same body with each repetition,
//! another entropy and another time, because the node gives those. A crash loses requests and
//! answers alike; a shopper only notices that nothing comes back. Some requests are sent twice at
//! once, some again long after their answer, some with another body under the same key.

use std::collections::{BTreeMap, VecDeque};

use claw_common::checksum::blake3;
use claw_common::time::Hlc;
use claw_core::codec::{Encode, Writer};
use claw_core::command::{AuthMode, CommandKey, ExtraType, ReplyTo, Request};
use claw_core::outcome::{Outcome, Refusal};

use crate::invariants::answers::{check_repeated, momentary};
use crate::invariants::outcome as read_outcome;
use crate::options::Canary;
use crate::oracle::{HISTORY_MAX, Oracle};
use crate::random::{Purpose, Random};
use crate::scene::{Happening, Scene};
use crate::violation::{Checked, Violation};
use crate::workload::{Asked, Draw, draw};

/// A shopper asks again after this long without an answer, microseconds: longer than any wait.
const PATIENCE_US: u64 = 3_000_000;
/// A command is repeated this long after it was first sent, and no longer: well within the time
/// that the node remembers it.
const REPEAT_WITHIN_US: u64 = 120_000_000;
/// "Full" is taken for an answer after so many tries.
const FULL_TRIES_MAX: u32 = 4;
/// Longest time until a shopper notices that the node is there again, microseconds.
const NOTICE_US_MAX: u64 = 100_000;
/// Longest way of a request, microseconds.
const WAY_US_MAX: u64 = 300;

/// A command under way.
#[derive(Debug)]
struct Pending {
    asked: Box<dyn Asked>,
    identity: CommandKey,
    extra: Vec<u8>,
    first_sent_us: u64,
    tries: u32,
    fulls: u32,
}

/// An answered command.
#[derive(Debug)]
struct Done {
    asked: Box<dyn Asked>,
    identity: CommandKey,
    extra: Vec<u8>,
    first_sent_us: u64,
    answer: Vec<u8>,
}

/// What is sent.
#[derive(Debug)]
struct Parcel<'a> {
    asked: &'a dyn Asked,
    identity: CommandKey,
    extra: &'a [u8],
}

/// What an attempt is for.
#[derive(Debug)]
enum Attempt {
    /// The command under way of a shopper.
    First { client: usize },
    /// A repetition: its question and first answer.
    Again { question: String, answer: Vec<u8> },
    /// Another body under a used key.
    OtherBody { question: String },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Shoppers {
    pub(crate) oracle: Oracle,
    random: Random,
    pending: Vec<Option<Pending>>,
    done: VecDeque<Done>,
    attempts: BTreeMap<u64, Attempt>,
    attempts_count: u64,
    commands_count: u32,
}

impl Shoppers {
    pub(crate) fn new(scene: &mut Scene) -> Self {
        let clients = usize::from(scene.options.clients);
        for client in 0..clients {
            scene.plan(1, Happening::Wake { client });
        }
        Self {
            oracle: Oracle::default(),
            random: Random::new(scene.options.seed, Purpose::Workload),
            pending: (0..clients).map(|_| None).collect(),
            done: VecDeque::new(),
            attempts: BTreeMap::new(),
            attempts_count: 0,
            commands_count: 0,
        }
    }

    /// Whether every command was started and answered.
    pub(crate) fn finished(&self, scene: &Scene) -> bool {
        self.commands_count >= scene.options.steps && self.pending.iter().all(Option::is_none)
    }

    /// Commands started.
    pub(crate) const fn commands_count(&self) -> u32 {
        self.commands_count
    }

    /// Commands answered, or given up.
    pub(crate) fn answered_count(&self) -> u32 {
        let pending = self.pending.iter().flatten().count();
        self.commands_count - u32::try_from(pending).expect("few")
    }

    /// A command that is under way for too long, in words.
    pub(crate) fn stuck(&self) -> Option<String> {
        let pending = self.pending.iter().flatten().next()?;
        Some(format!("{:?} after {} tries", pending.asked, pending.tries))
    }

    /// The node is gone, and with it every request and answer under way.
    pub(crate) fn cut_off(&mut self) {
        self.attempts.clear();
    }

    /// The node is there again: every shopper notices soon.
    pub(crate) fn node_started(&mut self, scene: &mut Scene) {
        scene.forget(|what| matches!(what, Happening::Wake { .. }));
        for client in 0..self.pending.len() {
            let notice_us = self.random.between(1, NOTICE_US_MAX);
            scene.plan(notice_us, Happening::Wake { client });
        }
    }

    /// A shopper acts: starts a command, or repeats the one under way.
    pub(crate) fn wake(&mut self, scene: &mut Scene, client: usize, incarnation: Option<u32>) {
        let mut pending = if let Some(pending) = self.pending[client].take() {
            pending
        } else if self.commands_count < scene.options.steps {
            self.start(scene, client)
        } else {
            return;
        };
        if pending.tries > 0 {
            scene.line('?', format_args!("shopper {client} again: {:?}", pending.asked));
            if scene.options.makes(Canary::FreshKey) && pending.identity != CommandKey::default() {
                pending.identity = self.identity(&*pending.asked);
            }
        }
        pending.tries += 1;
        // While the node is down nothing answers, and the shopper tries again later.
        if let Some(incarnation) = incarnation {
            let twice = self.random.chance(scene.options.double_permille);
            for _ in 0..=u32::from(twice) {
                let attempt = self.attempt(Attempt::First { client });
                let parcel = Parcel {
                    asked: &*pending.asked,
                    identity: pending.identity,
                    extra: &pending.extra,
                };
                self.send(scene, incarnation, &parcel, attempt);
            }
            self.repeat_some(scene, incarnation);
        }
        self.pending[client] = Some(pending);
        let patience_us = self.random.between(PATIENCE_US, 2 * PATIENCE_US);
        scene.plan(patience_us, Happening::Wake { client });
    }

    fn start(&mut self, scene: &Scene, client: usize) -> Pending {
        let mut drawing = Draw {
            random: &mut self.random,
            options: &scene.options,
            oracle: &self.oracle,
            session: format!("shopper-{client}"),
            step: self.commands_count,
        };
        let asked = draw(&mut drawing);
        self.commands_count += 1;
        asked.sending(&mut self.oracle);
        let reads = asked.command().reads_only();
        let identity = if reads { CommandKey::default() } else { self.identity(&*asked) };
        let extra_bytes = self.random.between(0, scene.options.extra_bytes_max);
        let extra = if reads { 0 } else { usize::try_from(extra_bytes).expect("small") };
        let first_sent_us = scene.now_us();
        Pending { asked, identity, extra: vec![b' '; extra], first_sent_us, tries: 0, fulls: 0 }
    }

    fn identity(&mut self, asked: &dyn Asked) -> CommandKey {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.random.number().to_le_bytes());
        key[8..].copy_from_slice(&self.random.number().to_le_bytes());
        let digest = blake3(format!("{asked:?}").as_bytes());
        CommandKey { key, digest: digest[..16].try_into().expect("16 of 32") }
    }

    fn attempt(&mut self, attempt: Attempt) -> u64 {
        self.attempts_count += 1;
        self.attempts.insert(self.attempts_count, attempt);
        self.attempts_count
    }

    fn send(&mut self, scene: &mut Scene, incarnation: u32, parcel: &Parcel<'_>, attempt: u64) {
        let request = Request {
            command: parcel.asked.command(),
            identity: parcel.identity,
            reply_to: ReplyTo(attempt),
            key: 1,
            auth_mode: AuthMode::HmacSha256,
            accepted: Hlc::from_unix_ms(scene.clock_ms()),
            entropy: self.random.number(),
            extra: parcel.extra,
            extra_type: ExtraType::default(),
            evidence: b"",
        };
        let mut bytes = vec![0; request.encoded_bytes_max()];
        let mut writer = Writer::new(&mut bytes);
        request.encode(&mut writer);
        let written = writer.written();
        bytes.truncate(written);
        let shard = parcel.asked.shard(scene.options.shards);
        let way_us = self.random.between(1, WAY_US_MAX);
        scene.plan(way_us, Happening::Arrive { incarnation, shard, request: bytes });
    }

    /// Sends an answered command again, now and then.
    fn repeat_some(&mut self, scene: &mut Scene, incarnation: u32) {
        if self.done.is_empty() || !self.random.chance(scene.options.repeat_permille) {
            return;
        }
        let index = self.random.index(self.done.len());
        let Some(done) = self.done.remove(index) else { return };
        if scene.now_us() - done.first_sent_us < REPEAT_WITHIN_US {
            let question = format!("{:?}", done.asked);
            scene.line('"', format_args!("{question}"));
            let mut identity = done.identity;
            let attempt = if self.random.chance(100) {
                identity.digest[0] ^= 1;
                self.attempt(Attempt::OtherBody { question })
            } else {
                self.attempt(Attempt::Again { question, answer: done.answer.clone() })
            };
            let parcel = Parcel { asked: &*done.asked, identity, extra: &done.extra };
            self.send(scene, incarnation, &parcel, attempt);
        }
        self.done.push_back(done);
    }

    /// An answer arrives.
    pub(crate) fn answered(&mut self, scene: &mut Scene, attempt: u64, bytes: &[u8]) -> Checked {
        let outcome = read_outcome(bytes)?;
        match self.attempts.remove(&attempt) {
            None => Ok(()),
            Some(Attempt::Again { question, answer }) => check_repeated(&question, &answer, bytes),
            Some(Attempt::OtherBody { question }) => {
                let refused = matches!(outcome, Outcome::Refused(Refusal::IdempotencyMismatch));
                if refused || momentary(&outcome) {
                    return Ok(());
                }
                let detail = format!("{question}: a used key with another body got {outcome:?}");
                Err(Violation::new("a key belongs to one body", detail))
            }
            Some(Attempt::First { client }) => self.answered_first(scene, client, &outcome, bytes),
        }
    }

    fn answered_first(
        &mut self,
        scene: &mut Scene,
        client: usize,
        outcome: &Outcome<'_>,
        bytes: &[u8],
    ) -> Checked {
        let Some(mut pending) = self.pending[client].take() else { return Ok(()) };
        if momentary(outcome) {
            let full = !matches!(outcome, Outcome::Refused(Refusal::StillDeciding));
            pending.fulls += u32::from(full);
            let others = self.attempts.values().any(
                |attempt| matches!(attempt, Attempt::First { client: other } if *other == client),
            );
            if pending.fulls < FULL_TRIES_MAX || others || !full {
                // The next try comes with the shopper's patience.
                self.pending[client] = Some(pending);
                return Ok(());
            }
            scene.line('.', format_args!("shopper {client} gives up: {outcome:?}"));
        } else {
            scene.line('<', format_args!("shopper {client} {outcome:?}"));
            pending.asked.settle(outcome, &mut self.oracle)?;
            self.keep(pending, bytes);
        }
        // Of other attempts at the same command nothing more is to be learned.
        self.attempts.retain(
            |_, attempt| !matches!(attempt, Attempt::First { client: other } if *other == client),
        );
        scene.forget(|what| matches!(what, Happening::Wake { client: other } if *other == client));
        let think_us = self.random.between(1, scene.options.think_ms_max * 1000);
        scene.plan(think_us, Happening::Wake { client });
        Ok(())
    }

    fn keep(&mut self, pending: Pending, bytes: &[u8]) {
        if pending.identity == CommandKey::default() {
            return;
        }
        if self.done.len() == HISTORY_MAX {
            self.done.pop_front();
        }
        let Pending { asked, identity, extra, first_sent_us, .. } = pending;
        let answer = bytes.to_vec();
        self.done.push_back(Done { asked, identity, extra, first_sent_us, answer });
    }
}
