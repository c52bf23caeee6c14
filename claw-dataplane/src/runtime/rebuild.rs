//! Shards rebuilt from snapshots and the log, for a start and for snapshots beside the node.
//!
//! Owns the step between records and `Shard::apply`. Does not read files.

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_core::log::{BlockView, RecordView, Records};
use claw_core::shard::{ApplyError, Capacities, Shard, ShardConfig};

use crate::config::Config;
use crate::log::{Rebuild, Recovered, Snapshot};
use crate::node::lane::LaneStart;
use crate::node::shared::LiveHash;

/// Replies that may wait for an order, per shard.
const WAITERS_PER_SHARD_MAX: u32 = 16 * 1024;

/// A record that does not apply.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The shard refused it.
    #[error("apply a record: {0}; the log was written by another version, or is damaged")]
    Apply(#[from] ApplyError),
    /// The state at a position is not what the live shard had there.
    #[error("shard {shard} at {sequence}: the replayed state is not the live one")]
    Diverged {
        /// Which shard.
        shard: ShardId,
        /// Where.
        sequence: u64,
    },
}

/// Every shard of a store, being rebuilt.
#[derive(Debug)]
pub struct Rebuilt {
    configs: Vec<ShardConfig>,
    shards: Vec<Option<Shard>>,
    /// Nothing was restored or applied since the shards were made.
    untouched: bool,
    schema_hash: Digest,
    /// What live shards were at some position, to be compared when the replay comes by.
    live: Vec<Option<LiveHash>>,
    compared_count: usize,
}

impl Rebuilt {
    /// Empty shards.
    pub fn new(config: &Config, schema_hash: Digest) -> Self {
        let configs = shard_configs(config);
        let shards = configs.iter().map(|config| Some(Shard::new(*config))).collect();
        let live = Vec::new();
        Self { configs, shards, untouched: true, schema_hash, live, compared_count: 0 }
    }

    /// Compares with these hashes on the way.
    #[must_use]
    pub fn comparing(self, live: Vec<Option<LiveHash>>) -> Self {
        Self { live, ..self }
    }

    /// How many comparisons were made; all of them agreed.
    pub fn compared_count(&self) -> usize {
        self.compared_count
    }

    /// One of them.
    pub fn shard(&self, shard: ShardId) -> &Shard {
        self.shards[usize::from(shard.0)].as_ref().expect("taken only at the end")
    }

    /// How many forgotten subjects the log tells of.
    pub fn forgotten_count(&self) -> u64 {
        self.shard(ShardId(0)).forgotten_count()
    }

    /// How many.
    pub fn shards_count(&self) -> u16 {
        u16::try_from(self.shards.len()).expect("at most SHARDS_MAX")
    }

    /// Moves shards out, each with where it goes on.
    pub fn take_shards(
        &mut self,
        shards: impl Iterator<Item = ShardId>,
        recovered: &Recovered,
        schema_version: u32,
    ) -> Vec<(Shard, LaneStart)> {
        self.untouched = false;
        shards
            .map(|shard| {
                let index = usize::from(shard.0);
                let tail = recovered.shards[index];
                let start = LaneStart {
                    sequence_last: tail.sequence,
                    hash_last: tail.hash,
                    schema_version,
                };
                (self.shards[index].take().expect("each shard has one core"), start)
            })
            .collect()
    }
}

impl Rebuild for Rebuilt {
    type Error = RebuildError;

    fn begin(&mut self) {
        if self.untouched {
            return;
        }
        // Before others are made: a shard takes its share of the node's memory at once.
        self.shards.clear();
        self.untouched = true;
        self.shards = self.configs.iter().map(|config| Some(Shard::new(*config))).collect();
    }

    fn restore(&mut self, snapshot: &Snapshot) -> bool {
        self.untouched = false;
        let index = usize::from(snapshot.header().shard.0);
        let Some(config) = self.configs.get(index) else { return false };
        if snapshot.header().schema_hash != self.schema_hash {
            return false;
        }
        match Shard::restore(*config, snapshot.body()) {
            Ok(shard) => {
                self.shards[index] = Some(shard);
                true
            }
            Err(error) => {
                log::warn!("snapshot of shard {}: {error}", snapshot.header().shard);
                false
            }
        }
    }

    fn expect(&mut self, records: &Records<'_>) {
        if let Some(Some(shard)) = self.shards.get(usize::from(records.shard().0)) {
            shard.expect(records);
        }
    }

    fn apply(
        &mut self,
        block: &BlockView<'_>,
        record: &RecordView<'_>,
    ) -> Result<(), RebuildError> {
        self.untouched = false;
        let index = usize::from(record.shard.0);
        let shard = self.shards[index].as_mut().expect("taken only at the end");
        shard.observe_vector(block.vector());
        shard.apply(&record.into())?;
        if let Some(Some(live)) = self.live.get(index)
            && live.sequence == record.sequence
        {
            if shard.state_hash() != live.hash {
                let (shard, sequence) = (record.shard, record.sequence);
                return Err(RebuildError::Diverged { shard, sequence });
            }
            self.compared_count += 1;
        }
        Ok(())
    }
}

fn shard_configs(config: &Config) -> Vec<ShardConfig> {
    let shards_count = config.store.shards;
    let part = config.capacities().of_one_shard(shards_count);
    let capacities = Capacities {
        products: part.products_max,
        coupons: part.coupons_max,
        holds: part.holds_max,
        orders: part.orders_max,
        carts: part.carts_max,
        deduplication_bytes: part.deduplication_bytes,
        waiters: WAITERS_PER_SHARD_MAX,
    };
    (0..shards_count)
        .map(|shard| ShardConfig::new(ShardId(shard), shards_count, capacities))
        .collect()
}
