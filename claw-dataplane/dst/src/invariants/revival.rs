//! Nothing beyond a cut comes back.
//!
//! A block that was sealed and is not part of the log after a start was given up: the node has told
//! shoppers and other shards another history since. A later start that finds it again, however
//! whole it is, must leave it where it is.

use std::collections::BTreeMap;

use claw_common::checksum::Digest;
use claw_common::id::ShardId;

use super::RecoveredBlock;
use crate::violation::{Checked, check};

const NAME: &str = "nothing beyond a cut comes back";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Dead,
    Live,
}

/// Every block that was ever sealed.
#[derive(Debug, Default)]
pub(super) struct Revival {
    blocks: BTreeMap<Digest, (ShardId, u64, Fate)>,
}

impl Revival {
    pub(super) fn sealed(&mut self, block: RecoveredBlock) {
        self.blocks.insert(block.hash, (block.shard, block.sequence_last, Fate::Live));
    }

    /// Judges what a start found, and gives up the rest.
    pub(super) fn recovered(&mut self, found: &[RecoveredBlock]) -> Checked {
        let mut ends: BTreeMap<ShardId, u64> = BTreeMap::new();
        for block in found {
            let fate = self.blocks.get(&block.hash).map(|(.., fate)| *fate);
            check(fate == Some(Fate::Live), NAME, || {
                let RecoveredBlock { shard, sequence_last, .. } = block;
                format!("shard {shard}, block up to record {sequence_last}: {fate:?}")
            })?;
            let end = ends.entry(block.shard).or_default();
            *end = block.sequence_last.max(*end);
        }
        for (shard, sequence_last, fate) in self.blocks.values_mut() {
            let end = ends.get(shard).copied().unwrap_or(0);
            if *sequence_last > end {
                *fate = Fate::Dead;
            }
        }
        Ok(())
    }
}
