//! Published vectors, and everything against the definition written as it stands in the RFC.

use proptest::prelude::*;

use super::*;

fn hex(hash: &Hash) -> String {
    use core::fmt::Write as _;
    hash.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The leaves of the test vectors that RFC 6962 implementations share.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
/// Their roots, for trees of 1 to 8 of these leaves.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// MTH as RFC 9162 section 2.1.1 defines it.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let left = 1 << (leaves.len() - 1).ilog2();
            node_hash(&naive_root(&leaves[..left]), &naive_root(&leaves[left..]))
        }
    }
}

struct Tree {
    leaves: Vec<Hash>,
    stored: Vec<Hash>,
    frontier: Frontier,
}

impl Tree {
    fn new(count: u32) -> Self {
        let mut tree =
            Self { leaves: Vec::new(), stored: Vec::new(), frontier: Frontier::default() };
        for number in 0..count {
            tree.append(leaf_hash(&[&number.to_le_bytes()]));
        }
        tree
    }

    fn append(&mut self, leaf: Hash) {
        self.leaves.push(leaf);
        let stored = &mut self.stored;
        self.frontier.append(leaf, &mut |node| stored.push(*node));
    }

    fn nodes(&self) -> impl FnMut(NodePlace) -> Option<Hash> + use<'_> {
        |place| self.stored.get(usize::try_from(place.stored_index()).unwrap()).copied()
    }

    fn root(&self, size: u64) -> Hash {
        naive_root(&self.leaves[..usize::try_from(size).unwrap()])
    }
}

#[test]
fn published_vectors_come_out() {
    let mut tree = Tree::new(0);
    assert_eq!(
        hex(&tree.frontier.root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        tree.append(leaf_hash(&[leaf]));
        assert_eq!(hex(&tree.frontier.root()), root);
    }
    // Inclusion of the first of eight and of the sixth of eight, consistency of 6 and 8, as
    // published with the vectors.
    let proof = inclusion_proof(0, 8, &mut tree.nodes()).unwrap();
    assert_eq!(
        proof.iter().map(hex).collect::<Vec<_>>(),
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ]
    );
    let proof = consistency_proof(6, 8, &mut tree.nodes()).unwrap();
    assert_eq!(
        proof.iter().map(hex).collect::<Vec<_>>(),
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}

#[test]
fn every_proof_of_every_small_tree_holds_and_no_other_does() {
    let tree = Tree::new(20);
    for size in 1..=20 {
        let root = tree.root(size);
        assert_eq!(root_of(size, &mut tree.nodes()), Some(root));
        for index in 0..size {
            let proof = inclusion_proof(index, size, &mut tree.nodes()).unwrap();
            let leaf = &tree.leaves[usize::try_from(index).unwrap()];
            assert!(verify_inclusion(leaf, (index, size), &proof, &root));
            for other in (0..size).filter(|&other| other != index) {
                assert!(!verify_inclusion(leaf, (other, size), &proof, &root));
            }
        }
        for old in 0..=size {
            let proof = consistency_proof(old, size, &mut tree.nodes()).unwrap();
            let old_root = tree.root(old);
            assert!(verify_consistency((old, &old_root), (size, &root), &proof), "{old} {size}");
            let wrong = leaf_hash(&[b"wrong"]);
            assert!(!verify_consistency((old, &wrong), (size, &root), &proof));
            if old > 0 {
                assert!(!verify_consistency((old, &old_root), (size, &wrong), &proof));
            }
        }
    }
    assert_eq!(inclusion_proof(20, 20, &mut tree.nodes()), None);
    assert_eq!(consistency_proof(21, 20, &mut tree.nodes()), None);
    assert_eq!(inclusion_proof(3, 25, &mut tree.nodes()), None, "nodes beyond are not there");
}

#[test]
fn stored_nodes_lie_where_they_are_looked_for() {
    let tree = Tree::new(300);
    assert_eq!(u64::try_from(tree.stored.len()).unwrap(), stored_count(300));
    for level in 0..8 {
        for index in 0..300 >> level {
            let (start, end) = (usize::try_from(index << level).unwrap(), (index + 1) << level);
            let leaves = &tree.leaves[start..usize::try_from(end).unwrap()];
            let place = NodePlace { level, index };
            assert_eq!(tree.nodes()(place), Some(naive_root(leaves)), "{place:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn proofs_of_random_trees_hold_and_altered_ones_do_not(
        size in 1_u32..2000, first in any::<u32>(), second in any::<u32>(), flip in any::<usize>(),
    ) {
        let tree = Tree::new(size);
        let (index, old) = (u64::from(first % size), u64::from(second % (size + 1)));
        let size = u64::from(size);
        let root = tree.root(size);
        prop_assert_eq!(tree.frontier.root(), root);
        prop_assert_eq!(Frontier::load(size, &mut tree.nodes()), Some(tree.frontier.clone()));
        let leaf = tree.leaves[usize::try_from(index).unwrap()];
        let mut proof = inclusion_proof(index, size, &mut tree.nodes()).unwrap();
        prop_assert!(verify_inclusion(&leaf, (index, size), &proof, &root));
        if !proof.is_empty() {
            let at = flip % proof.len();
            proof[at][flip % 32] ^= 1;
            prop_assert!(!verify_inclusion(&leaf, (index, size), &proof, &root));
            proof.pop();
            prop_assert!(!verify_inclusion(&leaf, (index, size), &proof, &root));
        }
        let old_root = tree.root(old);
        let mut proof = consistency_proof(old, size, &mut tree.nodes()).unwrap();
        prop_assert!(verify_consistency((old, &old_root), (size, &root), &proof));
        if !proof.is_empty() {
            let at = flip % proof.len();
            proof[at][flip % 32] ^= 1;
            prop_assert!(!verify_consistency((old, &old_root), (size, &root), &proof));
        }
    }
}
