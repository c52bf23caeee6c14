//! What the store's other files promise of its log, as they were before the log was read.
//!
//! A running node goes on writing while it is audited: a checkpoint or a snapshot that is read
//! after the log may be of records that the log got since, and would look like records that are
//! lost. What is read before the log can only be of records that are in it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use claw_common::id::ShardId;

use crate::cli::log::source::log_paths;
use crate::config::{Config, Overrides};
use crate::log::proof::CheckpointFile;

/// See the module.
#[derive(Debug)]
pub(in crate::cli::audit) struct Promised {
    /// The notes of each shard, in order.
    checkpoints: Vec<String>,
    snapshots: HashSet<PathBuf>,
}

impl Promised {
    /// Reads them; call it before the log is opened.
    pub(in crate::cli::audit) fn read(store: &Path) -> anyhow::Result<Self> {
        let config = Config::load(store, &Overrides::from_environment())?;
        let paths = log_paths(store)?;
        let shards = (0..config.store.shards).map(ShardId);
        let checkpoints = shards.map(|shard| CheckpointFile::read_all(&paths.proofs, shard));
        let mut promised =
            Self { checkpoints: checkpoints.collect::<Result<_, _>>()?, snapshots: HashSet::new() };
        let folder = &paths.snapshots;
        if folder.is_dir() {
            let failed = || format!("listing {}", folder.display());
            for entry in fs::read_dir(folder).with_context(failed)? {
                promised.snapshots.insert(entry.with_context(failed)?.path());
            }
        }
        Ok(promised)
    }

    /// The checkpoints of a shard; none of one that the settings do not know.
    pub(super) fn checkpoints(&self, shard: ShardId) -> &str {
        self.checkpoints.get(usize::from(shard.0)).map_or("", String::as_str)
    }

    /// Whether a snapshot was there.
    pub(super) fn has_snapshot(&self, path: &Path) -> bool {
        self.snapshots.contains(path)
    }
}
