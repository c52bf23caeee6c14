//! Shards in memory: their logs, the messages between them, and the answers they gave.

use std::collections::{BTreeMap, VecDeque};

use claw_common::id::{Id, ShardId, shard_of_key};
use claw_common::money::{Currency, Money};
use claw_common::time::Hlc;

use super::vault::{Mood, Vault};
use crate::codec::{Decode, Encode, Reader, Writer};
use crate::command::{AuthMode, Command, CommandKey, ExtraType, ReplyTo, Request};
use crate::effect::{Effect, Effects};
use crate::journal::{Draft, Journal};
use crate::lines::LinesBuffer;
use crate::outcome::Outcome;
use crate::payment::{Answer as VaultAnswer, Ask};
use crate::shard::message::Message;
use crate::shard::{CALL_BYTES_MAX, Capacities, Replayed, Shard, ShardConfig};

pub(super) const START_MS: u64 = 1_700_000_000_000;

/// Capacities small enough that eviction happens.
pub(super) const TINY: Capacities = Capacities {
    products: 8,
    coupons: 4,
    holds: 12,
    orders: 10,
    carts: 4,
    deduplication_bytes: 64 * 1024,
    waiters: 4,
};

/// As small, but with room for reservations that wait for messages.
pub(super) const ROOMY: Capacities =
    Capacities { holds: 64, orders: 64, deduplication_bytes: 256 * 1024, ..TINY };

/// One record of a log, owned.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) kind: u16,
    pub(super) event_version: u16,
    decided: Hlc,
    now_ms: u64,
    identity: CommandKey,
    seen: Option<(u16, u64)>,
    pub(super) event: Vec<u8>,
    answer: Vec<u8>,
    accepted: Hlc,
}

impl Kept {
    pub(super) fn replayed(&self, sequence: u64) -> Replayed<'_> {
        Replayed {
            kind: self.kind,
            event_version: self.event_version,
            decided: self.decided,
            now_ms: self.now_ms,
            identity: self.identity,
            sequence,
            seen: self.seen,
            event: &self.event,
            answer: &self.answer,
        }
    }
}

/// A log in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) records: Vec<Kept>,
    used_bytes: usize,
}

impl Journal for Log {
    fn append(&mut self, draft: &Draft<'_>, event: &dyn Encode) -> u64 {
        let mut bytes = vec![0; 96 * 1024];
        let mut writer = Writer::new(&mut bytes);
        event.encode(&mut writer);
        let written = writer.written();
        bytes.truncate(written);
        if let Some(last) = self.records.last() {
            assert!(draft.decided > last.decided, "stamps increase");
            assert!(draft.now_ms >= last.now_ms, "time does not go back");
        }
        let variable = written + draft.answer.len() + draft.extra.len() + draft.evidence.len();
        self.used_bytes += 128 + variable.next_multiple_of(8);
        self.records.push(Kept {
            kind: draft.kind,
            event_version: draft.event_version,
            decided: draft.decided,
            now_ms: draft.now_ms,
            identity: draft.identity,
            seen: draft.seen,
            event: bytes,
            answer: draft.answer.to_vec(),
            accepted: draft.accepted,
        });
        self.sequence()
    }

    fn sequence(&self) -> u64 {
        u64::try_from(self.records.len()).unwrap()
    }
}

/// An answer as it left a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    pub(super) sequence: u64,
    pub(super) repeated: bool,
}

impl Answer {
    pub(super) fn outcome(&self) -> Outcome<'_> {
        let mut reader = Reader::new(&self.bytes);
        let outcome = Outcome::decode(&mut reader).unwrap();
        reader.finish().unwrap();
        outcome
    }
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Flying {
    pub(super) from: ShardId,
    pub(super) to: ShardId,
    pub(super) bytes: Vec<u8>,
}

pub(super) struct World {
    pub(super) shards: Vec<Shard>,
    pub(super) logs: Vec<Log>,
    pub(super) flying: VecDeque<Flying>,
    pub(super) answers: BTreeMap<u64, Answer>,
    pub(super) notices: usize,
    /// What was asked of the vault and is not answered yet.
    pub(super) asks: VecDeque<Vec<u8>>,
    pub(super) vault: Vault,
    pub(super) now_ms: u64,
    capacities: Capacities,
    replies: u64,
    keys: u64,
    effects: Effects,
}

