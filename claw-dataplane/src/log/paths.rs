//! Where a store keeps its log, its archive and its snapshots.

use std::path::{Path, PathBuf};

/// The folders of a store on files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPaths {
    /// Segments and superblocks.
    pub data: PathBuf,
    /// Archived segments; need not exist.
    pub archive: PathBuf,
    /// Snapshots; need not exist.
    pub snapshots: PathBuf,
    /// Trees and checkpoints; need not exist.
    pub proofs: PathBuf,
}

impl LogPaths {
    /// The default folders under a store.
    pub fn in_store(store: &Path) -> Self {
        let data = store.join("data");
        let snapshots = data.join("snapshots");
        let proofs = data.join("proofs");
        Self { data, archive: store.join("archive"), snapshots, proofs }
    }
}
