//! The shard behind the stages: decides, fills blocks, seals them.
//!
//! Owns one real shard, filled as [`Fill`] says, and a slot of the size the node uses. A block is
//! sealed every [`BATCH_COUNT`] requests, as under a load of as many connections; then time passes
//! by [`STEP_MS`], and holds expire that were taken a while ago. Up to [`Stage::Decide`] events go
//! to a journal that drops them, so that encoding is charged to the next stage. There is no device:
//! a sealed block is durable.

use claw_common::id::{ShardId, shard_of_key};
use claw_common::limits::BLOCK_BYTES_MAX;
use claw_common::money::{Currency, Money};
use claw_common::time::{Hlc, UnixMs};
use claw_core::codec::{Decode as _, Encode, Reader};
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, ReplyTo, Request};
use claw_core::effect::{Effect, Effects};
use claw_core::journal::{Draft, Journal};
use claw_core::lines::LinesBuffer;
use claw_core::log::{BlockDraft, Opening, SealInputs};
use claw_core::outcome::Outcome;
use claw_core::shard::{Shard, ShardConfig};

use super::{BATCH_COUNT, Fill, Stage};

/// When the requests are made.
pub(super) const NOW_MS: UnixMs = 1_800_000_000_000;
/// What passes between two batches, milliseconds.
const STEP_MS: u64 = 5;
/// How long a hold lives: so many batches that as many expire as are made, once warm.
pub(super) const HOLD_TTL_MS: u64 = 250;
/// How long the holds live that are there before the first request.
const FILL_TTL_MS: u64 = 24 * 3_600_000;
/// Units of each product: more than any run takes.
const STOCK: i64 = 1_000_000;
/// Odd: numbers times this make keys that look like the digests they are on a node.
const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// See the module.
pub(super) struct Backend {
    until: Stage,
    shard: Shard,
    shards_count: u16,
    slot: Vec<u8>,
    draft: Option<BlockDraft>,
    dropped_sequence: u64,
    hash_last: [u8; 32],
    stream_sequence: u64,
    effects: Effects,
    pub(super) now_ms: UnixMs,
}

impl Backend {
    /// The one shard of a store, with stock for more than any run.
    pub(super) fn new(until: Stage, fill: Fill) -> Self {
        Self::of(until, fill, (ShardId(0), 1))
    }

    /// One of several shards, with the products that are its own.
    pub(super) fn of(until: Stage, fill: Fill, (shard, shards_count): (ShardId, u16)) -> Self {
        let mut backend = Self {
            // What it is filled with is not written.
            until: Stage::Decide,
            shard: Shard::new(ShardConfig::new(shard, shards_count, fill.capacities())),
            shards_count,
            slot: vec![0; BLOCK_BYTES_MAX],
            draft: None,
            dropped_sequence: 0,
            hash_last: [0; 32],
            stream_sequence: 0,
            effects: Effects::default(),
            now_ms: NOW_MS,
        };
        backend.fill(fill);
        backend.until = until;
        backend
    }

    fn fill(&mut self, fill: Fill) {
        let price = Money { amount: 900, currency: Currency::parse("EUR").expect("a currency") };
        let mut asked_count = 0;
        for number in 0..fill.products_count {
            let sku = &fill.sku_at(number);
            if !self.owns(sku) {
                continue;
            }
            let (name, attributes, version_expected) = ("hot", "", None);
            let put = Command::PutProduct { sku, name, price, attributes, version_expected };
            self.ask(&mut asked_count, put);
            self.ask(&mut asked_count, Command::MoveStock { sku, delta: STOCK, reason: "bench" });
        }
        let mut lines = LinesBuffer::default();
        for number in 0..fill.holds_count {
            let sku = &fill.sku_at(number % fill.products_count);
            if !self.owns(sku) {
                continue;
            }
            lines.clear();
            lines.add(sku, 1, 0).expect("a line");
            let (lines, ttl_ms) = (lines.lines(), FILL_TTL_MS);
            self.ask(&mut asked_count, Command::CreateHold { session: "early", lines, ttl_ms });
        }
        self.finish_batch(|_, _, _| {});
    }

    pub(super) const fn shard(&self) -> &Shard {
        &self.shard
    }

    fn owns(&self, sku: &str) -> bool {
        shard_of_key(sku, self.shards_count) == self.shard.id()
    }

