//! A tree of seeds whose leaves can be destroyed one by one.
//!
//! Owns the construction of Goldreich, Goldwasser and Micali (Journal of the ACM 33, 1986): each
//! seed gives two, and a leaf is what 64 steps from the root lead to. What is kept is a set of
//! nodes that no other covers. At first that is the root. To forget a leaf, the node above it is
//! replaced by the siblings of the path down to the leaf: every other leaf is still reached, this
//! one by nobody who has only what is kept, since the steps go one way (a keyed hash).
//!
//! Does not know whose a leaf is, and does not write files.

use std::fmt;

use zeroize::Zeroizing;

/// A secret of 256 bits.
pub(super) type Seed = Zeroizing<[u8; 32]>;

/// Bits of an address, and steps from the root to a leaf.
const DEPTH: u8 = 64;

/// A node that is kept: its seed gives all leaves whose addresses begin as `start` does.
#[derive(Clone)]
pub(super) struct Node {
    /// The first of its leaves.
    pub(super) start: u64,
    /// Steps from the root: so many bits of `start` are its own.
    pub(super) depth: u8,
    /// Its secret.
    pub(super) seed: Seed,
}

impl Node {
    fn covers(&self, address: u64) -> bool {
        let others = u32::from(DEPTH - self.depth);
        (self.start ^ address).checked_shr(others).unwrap_or(0) == 0
    }

    /// The child on the way to `address`, and the other one.
    fn step(&self, address: u64) -> (Self, Self) {
        let bit = 1 << (DEPTH - 1 - self.depth);
        let child = |start: u64| Self {
            start,
            depth: self.depth + 1,
            seed: step(&self.seed, start & bit != 0),
        };
        let (zero, one) = (child(self.start), child(self.start | bit));
        if address & bit == 0 { (zero, one) } else { (one, zero) }
    }
}

/// One step down.
fn step(seed: &[u8; 32], right: bool) -> Seed {
    Zeroizing::new(*blake3::keyed_hash(seed, &[u8::from(right)]).as_bytes())
}

/// See the module.
#[derive(Clone)]
pub struct SeedTree {
    /// By `start`; none covers another's leaves.
    nodes: Vec<Node>,
}

impl SeedTree {
    /// A tree of which every leaf can be reached.
    pub fn new(root: [u8; 32]) -> Self {
        Self { nodes: vec![Node { start: 0, depth: 0, seed: Zeroizing::new(root) }] }
    }

    /// A tree of nodes that were kept; `None` when they are none that this can have kept.
    pub(super) fn of_nodes(nodes: Vec<Node>) -> Option<Self> {
        let mut next = Some(0);
        for node in &nodes {
            let size_less_one = u64::MAX.checked_shr(node.depth.into()).unwrap_or(0);
            let fits = node.depth <= DEPTH
                && node.start & size_less_one == 0
                && next.is_some_and(|next| node.start >= next);
            if !fits {
                return None;
            }
            next = (node.start | size_less_one).checked_add(1);
        }
        Some(Self { nodes })
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The leaf's secret; `None` once it was forgotten.
    pub(super) fn leaf(&self, address: u64) -> Option<Seed> {
        let node = &self.nodes[self.find(address)?];
        let mut seed = node.seed.clone();
        for depth in node.depth..DEPTH {
            seed = step(&seed, address >> (DEPTH - 1 - depth) & 1 == 1);
        }
        Some(seed)
    }

    /// Whether the leaf can be reached.
    pub fn reaches(&self, address: u64) -> bool {
        self.find(address).is_some()
    }

    /// Makes the leaf unreachable; `false` when it was already.
    pub fn forget(&mut self, address: u64) -> bool {
        let Some(place) = self.find(address) else { return false };
        let mut node = self.nodes[place].clone();
        let mut kept = Vec::with_capacity(usize::from(DEPTH - node.depth));
        while node.depth < DEPTH {
            let (towards, beside) = node.step(address);
            kept.push(beside);
            node = towards;
        }
        kept.sort_unstable_by_key(|node| node.start);
        self.nodes.splice(place..=place, kept);
        true
    }

    fn find(&self, address: u64) -> Option<usize> {
        let after = self.nodes.partition_point(|node| node.start <= address);
        let place = after.checked_sub(1)?;
        self.nodes[place].covers(address).then_some(place)
    }
}

/// Secrets are not shown.
impl fmt::Debug for SeedTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeedTree").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}
