//! Trees built anew from the log, against what was signed and what is stored.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::PathBuf;

use claw_common::id::{Id, ShardId};
use claw_core::log::{RecordView, leaf_hash};
use claw_core::merkle::{Frontier, Hash, empty_root};

use super::{Part, Promised, place};
use crate::cli::log::source::Source;
use crate::log::proof::{Checkpoint, NoteError, SignedNote, checkpoints_path, notes, tree_path};

/// One shard's.
#[derive(Debug)]
struct ShardTree {
    shard: ShardId,
    frontier: Frontier,
    /// In order; those the tree has grown past are taken off the front.
    checkpoints: std::vec::IntoIter<Checkpoint>,
    next: Option<Checkpoint>,
    stored: Option<BufReader<File>>,
    /// Nodes of the file that counts: up to its last checkpoint.
    signed_size: u64,
    damaged: bool,
    paths: [PathBuf; 2],
}

/// See the module.
#[derive(Debug)]
pub(super) struct Trees {
    store_id: [u8; 16],
    shards: Vec<ShardTree>,
    roots: Part,
    checkpoints: Part,
    checkpoints_count: usize,
    nodes_count: u64,
}

impl Trees {
    pub(super) fn new(source: &Source, public: Option<[u8; 32]>, promised: &Promised) -> Self {
        let shape = source.tails[0].superblock.shape;
        let proofs = &source.paths.proofs;
        let mut checkpoints = Part::new("checkpoints");
        let mut checkpoints_count = 0;
        let mut shards = Vec::new();
        for shard in (0..shape.shards_count).map(ShardId) {
            let text = promised.checkpoints(shard);
            let path = checkpoints_path(proofs, shard);
            let (found, findings) = read_notes((Id(shape.store_id), shard), text, public);
            let named = findings.into_iter().map(|what| format!("{}: {what}", path.display()));
            named.for_each(|finding| checkpoints.find(finding));
            checkpoints_count += found.len();
            let signed_size = found.last().map_or(0, |last| last.size);
            let mut found = found.into_iter();
            let next = found.next();
            let tree = tree_path(proofs, shard);
            // A tree that is not there is made again by the node; what is there must be right.
            let stored = File::open(&tree).ok().map(BufReader::new);
            shards.push(ShardTree {
                shard,
                frontier: Frontier::default(),
                checkpoints: found,
                next,
                stored,
                signed_size,
                damaged: false,
                paths: [path, tree],
            });
        }
        let roots = Part::new("trees");
        let store_id = shape.store_id;
        Self { store_id, shards, roots, checkpoints, checkpoints_count, nodes_count: 0 }
    }

    pub(super) fn take(&mut self, record: &RecordView<'_>) {
        let Some(tree) = self.shards.get_mut(usize::from(record.shard.0)) else { return };
        let leaf = leaf_hash(self.store_id, record);
        let ShardTree { frontier, stored, damaged, signed_size, paths, .. } = tree;
        let judged = record.sequence <= *signed_size && !*damaged;
        let mut nodes = Vec::new();
        frontier.append(leaf, &mut |node| nodes.push(*node));
        if let Some(stored) = stored.as_mut().filter(|_| judged) {
            self.nodes_count += u64::try_from(nodes.len()).unwrap_or(0);
            if nodes.iter().any(|node| !same(stored, node)) {
                *damaged = true;
                let (place, path) = (place(record.shard, record.sequence), paths[1].display());
                self.roots.find(format!(
                    "{path}: a node that became whole with {place} is not the log's: stop the \
                     node, remove the file and start it again, which makes it anew"
                ));
            }
        }
        while let Some(next) = tree.next.filter(|next| next.size <= tree.frontier.size()) {
            if next.size == tree.frontier.size() && next.root != tree.frontier.root() {
                self.roots.find(format!(
                    "{}: the log's first {} records do not give the root that was signed: the log \
                     or the checkpoint was altered",
                    tree.paths[0].display(),
                    next.size
                ));
            }
            tree.next = tree.checkpoints.next();
        }
    }

    /// The trees, then the checkpoints.
    pub(super) fn close(mut self) -> [Part; 2] {
        for tree in &self.shards {
            if let Some(next) = tree.next {
                self.roots.find(format!(
                    "shard {}: a checkpoint covers {} records and the log has {}: records are lost",
                    tree.shard,
                    next.size,
                    tree.frontier.size()
                ));
            }
        }
        self.roots.checked = format!(
            "{} shards from the first record, {} stored nodes",
            self.shards.len(),
            self.nodes_count
        );
        self.checkpoints.checked =
            format!("{} signed, each with its root and the one before it", self.checkpoints_count);
        [self.roots, self.checkpoints]
    }
}

fn same(stored: &mut BufReader<File>, node: &Hash) -> bool {
    let mut found = [0; 32];
    stored.read_exact(&mut found).is_ok() && found == *node
}

/// The checkpoints of a file that can be believed, and what is wrong with it.
fn read_notes(
    of: (Id, ShardId),
    text: &str,
    public: Option<[u8; 32]>,
) -> (Vec<Checkpoint>, Vec<String>) {
    let (mut found, mut findings) = (Vec::new(), Vec::new());
    let mut before = (0, empty_root(), 0);
    for (number, note) in (1..).zip(notes(text).0) {
        let checkpoint = SignedNote::parse(note).and_then(|note| match public {
            Some(public) => note.verify(&public),
            None => Err(NoteError::OtherKey),
        });
        let checkpoint = match checkpoint {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                findings.push(format!("checkpoint {number}: {error}"));
                continue;
            }
        };
        if (checkpoint.store, checkpoint.shard) != of {
            findings.push(format!("checkpoint {number} is of another store or shard"));
            continue;
        }
        let follows = (checkpoint.previous_size, checkpoint.previous_root) == (before.0, before.1)
            && checkpoint.size > before.0
            && checkpoint.at_ms >= before.2;
        if !follows {
            findings.push(format!("checkpoint {number} does not follow the one before it"));
        }
        before = (checkpoint.size, checkpoint.root, checkpoint.at_ms);
        found.push(checkpoint);
    }
    (found, findings)
}
