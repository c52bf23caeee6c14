//! A lane: one shard, the block it fills, and what waits for its blocks to be durable.
//!
//! The same rule as in the real node: effects join those of the block being filled, sealing freezes
//! them with it, the watermark sets them free. A decision that appended nothing waits for the
//! newest block on its way, because it may have seen it.
//!
//! Does not know the device, and does not run effects.

use std::collections::VecDeque;

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_common::limits::BLOCK_ALIGN_BYTES;
use claw_common::time::UnixMs;
use claw_core::codec::{Decode, Reader};
use claw_core::command::Request;
use claw_core::effect::Effects;
use claw_core::log::{BlockDraft, BlockJournal, Opening, SealInputs, Sealed, ShardTail};
use claw_core::payment::Answer;
use claw_core::shard::message::Message;
use claw_core::shard::{CALL_BYTES_MAX, Shard};

/// The State-Schema of every world.
const SCHEMA_VERSION: u32 = 1;

/// What arrived and is not decided yet.
#[derive(Debug)]
pub(crate) enum Input {
    Message { from: ShardId, message: Vec<u8> },
    Request(Vec<u8>),
    Payment(Vec<u8>),
}

/// What a lane did with its oldest input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Took it: a symbol for the trace, and the fact.
    Done(char, String),
    /// There is nothing to do.
    Idle,
    /// The block being filled has too little room.
    NoRoom,
    /// Ended what was due, or took up open work.
    Ticked,
}

#[derive(Debug)]
struct Flight {
    stream_sequence: u64,
    effects: Vec<Effects>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) shard: Shard,
    pub(crate) inbox: VecDeque<Input>,
    /// Whether the last tick left something to do.
    ticking: bool,
    slot: Vec<u8>,
    draft: Option<BlockDraft>,
    tail: ShardTail,
    effects: Effects,
    flights: VecDeque<Flight>,
}

impl Lane {
    pub(crate) fn new(shard: Shard, tail: ShardTail, slot_bytes: usize) -> Self {
        Self {
            shard,
            inbox: VecDeque::new(),
            ticking: false,
            slot: vec![0; slot_bytes],
            draft: None,
            tail,
            effects: Effects::default(),
            flights: VecDeque::new(),
        }
    }

    /// Hash of the shard's last sealed block.
    pub(crate) const fn hash_last(&self) -> Digest {
        self.tail.hash
    }

    /// The shard's last record in a sealed block.
    pub(crate) const fn sequence_sealed(&self) -> u64 {
        self.tail.sequence
    }