impl World {
    pub(super) fn new(shards_count: u16, capacities: Capacities) -> Self {
        let config = |shard| ShardConfig::new(ShardId(shard), shards_count, capacities);
        Self {
            shards: (0..shards_count).map(|shard| Shard::new(config(shard))).collect(),
            logs: vec![Log::default(); usize::from(shards_count)],
            flying: VecDeque::new(),
            answers: BTreeMap::new(),
            notices: 0,
            asks: VecDeque::new(),
            vault: Vault::default(),
            now_ms: START_MS,
            capacities,
            replies: 0,
            keys: 0,
            effects: Effects::default(),
        }
    }

    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.shards.len()).unwrap()
    }

    pub(super) fn config(&self, shard: usize) -> ShardConfig {
        ShardConfig::new(ShardId(u16::try_from(shard).unwrap()), self.count(), self.capacities)
    }

    /// The shard that owns a SKU or coupon.
    pub(super) fn owner(&self, key: &str) -> ShardId {
        shard_of_key(key, self.count())
    }

    pub(super) fn fresh_identity(&mut self) -> CommandKey {
        self.keys += 1;
        identity(self.keys)
    }

    /// Decides a command under a fresh identity and delivers every message; the answer, if any.
    pub(super) fn ask(&mut self, shard: ShardId, command: Command<'_>) -> Option<Answer> {
        let identity = self.fresh_identity();
        let reply = self.decide(shard, command, identity);
        self.deliver_all();
        self.answers.get(&reply).cloned()
    }

    /// Decides a command; returns where its answer will be.
    pub(super) fn decide(
        &mut self,
        shard: ShardId,
        command: Command<'_>,
        identity: CommandKey,
    ) -> u64 {
        self.expire();
        self.replies += 1;
        let request = Request {
            command,
            identity: if command.reads_only() { CommandKey::default() } else { identity },
            reply_to: ReplyTo(self.replies),
            key: 3,
            auth_mode: AuthMode::HmacSha256,
            accepted: Hlc::from_unix_ms(self.now_ms),
            entropy: self.replies,
            extra: b"",
            // Not 0: what state keeps of it must survive a replay and a snapshot.
            extra_type: ExtraType { code: 1, version: 3 },
            evidence: b"",
        };
        let at = usize::from(shard.0);
        let log = &mut self.logs[at];
        log.used_bytes = 0;
        self.shards[at].decide(&request, self.now_ms, log, &mut self.effects);
        assert!(log.used_bytes <= Shard::decision_bytes_max(&request), "{command:?}");
        self.take_effects(shard);
        self.replies
    }

    /// Expires what is due on every shard.
    pub(super) fn expire(&mut self) {
        for at in 0..self.shards.len() {
            loop {
                let log = &mut self.logs[at];
                log.used_bytes = 0;
                let more = self.shards[at].tick(self.now_ms, log, &mut self.effects);
                assert!(log.used_bytes <= CALL_BYTES_MAX);
                self.take_effects(ShardId(u16::try_from(at).unwrap()));
                if !more {
                    break;
                }
            }
        }
    }

    pub(super) fn advance(&mut self, milliseconds: u64) {
        self.now_ms += milliseconds;
        self.expire();
    }

    pub(super) fn deliver_all(&mut self) {
        while let Some(flying) = self.flying.pop_front() {
            self.deliver(&flying);
        }
    }

    pub(super) fn deliver(&mut self, flying: &Flying) {
        self.expire();
        let mut reader = Reader::new(&flying.bytes);
        let message = Message::decode(&mut reader).unwrap();
        reader.finish().unwrap();
        let at = usize::from(flying.to.0);
        let log = &mut self.logs[at];
        log.used_bytes = 0;
        self.shards[at].receive(flying.from, &message, self.now_ms, log, &mut self.effects);
        assert!(log.used_bytes <= CALL_BYTES_MAX);
        self.take_effects(flying.to);
    }

    /// The vault answers the question at this place as its mood has it.
    pub(super) fn answer_ask(&mut self, at: usize, mood: Mood) {
        let Some(bytes) = self.asks.get(at).cloned() else { return };
        let ask = Ask::decode(&mut Reader::new(&bytes)).unwrap();
        let Some(verdict) = self.vault.answer(&ask, mood) else { return };
        // An unknown question is asked again by its order; a known one is answered for good.
        self.asks.remove(at);
        let (order, shard, step) = (ask.order, ask.shard, ask.step);
        let answer = VaultAnswer { order, shard, step, verdict: verdict.verdict() };
        let times = if mood == Mood::Twice { 2 } else { 1 };
        for _ in 0..times {
            self.hear(&answer);
        }
    }

    pub(super) fn hear(&mut self, answer: &VaultAnswer<'_>) {
        self.expire();
        let at = usize::from(answer.shard.0);
        let log = &mut self.logs[at];
        log.used_bytes = 0;
        self.shards[at].hear_payment(answer, self.now_ms, log, &mut self.effects);
        assert!(log.used_bytes <= CALL_BYTES_MAX);
        self.take_effects(answer.shard);
    }

    /// Answers every question kindly, until none is left.
    pub(super) fn answer_asks(&mut self) {
        for _ in 0..10_000 {
            self.deliver_all();
            if self.asks.is_empty() {
                return;
            }
            self.answer_ask(0, Mood::Kind);
        }
        panic!("asked without end");
    }

    /// Every shard loses its memory and the messages on their way; the logs stay.
    pub(super) fn crash(&mut self) {
        self.flying.clear();
        self.asks.clear();
        for at in 0..self.shards.len() {
            self.shards[at] = self.replayed(at, self.logs[at].records.len());
        }
        for at in 0..self.shards.len() {
            let log = &mut self.logs[at];
            log.used_bytes = 0;
            self.shards[at].resume(self.now_ms, log, &mut self.effects);
            assert!(log.used_bytes <= CALL_BYTES_MAX);
            self.take_effects(ShardId(u16::try_from(at).unwrap()));
        }
        self.expire();
    }

    /// A shard made from the first records of its log.
    pub(super) fn replayed(&self, at: usize, count: usize) -> Shard {
        let mut shard = Shard::new(self.config(at));
        for (sequence, record) in (1..).zip(&self.logs[at].records[..count]) {
            shard.apply(&record.replayed(sequence)).unwrap();
        }
        shard
    }

    fn take_effects(&mut self, from: ShardId) {
        for effect in self.effects.list() {
            match *effect {
                Effect::Reply { to, outcome, sequence, repeated } => {
                    let bytes = self.effects.bytes(outcome).to_vec();
                    let answer = Answer { bytes, sequence, repeated };
                    assert!(self.answers.insert(to.0, answer).is_none(), "one answer each");
                }
                Effect::Send { to, message } => {
                    let bytes = self.effects.bytes(message).to_vec();
                    self.flying.push_back(Flying { from, to, bytes });
                }
                Effect::AskVault { ask } => {
                    self.asks.push_back(self.effects.bytes(ask).to_vec());
                }
                Effect::Notify { .. } => self.notices += 1,
            }
        }
        self.effects.clear();
    }

    pub(super) fn accepted_by_node(&self, at: usize, record: usize) -> bool {
        let record = &self.logs[at].records[record];
        record.accepted == record.decided
    }
}

