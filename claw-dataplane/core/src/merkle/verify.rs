//! Proofs checked, with nothing but the proof (RFC 9162 sections 2.1.3.2 and 2.1.4.2).

use super::{Hash, empty_root, node_hash};

/// A walk from a leaf to the root: its index and the last leaf's, halved at each level.
struct Walk {
    node: u64,
    last: u64,
}

impl Walk {
    /// Whether the next hash of the proof stands to the left.
    const fn joins_left(&self) -> bool {
        self.node & 1 == 1 || self.node == self.last
    }

    const fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }

    /// Past the levels where a ragged right edge has no sibling.
    const fn skip_lonely(&mut self) {
        while self.node & 1 == 0 && self.node != 0 {
            self.up();
        }
    }
}

/// Whether `proof` shows that `leaf` is leaf `index` of the tree of `size` leaves with this root.
pub fn verify_inclusion(leaf: &Hash, place: (u64, u64), proof: &[Hash], root: &Hash) -> bool {
    let (index, size) = place;
    if index >= size {
        return false;
    }
    let mut walk = Walk { node: index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in proof {
        if walk.last == 0 {
            return false;
        }
        if walk.joins_left() {
            hash = node_hash(sibling, &hash);
            walk.skip_lonely();
        } else {
            hash = node_hash(&hash, sibling);
        }
        walk.up();
    }
    walk.last == 0 && hash == *root
}

/// Whether `proof` shows that the tree `new` begins with the tree `old`; each is size and root.
pub fn verify_consistency(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    if old_size > new_size {
        return false;
    }
    // A tree that is one whole subtree is a node of the new one, and its root is known.
    let known = old_size.is_power_of_two().then_some(old_root);
    let mut hashes = known.into_iter().chain(proof);
    let Some(first) = hashes.next() else { return false };
    let mut walk = Walk { node: old_size - 1, last: new_size - 1 };
    while walk.node & 1 == 1 {
        walk.up();
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in hashes {
        if walk.last == 0 {
            return false;
        }
        if walk.joins_left() {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            walk.skip_lonely();
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        walk.up();
    }
    walk.last == 0 && old_hash == *old_root && new_hash == *new_root
}
