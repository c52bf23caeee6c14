//! The right edge of a growing tree: all that appending needs.

use arrayvec::ArrayVec;

use super::proof::{LEVELS_MAX, NodePlace, Nodes, peaks};
use super::{Hash, empty_root, node_hash};

/// Roots of the whole subtrees that a tree is made of, largest first: one for each bit of its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: ArrayVec<Hash, LEVELS_MAX>,
}

impl Frontier {
    /// The frontier of the tree of `size` leaves whose nodes are stored; `None` when one is not.
    pub fn load(size: u64, nodes: &mut Nodes<'_>) -> Option<Self> {
        let mut frontier = Self { size, peaks: ArrayVec::new() };
        for place in peaks(0, size) {
            frontier.peaks.push(nodes(place)?);
        }
        Some(frontier)
    }

    /// Leaves so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf's hash and hands on every node that is whole now, in the order of
    /// [`NodePlace::stored_index`]: the leaf first.
    pub fn append(&mut self, leaf: Hash, stored: &mut dyn FnMut(&Hash)) {
        stored(&leaf);
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("a peak for each bit of the size");
            node = node_hash(&left, &node);
            stored(&node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// Root of the tree so far.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(smallest) = peaks.next() else { return empty_root() };
        peaks.fold(*smallest, |right, left| node_hash(left, &right))
    }
}

impl NodePlace {
    /// Of the leaf with this index.
    pub const fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }
}