pub(super) fn identity(n: u64) -> CommandKey {
    let mut key = [1; 16];
    key[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    CommandKey { key, digest: [9; 16] }
}

pub(super) fn eur(amount: i64) -> Money {
    Money { amount, currency: Currency::parse("EUR").unwrap() }
}

pub(super) fn usd(amount: i64) -> Money {
    Money { amount, currency: Currency::parse("USD").unwrap() }
}

/// A basket, as bytes that outlive the call.
pub(super) fn lines(items: &[(&str, u32)]) -> LinesBuffer {
    let mut buffer = LinesBuffer::default();
    for (sku, quantity) in items {
        buffer.add(sku, *quantity, 0).unwrap();
    }
    buffer
}

/// Commands used all over the tests.
impl World {
    pub(super) fn stock(&mut self, sku: &str, price: Money, units: i64) {
        let owner = self.owner(sku);
        let put =
            Command::PutProduct { sku, name: "n", price, attributes: "", version_expected: None };
        self.ask(owner, put).unwrap();
        if units > 0 {
            self.ask(owner, Command::MoveStock { sku, delta: units, reason: "test" }).unwrap();
        }
    }

    pub(super) fn hold(&mut self, items: &[(&str, u32)], ttl_ms: u64) -> Answer {
        let mut buffer = lines(items);
        let lines = buffer.lines();
        let home = self.owner(lines.iter().next().unwrap().sku);
        self.ask(home, Command::CreateHold { session: "s", lines, ttl_ms }).unwrap()
    }

    /// (available, held, sold) of a product.
    pub(super) fn books(&mut self, sku: &str) -> (u64, u64, u64) {
        let owner = self.owner(sku);
        let answer = self.ask(owner, Command::ReadProduct { sku }).unwrap();
        let Outcome::Product(view) = answer.outcome() else { panic!("{answer:?}") };
        (view.available(), view.held, view.sold)
    }
}

pub(super) fn hold_id(answer: &Answer) -> Id {
    let Outcome::Hold(view) = answer.outcome() else { panic!("{:?}", answer.outcome()) };
    view.hold
}

pub(super) fn order_id(answer: &Answer) -> Id {
    let Outcome::Order(view) = answer.outcome() else { panic!("{:?}", answer.outcome()) };
    view.order
}
