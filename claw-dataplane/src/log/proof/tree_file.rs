//! One shard's tree on disk: every whole subtree's hash, 32 bytes each, in the order in which they
//! become whole (`claw_core::merkle`).
//!
//! The file has no header and needs none: what counts is that its nodes give the root that was
//! signed. What lies behind the last checkpoint was not flushed and is made again.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use claw_common::id::ShardId;
use claw_core::merkle::{Frontier, Hash, LEVELS_MAX, NodePlace, stored_count};

use crate::log::{ReadError, pace};

const NODE_BYTES: u64 = 32;
/// Pending nodes are written once there are so many: with those of another leaf they are a piece.
const PENDING_BYTES_MAX: usize = pace::PIECE_BYTES - (LEVELS_MAX + 1) * size_of::<Hash>();

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
        let pending = Vec::with_capacity(pace::PIECE_BYTES);
        Ok(Some(Self { file, path, frontier, pending, written_bytes }))
    }

    /// Begins anew.
    pub fn create(proofs: &Path, shard: ShardId) -> Result<Self, ReadError> {
        let path = tree_path(proofs, shard);
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(true).open(&path);
        let file = opened.map_err(ReadError::file("create", &path))?;
        let (frontier, pending) = (Frontier::default(), Vec::with_capacity(pace::PIECE_BYTES));
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

    /// Adds a leaf's hash. Whenever the nodes fill a piece they are written, and the device is left
    /// to the log's commits for as long as that took.
    pub fn append(&mut self, leaf: Hash) -> Result<(), ReadError> {
        let pending = &mut self.pending;
        self.frontier.append(leaf, &mut |node| pending.extend_from_slice(node));
        if self.pending.len() > PENDING_BYTES_MAX {
            let start = Instant::now();
            self.write()?;
            pace::leave_half(start.elapsed());
        }
        Ok(())
    }

    /// Makes all of it durable.
    pub fn flush(&mut self) -> Result<(), ReadError> {
        self.write()?;
        self.file.sync_data().map_err(ReadError::file("flush", &self.path))
    }

    /// Writes what is pending: a piece at most.
    fn write(&mut self) -> Result<(), ReadError> {
        pace::write_durably(&self.file, &self.pending, self.written_bytes, &mut pace::leave_half)
            .map_err(ReadError::file("write", &self.path))?;
        self.written_bytes += u64::try_from(self.pending.len()).unwrap_or(0);
        self.pending.clear();
        Ok(())
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
