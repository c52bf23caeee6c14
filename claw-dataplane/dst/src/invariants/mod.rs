//! What must hold, one file for each.
//!
//! | invariant | file | checked |
//! |---|---|---|
//! | received - removed = available + held + sold, none negative | [`conservation`] | each step |
//! | nothing leaves a shard before it is durable | [`durability`] | each effect |
//! | what was promised is there after a start | [`survival`] | each start |
//! | nothing beyond a cut comes back | [`revival`] | each start |
//! | replay gives the live state, byte for byte | [`replay`] | each durable block |
//! | a snapshot gives the state it was taken of | [`snapshot`] | each snapshot |
//! | a command has one answer in the log | [`once`] | each durable record |
//! | a hold ends once, in one way | [`terminal`] | each durable record |
//! | a hold expires exactly, never early | [`expiry`] | each durable record |
//! | a line is served in order | [`mod@line`] | each durable record |
//! | an order follows its transition table | [`orders`] | each durable record |
//! | money captured is orders placed, nothing else is held | [`payments`] | at rest |
//! | an answer fits its question, a repeated one is the first again | [`answers`] | each answer |
//! | no more is sold than was delivered | [`oversell`] | each answer |
//! | an order adds up, at the prices its hold fixed | [`pricing`] | each answer |
//! | coupons are used at most as often as allowed | [`coupons`] | each answer, at rest |
//! | the books are those of the acknowledged answers | [`books`] | at rest |
//! | nothing stays reserved, every order has ended | [`stuck`] | at rest |
//! | damage in the middle stops a start | [`damage`] | at the end |
//!
//! The [`Ledger`] holds what the checks remember across crashes: it is outside the node, as the
//! shoppers are. Deliberately independent of the core's own bookkeeping: checks read answers,
//! events and devices.

pub(crate) mod answers;
pub(crate) mod books;
pub(crate) mod conservation;
pub(crate) mod coupons;
pub(crate) mod damage;
pub(crate) mod oversell;
pub(crate) mod payments;
pub(crate) mod pricing;
pub(crate) mod stuck;

mod durability;
mod expiry;
mod line;
mod once;
mod orders;
mod replay;
mod revival;
mod snapshot;
mod survival;
mod terminal;

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_common::time::UnixMs;
use claw_core::codec::Reader;
use claw_core::log::{BlockView, RecordView, ShardTail};
use claw_core::shard::Shard;
use claw_core::shard::event::Event;

use crate::options::Options;
use crate::violation::{Checked, Violation};

/// A block that a start found, still part of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecoveredBlock {
    pub(crate) shard: ShardId,
    pub(crate) sequence_last: u64,
    pub(crate) hash: Digest,
}

/// A durable record as the checks see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact<'a> {
    pub(crate) shard: ShardId,
    pub(crate) sequence: u64,
    pub(crate) now_ms: UnixMs,
    pub(crate) key: [u8; 16],
    pub(crate) answer: &'a [u8],
    pub(crate) event: Event<'a>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Ledger {
    durability: durability::Durability,
    survival: survival::Survival,
    revival: revival::Revival,
    replay: replay::Replay,
    once: once::Once,
    terminal: terminal::Terminal,
    expiry: expiry::Expiry,
    line: line::Line,
    orders: orders::Orders,
}

impl Ledger {
    pub(crate) fn new(options: &Options) -> Self {
        let shards = usize::from(options.shards);
        Self {
            durability: durability::Durability::new(shards),
            survival: survival::Survival::new(shards),
            revival: revival::Revival::default(),
            replay: replay::Replay::new(options),
            once: once::Once::default(),
            terminal: terminal::Terminal::default(),
            expiry: expiry::Expiry::default(),
            line: line::Line::default(),
            orders: orders::Orders::default(),
        }
    }

    /// A shard's block was sealed.
    pub(crate) fn sealed(&mut self, shard: &Shard, sequence_last: u64, hash: Digest) {
        self.replay.sealed(shard, sequence_last);
        self.revival.sealed(RecoveredBlock { shard: shard.id(), sequence_last, hash });
    }

    /// Something leaves a shard that had seen `sequence`.
    pub(crate) fn leaves(&mut self, shard: ShardId, sequence: u64) -> Checked {
        self.survival.promised(shard, sequence);
        self.durability.leaves(shard, sequence)
    }

    /// A device says that a block is durable; `view` is what its medium holds there.
    pub(crate) fn durable(
        &mut self,
        stream: u16,
        sequence: u64,
        view: Option<&BlockView<'_>>,
    ) -> Checked {
        let view = durability::on_medium(stream, sequence, view)?;
        let Some(shard) = view.shard() else { return Ok(()) };
        let (sequence_last, hash) = (view.sequence_last(), *view.hash());
        self.survival.durable(RecoveredBlock { shard, sequence_last, hash });
        self.durability.durable(shard, sequence_last);
        for record in view.records() {
            self.catch_up(view, &record)?;
        }
        Ok(())
    }

    /// Takes a durable record, once, in the order of its shard.
    pub(crate) fn catch_up(&mut self, view: &BlockView<'_>, record: &RecordView<'_>) -> Checked {
        if !self.replay.apply(view, record)? {
            return Ok(());
        }
        let kind = record.header.kind.get();
        let event = Event::decode(kind, record.header.event_version.get(), record.event);
        let fact = Fact {
            shard: record.shard,
            sequence: record.sequence,
            now_ms: record.header.now_ms.get(),
            key: record.header.command,
            answer: record.answer,
            event: event.map_err(|e| Violation::new("events decode", e.to_string()))?,
        };
        self.once.record(&fact)?;
        self.terminal.record(&fact)?;
        self.expiry.record(&fact)?;
        self.line.record(&fact)?;
        self.orders.record(&fact)
    }

    /// Snapshots a shard as of its last durable block.
    pub(crate) fn snapshot(
        &self,
        shard: ShardId,
    ) -> Result<Option<(u64, Digest, Vec<u8>)>, Violation> {
        self.replay.snapshot(shard)
    }

    /// A start has judged the streams: these blocks are the log, but for what the snapshots up to
    /// `floors` made superfluous.
    pub(crate) fn recovered(&mut self, blocks: &[RecoveredBlock], floors: &[u64]) -> Checked {
        self.revival.recovered(blocks)?;
        self.survival.recovered(blocks, floors)
    }

    /// A start has replayed a shard from its snapshot up to `end`.
    pub(crate) fn restarted(&mut self, shard: &Shard, end: &ShardTail, from: u64) -> Checked {
        let id = shard.id();
        self.survival.restarted(id, end.sequence)?;
        self.durability.restarted(id, end.sequence);
        self.replay.restarted(shard, end, from)
    }
}

/// Reads an answer.
pub(crate) fn outcome(bytes: &[u8]) -> Result<claw_core::outcome::Outcome<'_>, Violation> {
    use claw_core::codec::Decode;
    let mut reader = Reader::new(bytes);
    claw_core::outcome::Outcome::decode(&mut reader)
        .map_err(|error| Violation::new("answers decode", error.to_string()))
}
