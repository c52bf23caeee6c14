//! Append-only Merkle trees in the manner of RFC 9162 section 2.1, over SHA-256.
//!
//! ```text
//!  root of 7 leaves             stored nodes, in the order they become whole
//!         hash
//!        /    \                 0  1  2  3  4  5  6  7  8  9  10
//!       6      \                L0 L1 P  L2 L3 P  P  L4 L5 P  L6
//!     /   \     \                     ^        ^  ^        ^
//!    2     5     hash           each whole subtree exactly once, each behind its children, so a
//!   / \   / \    /  \           tree that grows only appends
//!  0   1 3   4  9    10
//!              / \
//!             7   8
//! ```
//! A leaf is hashed as `SHA-256(0x00 || leaf)`, a node as `SHA-256(0x01 || left || right)`, the
//! empty tree is `SHA-256("")`: so a leaf is never taken for a node.
//!
//! [`Frontier`] grows a tree in O(log n) memory and hands every whole subtree on, to be stored.
//! [`inclusion_proof`] and [`consistency_proof`] read what was stored, through a closure;
//! [`verify_inclusion`] and [`verify_consistency`] need nothing but the proof.
//!
//! Deliberately does not know what a leaf is, where nodes are stored, or who signs a root.

mod frontier;
mod proof;
mod verify;

#[cfg(test)]
mod tests;

pub use frontier::Frontier;
pub use proof::{
    LEVELS_MAX, NodePlace, Nodes, consistency_proof, inclusion_proof, root_of, stored_count,
};
pub use verify::{verify_consistency, verify_inclusion};

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// Hash of a leaf given in parts (RFC 9162 section 2.1.1).
pub fn leaf_hash(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Hash of an inner node (RFC 9162 section 2.1.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// Root of the tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}
