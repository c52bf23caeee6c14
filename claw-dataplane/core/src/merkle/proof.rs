//! Where nodes are stored, and proofs read from them (RFC 9162 sections 2.1.3.1 and 2.1.4.1).
//!
//! Only whole subtrees are stored. The ragged right edge of a tree of any past size is computed
//! from them, so a proof for every size that the tree ever had can be given.

use super::{Hash, empty_root, node_hash};

/// Levels of the largest tree.
pub const LEVELS_MAX: usize = 64;

/// Names a whole subtree: of `2^level` leaves, the `index`th of that size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePlace {
    /// 0 for a leaf.
    pub level: u32,
    /// Counted from 0 within its level.
    pub index: u64,
}

/// Reads a stored node; `None` when it is not there.
pub type Nodes<'f> = dyn FnMut(NodePlace) -> Option<Hash> + 'f;

/// Nodes that are stored for a tree of `size` leaves: every leaf, and every parent that is whole.
pub fn stored_count(size: u64) -> u64 {
    2 * size - u64::from(size.count_ones())
}

impl NodePlace {
    /// Its place among the stored nodes, which lie in the order in which they become whole.
    pub fn stored_index(self) -> u64 {
        // Whole once its last leaf is there; the nodes of that leaf lie from small to large.
        let last_leaf = ((self.index + 1) << self.level) - 1;
        stored_count(last_leaf) + u64::from(self.level)
    }
}

/// The whole subtrees that leaves `start .. start + count` are made of, largest first. `start` must
/// be a multiple of the largest.
pub(super) fn peaks(start: u64, count: u64) -> impl Iterator<Item = NodePlace> {
    let mut done = 0;
    (0..u64::BITS).rev().filter(move |level| count >> level & 1 == 1).map(move |level| {
        let place = NodePlace { level, index: (start + done) >> level };
        done += 1 << level;
        place
    })
}

/// Root of the tree that leaves `start .. start + count` alone would make.
fn range_root(start: u64, count: u64, nodes: &mut Nodes<'_>) -> Option<Hash> {
    let mut roots = arrayvec::ArrayVec::<Hash, LEVELS_MAX>::new();
    for place in peaks(start, count) {
        roots.push(nodes(place)?);
    }
    let smallest = roots.pop()?;
    Some(roots.iter().rev().fold(smallest, |right, left| node_hash(left, &right)))
}

/// Root of the first `size` leaves; `None` when a node is missing.
pub fn root_of(size: u64, nodes: &mut Nodes<'_>) -> Option<Hash> {
    if size == 0 { Some(empty_root()) } else { range_root(0, size, nodes) }
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Proof that leaf `index` is in the tree of `size` leaves, from the leaf up; `None` when it is
/// not, or a node is missing.
pub fn inclusion_proof(index: u64, size: u64, nodes: &mut Nodes<'_>) -> Option<Vec<Hash>> {
    if index >= size {
        return None;
    }
    let (mut start, mut count) = (0, size);
    let mut proof = Vec::new();
    while count > 1 {
        let left = split(count);
        if index < start + left {
            proof.push(range_root(start + left, count - left, nodes)?);
            count = left;
        } else {
            proof.push(range_root(start, left, nodes)?);
            start += left;
            count -= left;
        }
    }
    proof.reverse();
    Some(proof)
}

/// Proof that the tree of `new_size` leaves begins with the tree of `old_size`; `None` when it
/// cannot, or a node is missing. Empty when the old tree is empty or the new one itself.
pub fn consistency_proof(old_size: u64, new_size: u64, nodes: &mut Nodes<'_>) -> Option<Vec<Hash>> {
    if old_size > new_size {
        return None;
    }
    let mut proof = Vec::new();
    if old_size == 0 || old_size == new_size {
        return Some(proof);
    }
    let (mut start, mut count, mut old) = (0, new_size, old_size);
    // Whether what is left is still the old tree itself, whose root the verifier has.
    let mut whole = true;
    while old != count {
        let left = split(count);
        if old <= left {
            proof.push(range_root(start + left, count - left, nodes)?);
            count = left;
        } else {
            proof.push(range_root(start, left, nodes)?);
            start += left;
            count -= left;
            old -= left;
            whole = false;
        }
    }
    if !whole {
        proof.push(range_root(start, count, nodes)?);
    }
    proof.reverse();
    Some(proof)
}
