//! What was promised to anyone outside a shard is there after a start.
//!
//! Promised is the highest position that any answer or message had seen. A start must end at or
//! behind it, over the very blocks that were durable: compared by hash.

use std::collections::BTreeMap;

use claw_common::checksum::Digest;
use claw_common::id::ShardId;

use super::RecoveredBlock;
use crate::violation::{Checked, check};

const NAME: &str = "what was promised survives";

/// Per shard what was promised and the durable blocks by their last record.
#[derive(Debug)]
pub(super) struct Survival {
    promised: Vec<u64>,
    durable: Vec<BTreeMap<u64, Digest>>,
}

impl Survival {
    pub(super) fn new(shards: usize) -> Self {
        Self { promised: vec![0; shards], durable: vec![BTreeMap::new(); shards] }
    }

    pub(super) fn promised(&mut self, shard: ShardId, sequence: u64) {
        let promised = &mut self.promised[usize::from(shard.0)];
        *promised = sequence.max(*promised);
    }

    pub(super) fn durable(&mut self, block: RecoveredBlock) {
        self.durable[usize::from(block.shard.0)].insert(block.sequence_last, block.hash);
    }

    /// Every durable block that ends behind its shard's floor must be among what a start found;
    /// up to there the log may be archived, and the snapshots answer for it.
    pub(super) fn recovered(&mut self, blocks: &[RecoveredBlock], floors: &[u64]) -> Checked {
        for (index, (durable, floor)) in self.durable.iter_mut().zip(floors).enumerate() {
            let ours = |block: &&RecoveredBlock| usize::from(block.shard.0) == index;
            let found: BTreeMap<u64, Digest> =
                blocks.iter().filter(ours).map(|block| (block.sequence_last, block.hash)).collect();
            for (sequence, hash) in durable.range(floor + 1..) {
                check(found.get(sequence) == Some(hash), NAME, || {
                    format!("shard {index}: the durable block up to record {sequence} is gone")
                })?;
            }
            durable.extend(found);
        }
        Ok(())
    }

    /// A shard has come back up to `sequence`.
    pub(super) fn restarted(&self, shard: ShardId, sequence: u64) -> Checked {
        let index = usize::from(shard.0);
        let durable = self.durable[index].last_key_value().map_or(0, |(&sequence, _)| sequence);
        let promised = self.promised[index].max(durable);
        check(sequence >= promised, NAME, || {
            format!("shard {shard} ends at record {sequence}, promised was {promised}")
        })
    }
}