    /// Whether the block being filled holds anything.
    pub(crate) fn has_records(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| !draft.empty())
    }

    /// What the block being filled would take on the device.
    pub(crate) fn size_bytes(&self) -> usize {
        self.draft.as_ref().map_or(0, |d| d.used_bytes().next_multiple_of(BLOCK_ALIGN_BYTES))
    }

    /// Whether nothing waits for anything.
    pub(crate) fn quiet(&self) -> bool {
        self.inbox.is_empty()
            && !self.ticking
            && self.flights.is_empty()
            && self.effects.list().is_empty()
            && !self.has_records()
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.draft.as_ref().is_none_or(|draft| draft.room_bytes() >= bytes)
    }

    /// Takes up the open work that recovery found; what is left of it comes with the ticks.
    pub(crate) fn resume(&mut self, now_ms: UnixMs) {
        self.call(|shard, journal, effects| shard.resume(now_ms, journal, effects));
        self.ticking = true;
    }

    /// Does the next thing: what is due first, then the oldest input.
    pub(crate) fn step(&mut self, now_ms: UnixMs, expires: bool) -> Step {
        let due = self.shard.next_deadline().is_some_and(|deadline| deadline <= now_ms);
        if self.ticking || expires && due {
            if !self.has_room(CALL_BYTES_MAX) {
                return Step::NoRoom;
            }
            let before = self.record_count();
            self.ticking =
                self.call(|shard, journal, effects| shard.tick(now_ms, journal, effects));
            if self.ticking || self.record_count() > before {
                return Step::Ticked;
            }
        }
        match self.inbox.pop_front() {
            None => Step::Idle,
            Some(input) => self.take(input, now_ms),
        }
    }

    fn take(&mut self, input: Input, now_ms: UnixMs) -> Step {
        let fact = match &input {
            Input::Request(bytes) => {
                let request = Request::decode(&mut Reader::new(bytes)).expect("we encoded it");
                self.has_room(Shard::decision_bytes_max(&request)).then(|| {
                    self.call(|shard, journal, effects| {
                        shard.decide(&request, now_ms, journal, effects);
                    });
                    ('>', format!("{} {:?}", request.reply_to.0, request.command))
                })
            }
            Input::Payment(bytes) if self.has_room(CALL_BYTES_MAX) => {
                let answer = Answer::decode(&mut Reader::new(bytes)).expect("the vault sent it");
                self.call(|shard, journal, effects| {
                    shard.hear_payment(&answer, now_ms, journal, effects);
                });
                Some(('p', format!("{:?} of {}", answer.step, answer.order)))
            }
            Input::Message { from, message } if self.has_room(CALL_BYTES_MAX) => {
                let message = Message::decode(&mut Reader::new(message)).expect("a shard sent it");
                self.call(|shard, journal, effects| {
                    shard.receive(*from, &message, now_ms, journal, effects);
                });
                Some(('~', format!("from shard {from} {:?}", message.body)))
            }
            Input::Message { .. } | Input::Payment(_) => None,
        };
        if let Some((symbol, fact)) = fact {
            return Step::Done(symbol, fact);
        }
        self.inbox.push_front(input);
        Step::NoRoom
    }

    fn record_count(&self) -> u32 {
        self.draft.as_ref().map_or(0, BlockDraft::record_count)
    }

    fn call<T>(
        &mut self,
        ask: impl FnOnce(&mut Shard, &mut BlockJournal<'_>, &mut Effects) -> T,
    ) -> T {
        let draft = self.draft.get_or_insert_with(|| {
            let opening = Opening {
                shard: self.shard.id(),
                sequence_last: self.tail.sequence,
                schema_version: SCHEMA_VERSION,
                vector: self.shard.version_vector(),
            };
            BlockDraft::open(&mut self.slot, &opening)
        });
        let mut journal = draft.journal(&mut self.slot);
        ask(&mut self.shard, &mut journal, &mut self.effects)
    }

    /// Ends the block being filled; its effects wait for `inputs.stream_sequence`.
    pub(crate) fn seal(&mut self, inputs: &SealInputs) -> (Sealed, &[u8]) {
        let draft = self.draft.take().expect("sealed only with records");
        let sealed = draft.seal(&mut self.slot, inputs);
        self.tail =
            ShardTail { sequence: sealed.sequence_last, hash: sealed.hash, term: inputs.term };
        let effects = vec![std::mem::take(&mut self.effects)];
        self.flights.push_back(Flight { stream_sequence: inputs.stream_sequence, effects });
        (sealed, &self.slot[..sealed.size_bytes])
    }

    /// The slot, for a mark; only while no block is being filled.
    pub(crate) fn spare_slot(&mut self) -> Option<&mut [u8]> {
        if self.has_records() {
            return None;
        }
        self.draft = None;
        Some(&mut self.slot)
    }

    /// Effects that may leave now that the stream is durable up to `watermark`.
    pub(crate) fn release(&mut self, watermark: u64) -> Vec<Effects> {
        let mut free = Vec::new();
        while self.flights.front().is_some_and(|flight| flight.stream_sequence <= watermark) {
            free.extend(self.flights.pop_front().into_iter().flat_map(|flight| flight.effects));
        }
        if !self.has_records() && !self.effects.list().is_empty() {
            let effects = std::mem::take(&mut self.effects);
            match self.flights.back_mut() {
                Some(newest) => newest.effects.push(effects),
                None => free.push(effects),
            }
        }
        free
    }
}
