//! Replay gives the live state, byte for byte.
//!
//! A follower of each shard applies every durable block, as a snapshot maker would. Where a live
//! shard sealed a block, both have the same state hash; after a start the recovered shard has the
//! follower's.

use std::collections::BTreeMap;

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_core::log::{BlockView, RecordView, ShardTail};
use claw_core::shard::Shard;

use super::snapshot;
use crate::options::Options;
use crate::site::{shard_config, shards};
use crate::violation::{Checked, Violation, check};

const NAME: &str = "replay gives the live state";

#[derive(Debug)]
struct Follower {
    shard: Shard,
    sequence: u64,
    hash: Digest,
    block: Option<Digest>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Replay {
    options: Options,
    followers: Vec<Follower>,
    /// State of the live shard when it sealed the block that ends there.
    live: BTreeMap<(ShardId, u64), [u8; 32]>,
}

impl Replay {
    pub(super) fn new(options: &Options) -> Self {
        let follower = |shard| Follower {
            shard: Shard::new(shard_config(options, shard)),
            sequence: 0,
            hash: Digest::default(),
            block: None,
        };
        Self {
            options: *options,
            followers: shards(options).map(follower).collect(),
            live: BTreeMap::new(),
        }
    }

    pub(super) fn sealed(&mut self, shard: &Shard, sequence_last: u64) {
        self.live.insert((shard.id(), sequence_last), shard.state_hash());
    }

    /// Applies a record; `false` when it was applied before.
    pub(super) fn apply(
        &mut self,
        view: &BlockView<'_>,
        record: &RecordView<'_>,
    ) -> Result<bool, Violation> {
        let follower = &mut self.followers[usize::from(record.shard.0)];
        if record.sequence <= follower.sequence {
            return Ok(false);
        }
        let due = follower.sequence + 1;
        check(record.sequence == due, NAME, || {
            format!("shard {}: record {} where {due} is due", record.shard, record.sequence)
        })?;
        if follower.block != Some(*view.hash()) {
            follower.block = Some(*view.hash());
            follower.shard.observe_vector(view.vector());
        }
        follower
            .shard
            .apply(&record.into())
            .map_err(|error| Violation::new(NAME, format!("record {due}: {error}")))?;
        follower.sequence = due;
        if due == view.sequence_last() {
            follower.hash = *view.hash();
            let live = self.live.remove(&(record.shard, due));
            let same = live.is_none_or(|hash| hash == follower.shard.state_hash());
            check(same, NAME, || format!("shard {} differs at record {due}", record.shard))?;
        }
        Ok(true)
    }

    pub(super) fn snapshot(
        &self,
        shard: ShardId,
    ) -> Result<Option<(u64, Digest, Vec<u8>)>, Violation> {
        let follower = &self.followers[usize::from(shard.0)];
        if follower.sequence == 0 {
            return Ok(None);
        }
        let bytes = snapshot::take(&follower.shard, shard_config(&self.options, shard))?;
        Ok(Some((follower.sequence, follower.hash, bytes)))
    }

    /// A start has replayed a shard from `from` up to `end`.
    pub(super) fn restarted(&mut self, shard: &Shard, end: &ShardTail, from: u64) -> Checked {
        let id = shard.id();
        let follower = &self.followers[usize::from(id.0)];
        check(follower.sequence == end.sequence, NAME, || {
            format!("shard {id} ends at {}, the follower at {}", end.sequence, follower.sequence)
        })?;
        check(follower.shard.state_hash() == shard.state_hash(), NAME, || {
            format!("shard {id}: replay of {from} to {} differs from the run", end.sequence)
        })?;
        // What lies beyond was given up; its places will hold another history.
        self.live.retain(|(shard, sequence), _| *shard != id || *sequence <= end.sequence);
        Ok(())
    }
}