    /// Decides a command of the fill; time passes as it does under requests.
    fn ask(&mut self, asked_count: &mut usize, command: Command<'_>) {
        *asked_count += 1;
        let number = u128::try_from(*asked_count).expect("128 bits").wrapping_mul(SPREAD);
        let digest = number.rotate_left(64).to_le_bytes();
        let identity = CommandKey { key: number.to_le_bytes(), digest };
        self.decide(&Asked { command, identity, auth_mode: AuthMode::Ed25519 }, ReplyTo(0));
        if asked_count.is_multiple_of(BATCH_COUNT) {
            self.finish_batch(|_, outcome, _| {
                let outcome = Outcome::decode(&mut Reader::new(outcome)).expect("just encoded");
                assert!(
                    !matches!(outcome, Outcome::Refused(_)),
                    "the fill finds room: {outcome:?}"
                );
            });
        }
    }

    /// Decides one command.
    pub(super) fn decide(&mut self, asked: &Asked<'_>, reply_to: ReplyTo) {
        self.decide_request(&asked.request(reply_to, self.now_ms));
    }

    /// Decides one request.
    pub(super) fn decide_request(&mut self, request: &Request<'_>) {
        self.step(|shard, now_ms, journal, effects| {
            shard.decide(request, now_ms, journal, effects);
        });
    }

    /// Seals the block, hands every answer to `answer` (whom, outcome, sequence), lets time pass.
    pub(super) fn finish_batch(&mut self, answer: impl FnMut(ReplyTo, &[u8], u64)) {
        self.seal();
        self.replies(answer);
        self.pass_time();
    }

    /// Seals the block: it is durable.
    pub(super) fn seal(&mut self) {
        if let Some(draft) = self.draft.take() {
            let inputs = self.seal_inputs();
            let sealed = draft.seal(&mut self.slot, &inputs);
            self.hash_last = sealed.hash;
            self.stream_sequence += 1;
        }
    }

    /// Hands every answer to `answer`: whom, outcome, sequence.
    pub(super) fn replies(&self, mut answer: impl FnMut(ReplyTo, &[u8], u64)) {
        for effect in self.effects.list() {
            if let Effect::Reply { to, outcome, sequence, .. } = *effect {
                answer(to, self.effects.bytes(outcome), sequence);
            }
        }
    }

    /// Forgets the answers and lets time pass.
    pub(super) fn pass_time(&mut self) {
        self.effects.clear();
        self.now_ms += STEP_MS;
        let mut more = true;
        while more {
            self.step(|shard, now_ms, journal, effects| {
                more = shard.tick(now_ms, journal, effects);
            });
        }
    }

    fn step(&mut self, act: impl FnOnce(&mut Shard, UnixMs, &mut dyn Journal, &mut Effects)) {
        if self.until < Stage::Append {
            let mut journal = Dropping(&mut self.dropped_sequence);
            act(&mut self.shard, self.now_ms, &mut journal, &mut self.effects);
            return;
        }
        let opening = Opening {
            shard: self.shard.id(),
            sequence_last: self.shard.sequence(),
            schema_version: 1,
            vector: self.shard.version_vector(),
        };
        let draft = self.draft.take();
        let mut draft = draft.unwrap_or_else(|| BlockDraft::open(&mut self.slot, &opening));
        act(&mut self.shard, self.now_ms, &mut draft.journal(&mut self.slot), &mut self.effects);
        self.draft = (!draft.empty()).then_some(draft);
    }

    const fn seal_inputs(&self) -> SealInputs {
        SealInputs {
            store_id: [7; 16],
            stream: 0,
            stream_epoch: 1,
            stream_sequence: self.stream_sequence + 1,
            stream_previous: self.hash_last,
            shard_previous: self.hash_last,
            segment_generation: 1,
            durable_watermark: self.stream_sequence,
            term: 1,
        }
    }
}

/// What a decoded request asks.
pub(super) struct Asked<'a> {
    pub(super) command: Command<'a>,
    pub(super) identity: CommandKey,
    pub(super) auth_mode: AuthMode,
}

impl<'a> Asked<'a> {
    /// As a core hands it to a shard.
    pub(super) fn request(&self, reply_to: ReplyTo, now_ms: UnixMs) -> Request<'a> {
        let entropy = self.identity.key.first_chunk().copied().unwrap_or_default();
        Request {
            command: self.command,
            identity: self.identity,
            reply_to,
            key: 1,
            auth_mode: self.auth_mode,
            accepted: Hlc(now_ms << 16),
            entropy: u64::from_le_bytes(entropy),
            extra: &[],
            extra_type: ExtraType::default(),
            evidence: &[],
        }
    }
}

/// Numbers events and drops them.
struct Dropping<'a>(&'a mut u64);

impl Journal for Dropping<'_> {
    fn append(&mut self, _draft: &Draft<'_>, _event: &dyn Encode) -> u64 {
        *self.0 += 1;
        *self.0
    }

    fn sequence(&self) -> u64 {
        *self.0
    }
}
