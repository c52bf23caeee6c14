//! Replay equals live: states from the first record on, against every snapshot that is kept.
//!
//! A node compares the state it replays for a snapshot with its live state, by hash, and stops when
//! they differ; the snapshot keeps that hash. So equal here means equal to what served. Needs the
//! capacities that the node had: they decide what was evicted.

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_core::log::{BlockView, RecordView};

use super::{Part, place};
use crate::cli::log::source::Source;
use crate::config::Config;
use crate::log::{Rebuild as _, read_snapshot, shard_snapshots};
use crate::runtime::rebuild::Rebuilt;

/// A snapshot's claim.
#[derive(Clone, Copy, Debug)]
struct Claim {
    shard: ShardId,
    sequence: u64,
    state_hash: Digest,
}

/// See the module.
#[derive(Debug)]
pub(super) struct States {
    rebuilt: Rebuilt,
    claims: Vec<Claim>,
    compared_count: usize,
    part: Part,
    failed: bool,
}

impl States {
    pub(super) fn new(
        source: &Source,
        config: &Config,
        schema_hash: Digest,
    ) -> anyhow::Result<Self> {
        let shape = source.tails[0].superblock.shape;
        let mut part = Part::new("states");
        let mut claims = Vec::new();
        let folder = &source.paths.snapshots;
        for shard in (0..shape.shards_count).map(ShardId).filter(|_| folder.is_dir()) {
            let found = shard_snapshots(folder, shape.store_id, shard)?;
            let invalid = found.invalid.iter().map(|path| path.display());
            invalid.for_each(|path| part.find(format!("{path}: damaged, or of another store")));
            for (path, header) in found.valid {
                // Its header alone was looked at so far.
                if read_snapshot(&path)?.is_none() {
                    part.find(format!("{}: damaged", path.display()));
                    continue;
                }
                let (sequence, state_hash) = (header.start.sequence, header.state_hash);
                claims.push(Claim { shard, sequence, state_hash });
            }
        }
        let rebuilt = Rebuilt::new(config, schema_hash);
        Ok(Self { rebuilt, claims, compared_count: 0, part, failed: false })
    }

    pub(super) fn take(&mut self, block: &BlockView<'_>, record: &RecordView<'_>) {
        if self.failed {
            return;
        }
        let at = || place(record.shard, record.sequence);
        if let Err(error) = self.rebuilt.apply(block, record) {
            self.failed = true;
            self.part.find(format!("{}: {error} (is node.memory what it was?)", at()));
            return;
        }
        let here =
            |claim: &&Claim| (claim.shard, claim.sequence) == (record.shard, record.sequence);
        for claim in self.claims.iter().filter(here) {
            self.compared_count += 1;
            if self.rebuilt.shard(record.shard).state_hash() != claim.state_hash {
                self.part.find(format!("{}: the replayed state is not the snapshot's", at()));
            }
        }
    }

    pub(super) fn close(mut self) -> Part {
        for claim in &self.claims {
            if !self.failed && claim.sequence > self.rebuilt.shard(claim.shard).sequence() {
                let place = place(claim.shard, claim.sequence);
                self.part.find(format!("a snapshot is of {place}, which the log does not have"));
            }
        }
        self.part.checked =
            format!("replayed from the first record, equal to {} snapshots", self.compared_count);
        self.part
    }
}
