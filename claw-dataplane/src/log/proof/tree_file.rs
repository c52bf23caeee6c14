//! One shard's tree on disk: every whole subtree's hash, 32 bytes each, in the order in which they
//! become whole (`claw_core::merkle`).
//!
//! The file has no header and needs none: what counts is that its nodes give the root that was
//! signed. What lies behind the last checkpoint was not flushed and is made again.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use claw_common::id::ShardId;
use claw_core::merkle::{Frontier, Hash, NodePlace, stored_count};

use crate::log::{ReadError, pace};

const NODE_BYTES: u64 = 32;

/// Where a shard's tree is.
pub fn tree_path(proofs: &Path, shard: ShardId) -> PathBuf {
    proofs.join(format!("shard-{:03}.tree", shard.0))
}

/// See the module.
#[derive(Debug)]
pub struct TreeFile {
    file: File,
    path: PathBuf,
    frontier: Frontier,
    /// Nodes that are not written yet.
    pending: Vec<u8>,
    written_bytes: u64,
}

impl TreeFile {
    /// Opens or makes the file as the tree that was signed: size and root. `None`: it is not that
    /// tree.
    pub fn open(
        proofs: &Path,
        shard: ShardId,
        signed: (u64, Hash),
    ) -> Result<Option<Self>, ReadError> {
        let path = tree_path(proofs, shard);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(ReadError::file("open", &path))?;
        let (size, root) = signed;
        let Some(frontier) = Frontier::load(size, &mut |place| read(&file, place)) else {
            return Ok(None);
        };
        if frontier.root() != root {
            return Ok(None);
        }
        let written_bytes = stored_count(size) * NODE_BYTES;
        file.set_len(written_bytes).map_err(ReadError::file("cut", &path))?;
        Ok(Some(Self { file, path, frontier, pending: Vec::new(), written_bytes }))
    }

    /// Begins anew.
    pub fn create(proofs: &Path, shard: ShardId) -> Result<Self, ReadError> {
        let path = tree_path(proofs, shard);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(true).open(&path);
        let file = opened.map_err(ReadError::file("create", &path))?;
        let (frontier, pending) = (Frontier::default(), Vec::new());
        Ok(Self { file, path, frontier, pending, written_bytes: 0 })
    }

    /// Leaves so far, those not written yet included.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root of them.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Adds a leaf's hash.
    pub fn append(&mut self, leaf: Hash) {
        let pending = &mut self.pending;
        self.frontier.append(leaf, &mut |node| pending.extend_from_slice(node));
    }

    /// Writes what is pending, so that proofs can be read.
    pub fn write(&mut self) -> Result<(), ReadError> {
        let written = self.file.write_all_at(&self.pending, self.written_bytes);
        written.map_err(ReadError::file("write", &self.path))?;
        self.written_bytes += u64::try_from(self.pending.len()).unwrap_or(0);
        self.pending.clear();
        Ok(())
    }

    /// Makes all of it durable, leaving the device to the log's commits between pieces.
    pub fn flush(&mut self) -> Result<(), ReadError> {
        let pending = &self.pending;
        pace::write_durably(&self.file, pending, self.written_bytes, &mut pace::leave_half)
            .map_err(ReadError::file("write", &self.path))?;
        self.written_bytes += u64::try_from(pending.len()).unwrap_or(0);
        self.pending.clear();
        self.file.sync_data().map_err(ReadError::file("flush", &self.path))
    }

    /// A node that was written.
    pub fn node(&self, place: NodePlace) -> Option<Hash> {
        read(&self.file, place)
    }
}

/// The stored nodes alone, for those who look from outside.
#[derive(Debug)]
pub struct TreeReader(File);

impl TreeReader {
    /// Opens a shard's tree.
    pub fn open(proofs: &Path, shard: ShardId) -> Result<Self, ReadError> {
        let path = tree_path(proofs, shard);
        Ok(Self(File::open(&path).map_err(ReadError::file("open", &path))?))
    }

    /// A node.
    pub fn node(&self, place: NodePlace) -> Option<Hash> {
        read(&self.0, place)
    }
}

fn read(file: &File, place: NodePlace) -> Option<Hash> {
    let mut node = [0; 32];
    file.read_exact_at(&mut node, place.stored_index() * NODE_BYTES).ok()?;
    Some(node)
}
