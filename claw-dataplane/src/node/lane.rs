//! A lane: one shard, the block it is filling, and its blocks on their way to the device.
//!
//! Owns the rule that nothing leaves a shard before what it saw is durable. Every decision's
//! effects join those of the block being filled; sealing freezes them with the block; the commit's
//! watermark sets them free. A read that appends nothing waits for the newest block that is on its
//! way, or for nothing when all is durable.
//!
//! ```text
//!  decide --> effects of the filling block --seal--> in flight --watermark--> run
//!                 \-- nothing appended, nothing in flight ---------------------^
//! ```
//! Does not run effects and does not know the device: the core loop does.

use std::collections::VecDeque;

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_common::limits::BLOCK_ALIGN_BYTES;
use claw_common::time::UnixMs;
use claw_core::command::Request;
use claw_core::effect::Effects;
use claw_core::log::{BlockDraft, Opening, SealInputs, Sealed};
use claw_core::payment::Answer;
use claw_core::shard::Shard;
use claw_core::shard::message::Message;

use crate::buffer::FillingSlot;

/// A block that is sealed and not yet durable.
#[derive(Debug)]
struct Flight {
    stream_sequence: u64,
    durable: Durable,
}

/// What a block that became durable sets free.
#[derive(Debug)]
pub struct Durable {
    /// The shard's last sequence in it.
    pub sequence: u64,
    /// To be run; give them back to [`Lane::recycle`].
    pub effects: Effects,
}

/// See the module.
#[derive(Debug)]
pub struct Lane {
    shard: Shard,
    slot: Option<FillingSlot>,
    draft: Option<BlockDraft>,
    schema_version: u32,
    sequence_last: u64,
    hash_last: Digest,
    effects: Effects,
    flights: VecDeque<Flight>,
    spare: Vec<Effects>,
}

/// Where a lane goes on after recovery.
#[derive(Clone, Copy, Debug)]
pub struct LaneStart {
    /// The shard's last record.
    pub sequence_last: u64,
    /// Hash of the shard's last block.
    pub hash_last: Digest,
    /// The State-Schema in force.
    pub schema_version: u32,
}

impl Lane {
    /// A lane over a recovered shard.
    pub fn new(shard: Shard, start: LaneStart) -> Self {
        Self {
            shard,
            slot: None,
            draft: None,
            schema_version: start.schema_version,
            sequence_last: start.sequence_last,
            hash_last: start.hash_last,
            effects: Effects::default(),
            flights: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// The shard, to read.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// Which shard.
    pub fn id(&self) -> ShardId {
        self.shard.id()
    }

    /// Whether it needs a slot before it can decide anything.
    pub fn wants_slot(&self) -> bool {
        self.slot.is_none()
    }

    /// Gives it a slot to fill.
    pub fn fill(&mut self, slot: FillingSlot) {
        assert!(self.slot.is_none(), "one filling block a shard");
        self.slot = Some(slot);
    }

    /// Whether `wanted_bytes` more fit the block being filled.
    pub fn has_room(&self, wanted_bytes: usize) -> bool {
        match (&self.slot, &self.draft) {
            (Some(_), Some(draft)) => draft.room_bytes() >= wanted_bytes,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Decides a command.
    pub fn decide(&mut self, request: &Request<'_>, now_ms: UnixMs) {
        self.step(|shard, journal, effects| shard.decide(request, now_ms, journal, effects));
    }

    /// Takes a message of another shard.
    pub fn receive(&mut self, from: ShardId, message: &Message<'_>, now_ms: UnixMs) {
        self.step(|shard, journal, effects| {
            shard.receive(from, message, now_ms, journal, effects);
        });
    }

    /// Takes an answer of the vault.
    pub fn hear_payment(&mut self, answer: &Answer<'_>, now_ms: UnixMs) {
        self.step(|shard, journal, effects| {
            shard.hear_payment(answer, now_ms, journal, effects);
        });
    }

    /// Lets time pass; returns whether more is due than one call may do.
    pub fn tick(&mut self, now_ms: UnixMs) -> bool {
        self.step(|shard, journal, effects| shard.tick(now_ms, journal, effects))
    }

    /// Begins to take up the open work that recovery found; [`Lane::tick`] goes on with it.
    pub fn resume(&mut self, now_ms: UnixMs) {
        self.step(|shard, journal, effects| shard.resume(now_ms, journal, effects));
    }

    /// Whether there is something to write.
    pub fn has_records(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| !draft.empty())
    }

    /// Bytes the block being filled would take on the device.
    pub fn size_bytes(&self) -> usize {
        self.draft
            .as_ref()
            .map_or(0, |draft| draft.used_bytes().next_multiple_of(BLOCK_ALIGN_BYTES))
    }

    /// Hash of the shard's last sealed block.
    pub fn hash_last(&self) -> Digest {
        self.hash_last
    }

    /// Ends the block being filled. Its effects wait for `inputs.stream_sequence`.
    pub fn seal(&mut self, inputs: &SealInputs) -> (FillingSlot, Sealed) {
        let draft = self.draft.take().expect("sealed only with records");
        let mut slot = self.slot.take().expect("a draft has a slot");
        let sealed = draft.seal(slot.bytes_mut(), inputs);
        self.sequence_last = sealed.sequence_last;
        self.hash_last = sealed.hash;
        let effects = std::mem::replace(&mut self.effects, self.spare.pop().unwrap_or_default());
        let durable = Durable { sequence: sealed.sequence_last, effects };
        self.flights.push_back(Flight { stream_sequence: inputs.stream_sequence, durable });
        (slot, sealed)
    }

    /// The oldest block that is durable now that the stream is up to `watermark`.
    pub fn take_durable(&mut self, watermark: u64) -> Option<Durable> {
        if self.flights.front()?.stream_sequence > watermark {
            return None;
        }
        self.flights.pop_front().map(|flight| flight.durable)
    }

    /// Effects of decisions that appended nothing, when nothing is on its way either; else they
    /// are hung on the newest block on its way.
    pub fn take_immediate(&mut self) -> Option<Effects> {
        if self.effects.is_empty() || self.has_records() {
            return None;
        }
        if let Some(newest) = self.flights.back_mut() {
            newest.durable.effects.absorb(&self.effects);
            self.effects.clear();
            return None;
        }
        Some(std::mem::replace(&mut self.effects, self.spare.pop().unwrap_or_default()))
    }

    /// Takes a list back that was run.
    pub fn recycle(&mut self, mut effects: Effects) {
        effects.clear();
        self.spare.push(effects);
    }

    /// Whether every decision has left.
    pub fn quiet(&self) -> bool {
        self.flights.is_empty() && self.effects.is_empty() && !self.has_records()
    }

    fn step<T>(
        &mut self,
        decide: impl FnOnce(&mut Shard, &mut claw_core::log::BlockJournal<'_>, &mut Effects) -> T,
    ) -> T {
        let slot = self.slot.as_mut().expect("the caller checked the room");
        let draft = self.draft.get_or_insert_with(|| {
            let opening = Opening {
                shard: self.shard.id(),
                sequence_last: self.sequence_last,
                schema_version: self.schema_version,
                vector: self.shard.version_vector(),
            };
            BlockDraft::open(slot.bytes_mut(), &opening)
        });
        let mut journal = draft.journal(slot.bytes_mut());
        decide(&mut self.shard, &mut journal, &mut self.effects)
    }
}
