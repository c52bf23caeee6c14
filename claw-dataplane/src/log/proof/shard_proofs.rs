//! One shard's tree, places and checkpoints together: fed with durable blocks, signed, asked.

use std::path::PathBuf;

use claw_common::id::{Id, ShardId};
use claw_common::time::UnixMs;
use claw_core::log::{BlockView, ShardStart, leaf_bytes, leaf_hash};
use claw_core::merkle::{
    Hash, NodePlace, consistency_proof, empty_root, inclusion_proof, verify_consistency,
    verify_inclusion,
};

use super::block_reader::BlockReader;
use super::checkpoint::Checkpoint;
use super::checkpoint_file::CheckpointFile;
use super::error::ProofError;
use super::node_key::NodeKey;
use super::places::{BlockAt, PlacesFile};
use super::tree_file::TreeFile;
use crate::log::LogPaths;

/// What a shard's proofs are opened with.
#[derive(Clone, Debug)]
pub struct ShardProofsStart {
    /// The store's folders.
    pub paths: LogPaths,
    /// The store.
    pub store: Id,
    /// The shard.
    pub shard: ShardId,
    /// The node's public key.
    pub public: [u8; 32],
}

/// A record with its proof against the last checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Its sequence.
    pub sequence: u64,
    /// The leaf.
    pub leaf: Vec<u8>,
    /// From the leaf up.
    pub inclusion: Vec<Hash>,
}

/// See the module.
#[derive(Debug)]
pub struct ShardProofs {
    start: ShardProofsStart,
    proofs: PathBuf,
    tree: TreeFile,
    places: PlacesFile,
    checkpoints: CheckpointFile,
    reader: BlockReader,
    /// Blocks were taken since the files were written.
    unwritten: bool,
}

impl ShardProofs {
    /// Opens what is there, for a log that ends at record `found`. A tree that is not the one that
    /// was signed begins anew, and wants the whole log again.
    pub fn open(start: ShardProofsStart, found: u64) -> Result<Self, ProofError> {
        let (proofs, shard) = (start.paths.proofs.clone(), start.shard);
        let checkpoints = CheckpointFile::open(&proofs, (start.store, shard), &start.public)?;
        let signed = signed(&checkpoints);
        if signed.0 > found {
            return Err(ProofError::LogShorter { shard, found, signed: signed.0 });
        }
        let tree = TreeFile::open(&proofs, shard, signed)?;
        let places = PlacesFile::open(&proofs, shard, signed.0)?;
        let (tree, places) = if let (Some(tree), Some(places)) = (tree, places) {
            (tree, places)
        } else {
            log::warn!("shard {shard}: its tree is missing or damaged and is made again");
            (TreeFile::create(&proofs, shard)?, PlacesFile::create(&proofs, shard)?)
        };
        let reader = BlockReader::new(start.paths.clone());
        Ok(Self { start, proofs, tree, places, checkpoints, reader, unwritten: false })
    }

    /// Which shard.
    pub fn shard(&self) -> ShardId {
        self.start.shard
    }

    /// Records in the tree.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Records that a checkpoint covers.
    pub fn signed_size(&self) -> u64 {
        signed(&self.checkpoints).0
    }

    /// The last checkpoint's note; empty for none.
    pub fn last_note(&self) -> &str {
        self.checkpoints.last_note()
    }

    /// Forgets tree and places, to be fed from the first record again.
    pub fn begin_anew(&mut self) -> Result<(), ProofError> {
        self.tree = TreeFile::create(&self.proofs, self.start.shard)?;
        self.places = PlacesFile::create(&self.proofs, self.start.shard)?;
        Ok(())
    }

    /// Where the shard's chain goes on behind the tree; `None` when the block cannot be read.
    pub fn chain_start(&mut self) -> Result<Option<ShardStart>, ProofError> {
        let sequence = self.size();
        if sequence == 0 {
            return Ok(Some(ShardStart::default()));
        }
        let Some(at) = self.places.find(sequence) else { return Ok(None) };
        let view = self.reader.read(&at)?;
        let view = view.filter(|view| view.sequence_last() == sequence);
        Ok(view.map(|view| ShardStart { sequence, hash: *view.hash() }))
    }

    /// Takes the records of a durable block that are not in the tree yet.
    pub fn take_block(&mut self, at: &BlockAt, view: &BlockView<'_>) -> Result<(), ProofError> {
        let known = self.tree.size();
        if view.sequence_last() <= known {
            return Ok(());
        }
        self.unwritten = true;
        for record in view.records().filter(|record| record.sequence > known) {
            assert_eq!(record.sequence, self.tree.size() + 1, "fed in the shard's order");
            self.tree.append(leaf_hash(self.start.store.0, &record))?;
        }
        Ok(self.places.append(at)?)
    }

    /// Signs a checkpoint when there are new records; says whether it did.
    pub fn sign(&mut self, key: &NodeKey, now_ms: UnixMs) -> Result<bool, ProofError> {
        let shard = self.start.shard;
        let (size, root) = (self.tree.size(), self.tree.root());
        let (old_size, old_root) = signed(&self.checkpoints);
        if self.unwritten {
            self.tree.flush()?;
            self.places.flush()?;
            self.unwritten = false;
        }
        if size < old_size {
            return Ok(false);
        }
        let tree = &self.tree;
        let proof = consistency_proof(old_size, size, &mut |place| tree.node(place));
        let proof = proof.ok_or(ProofError::Damaged { shard, what: "the tree" })?;
        if !verify_consistency((old_size, &old_root), (size, &root), &proof) {
            return Err(ProofError::TwoHistories { shard, size: old_size });
        }
        if size == old_size {
            return Ok(false);
        }
        let last_ms = self.checkpoints.last().map_or(0, |last| last.at_ms);
        let checkpoint = Checkpoint {
            store: self.start.store,
            shard,
            size,
            root,
            at_ms: now_ms.max(last_ms),
            previous_size: old_size,
            previous_root: old_root,
        };
        let note = checkpoint.sign(key);
        self.checkpoints.append(checkpoint, note)?;
        Ok(true)
    }

    /// The record at `sequence`, which the last checkpoint covers, with its proof.
    pub fn prove(&mut self, sequence: u64) -> Result<Proved, ProofError> {
        let (shard, store) = (self.start.shard, self.start.store.0);
        let (size, root) = signed(&self.checkpoints);
        assert!((1..=size).contains(&sequence), "asked only for what a checkpoint covers");
        let damaged = |what| ProofError::Damaged { shard, what };
        let at = self.places.find(sequence).ok_or_else(|| damaged("the list of places"))?;
        let gone = ProofError::Gone { shard, sequence };
        let view = self.reader.read(&at)?.ok_or(gone)?;
        let record = view.records().find(|record| record.sequence == sequence);
        let record = record.ok_or_else(|| damaged("the list of places"))?;
        let (leaf, hash) = (leaf_bytes(store, &record), leaf_hash(store, &record));
        let tree = &self.tree;
        let nodes = &mut |place: NodePlace| tree.node(place);
        let inclusion = inclusion_proof(sequence - 1, size, nodes);
        let inclusion = inclusion.ok_or_else(|| damaged("the tree"))?;
        if !verify_inclusion(&hash, (sequence - 1, size), &inclusion, &root) {
            return Err(damaged("the tree"));
        }
        Ok(Proved { sequence, leaf, inclusion })
    }
}

/// Size and root of the last checkpoint; the empty tree before the first.
fn signed(checkpoints: &CheckpointFile) -> (u64, Hash) {
    checkpoints.last().map_or_else(|| (0, empty_root()), |last| (last.size, last.root))
}
