//! Replay equals live: states from the first record on, against every snapshot that is kept and
//! against what a running node says of itself.
//!
//! A node compares the state it replays for a snapshot with its live state, by hash, and stops when
//! they differ; the snapshot keeps that hash. So equal here means equal to what served. Needs the
//! capacities that the node had: they decide what was evicted.

use std::fmt::Write as _;

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_core::log::{BlockView, RecordView};

use super::{Part, Said, place};
use crate::cli::log::source::Source;
use crate::config::Config;
use crate::log::{Rebuild as _, read_snapshot, shard_snapshots};
use crate::runtime::rebuild::Rebuilt;

/// Whose word is compared with the replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::audit) enum Whose {
    Snapshot,
    Node,
}

/// What a state was at a record.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::audit) struct Claim {
    pub(in crate::cli::audit) whose: Whose,
    pub(in crate::cli::audit) shard: ShardId,
    pub(in crate::cli::audit) sequence: u64,
    pub(in crate::cli::audit) state_hash: Digest,
}

/// What a running node said of its shards.
#[derive(Debug, Default)]
pub(in crate::cli::audit) struct Live {
    pub(in crate::cli::audit) claims: Vec<Claim>,
    /// Shards that hold too much to be hashed while they serve: nothing of them is compared.
    pub(in crate::cli::audit) unhashed: Vec<ShardId>,
}

impl Whose {
    const fn words(self) -> &'static str {
        match self {
            Self::Snapshot => "the snapshot's",
            Self::Node => "the running node's",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct States {
    rebuilt: Rebuilt,
    claims: Vec<Claim>,
    unhashed: Vec<ShardId>,
    compared_count: [usize; 2],
    part: Part,
    failed: bool,
}

impl States {
    pub(super) fn new(
        source: &Source,
        config: &Config,
        schema_hash: Digest,
        said: Said,
    ) -> anyhow::Result<Self> {
        let shape = source.tails[0].superblock.shape;
        let mut part = Part::new("states");
        let Said { promised, live: Live { mut claims, unhashed } } = said;
        let folder = &source.paths.snapshots;
        for shard in (0..shape.shards_count).map(ShardId).filter(|_| folder.is_dir()) {
            let found = shard_snapshots(folder, shape.store_id, shard)?;
            let invalid = found.invalid.iter().map(|path| path.display());
            invalid.for_each(|path| part.find(format!("{path}: damaged, or of another store")));
            let before = found.valid.into_iter().filter(|(path, _)| promised.has_snapshot(path));
            for (path, header) in before {
                // Its header alone was looked at so far.
                if read_snapshot(&path)?.is_none() {
                    part.find(format!("{}: damaged", path.display()));
                    continue;
                }
                let (sequence, state_hash) = (header.start.sequence, header.state_hash);
                let whose = Whose::Snapshot;
                claims.push(Claim { whose, shard, sequence, state_hash });
            }
        }
        let rebuilt = Rebuilt::new(config, schema_hash);
        let compared_count = [0; 2];
        let mut states = Self { rebuilt, claims, unhashed, compared_count, part, failed: false };
        for shard in (0..shape.shards_count).map(ShardId) {
            states.compare(shard, 0);
        }
        Ok(states)
    }

    pub(super) fn take(&mut self, block: &BlockView<'_>, record: &RecordView<'_>) {
        if self.failed {
            return;
        }
        if let Err(error) = self.rebuilt.apply(block, record) {
            self.failed = true;
            let at = place(record.shard, record.sequence);
            self.part.find(format!("{at}: {error} (is node.memory what it was?)"));
            return;
        }
        self.compare(record.shard, record.sequence);
    }

    /// Compares what was replayed so far with what is claimed of this very record.
    fn compare(&mut self, shard: ShardId, sequence: u64) {
        let here = |claim: &&Claim| (claim.shard, claim.sequence) == (shard, sequence);
        for claim in self.claims.iter().filter(here) {
            self.compared_count[usize::from(claim.whose == Whose::Node)] += 1;
            if self.rebuilt.shard(shard).state_hash() != claim.state_hash {
                let (at, whose) = (place(shard, sequence), claim.whose.words());
                self.part.find(format!("{at}: the replayed state is not {whose}"));
            }
        }
    }

    pub(super) fn close(mut self) -> Part {
        for claim in &self.claims {
            if !self.failed && claim.sequence > self.rebuilt.shard(claim.shard).sequence() {
                let place = place(claim.shard, claim.sequence);
                let whose = claim.whose.words();
                self.part.find(format!("{whose} state is of {place}, which the log does not have"));
            }
        }
        self.part.checked = checked(self.compared_count, &self.unhashed);
        self.part
    }
}

/// What was compared, and what could not be, in words.
fn checked([snapshots, live]: [usize; 2], unhashed: &[ShardId]) -> String {
    let mut words = format!("replayed from the first record, compared with {snapshots} snapshots");
    if live > 0 {
        write!(words, " and {live} shards of the running node").expect("a String takes it");
    }
    if !unhashed.is_empty() {
        let shards: Vec<_> = unhashed.iter().map(ToString::to_string).collect();
        let shards = shards.join(", ");
        write!(words, "; NOT with the running node's shards {shards}: too large to hash live")
            .expect("a String takes it");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_that_was_not_compared_is_never_passed_over() {
        let all = "replayed from the first record, compared with 3 snapshots";
        let unhashed = [ShardId(0), ShardId(2)];
        let not = "; NOT with the running node's shards 0, 2: too large to hash live";
        assert_eq!(checked([3, 0], &[]), all);
        assert_eq!(checked([3, 2], &[]), format!("{all} and 2 shards of the running node"));
        let some = format!("{all} and 1 shards of the running node{not}");
        assert_eq!(checked([3, 1], &unhashed), some);
        assert_eq!(checked([3, 0], &unhashed), format!("{all}{not}"));
    }
}
