//! Trees, checkpoints and receipts over a small log made here.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use claw_common::id::{Id, ShardId};
use claw_core::log::BlockView;
use claw_core::merkle::{consistency_proof, leaf_hash, root_of};

use super::*;
use crate::log::tests_reading::store::{SHAPE, Seen, Store};
use crate::log::{Scope, StoreLog};

const SHARD: ShardId = ShardId(0);

fn key() -> NodeKey {
    NodeKey::from_seed(&[7; 32])
}

fn start(store: &Store, shard: ShardId) -> ShardProofsStart {
    fs::create_dir_all(&store.paths.proofs).unwrap();
    let (paths, public) = (store.paths.clone(), key().public());
    ShardProofsStart { paths, store: Id(SHAPE.store_id), shard, public }
}

/// All shards' proofs, opened and fed up to what was written.
fn proofs(store: &Store) -> Result<Vec<ShardProofs>, ProofError> {
    let ends: Vec<u64> = store.shards.iter().map(|tail| tail.sequence).collect();
    let opened = (0..).map(ShardId).zip(&ends);
    let mut shards = opened
        .map(|(shard, &end)| ShardProofs::open(start(store, shard), end))
        .collect::<Result<Vec<_>, _>>()?;
    catch_up(&store.paths, &mut shards, &ends)?;
    Ok(shards)
}

fn filled() -> Store {
    let mut store = Store::new(1, 4);
    for number in 0..5_u8 {
        store.append(0, 0, &[&[number], b"more"]);
        store.append(0, 1, &[&[number]]);
    }
    store
}

fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn tree_holds_every_record_and_proves_each() {
    let store = filled();
    let mut shards = proofs(&store).unwrap();
    let shard = &mut shards[0];
    assert!(shard.sign(&key(), 1_000).unwrap());
    assert!(!shard.sign(&key(), 2_000).unwrap(), "nothing new, nothing signed");
    let note = SignedNote::parse(shard.last_note()).unwrap();
    let checkpoint = note.verify(&key().public()).unwrap();
    assert_eq!((checkpoint.size, checkpoint.previous_size, checkpoint.at_ms), (10, 0, 1_000));
    for sequence in 1..=10 {
        let proved = shard.prove(sequence).unwrap();
        let leaf = claw_core::log::LeafView::parse(&proved.leaf).unwrap();
        assert_eq!((leaf.record.sequence, leaf.record.shard), (sequence, SHARD));
        assert_eq!(leaf.store_id, SHAPE.store_id);
        let place = (sequence - 1, 10);
        let hash = leaf_hash(&[&proved.leaf]);
        let holds = claw_core::merkle::verify_inclusion;
        assert!(holds(&hash, place, &proved.inclusion, &checkpoint.root));
    }
}

#[test]
fn restart_goes_on_from_the_last_checkpoint_and_every_checkpoint_contains_the_one_before() {
    let mut store = filled();
    let mut shards = proofs(&store).unwrap();
    shards[0].sign(&key(), 1_000).unwrap();
    drop(shards);
    for _ in 0..3 {
        store.append(0, 0, &[b"later"]);
        let mut shards = proofs(&store).unwrap();
        shards[0].sign(&key(), 2_000).unwrap();
    }
    let text = CheckpointFile::read_all(&store.paths.proofs, SHARD).unwrap();
    let (signed, rest) = notes(&text);
    assert_eq!((signed.len(), rest), (4, ""));
    let tree = TreeReader::open(&store.paths.proofs, SHARD).unwrap();
    let mut nodes = |place| tree.node(place);
    let public = key().public();
    for pair in signed.windows(2) {
        let [earlier, later] = pair else { unreachable!("windows of two") };
        let sizes =
            [*earlier, *later].map(|note| SignedNote::parse(note).unwrap().unverified().size);
        let proof = consistency_proof(sizes[0], sizes[1], &mut nodes).unwrap();
        let document = consistency_document(earlier, later, &proof);
        let (old, new) = verify_consistency_document(&document, &public).unwrap();
        assert_eq!((new.previous_size, new.previous_root), (old.size, old.root));
        assert_eq!(root_of(old.size, &mut nodes), Some(old.root));
    }
}

#[test]
fn missing_or_damaged_tree_is_made_again_from_the_log() {
    let store = filled();
    let mut shards = proofs(&store).unwrap();
    shards[0].sign(&key(), 1_000).unwrap();
    let whole = fs::read(tree_path(&store.paths.proofs, SHARD)).unwrap();
    drop(shards);
    let last_node = u64::try_from(whole.len()).unwrap() - 1;
    let ways: [&dyn Fn(); 3] = [
        &|| fs::remove_file(tree_path(&store.paths.proofs, SHARD)).unwrap(),
        &|| fs::remove_file(places_path(&store.paths.proofs, SHARD)).unwrap(),
        &|| flip(&tree_path(&store.paths.proofs, SHARD), last_node),
    ];
    for damage in ways {
        damage();
        let mut shards = proofs(&store).unwrap();
        assert!(!shards[0].sign(&key(), 2_000).unwrap(), "the same tree as signed");
        assert!(shards[0].prove(7).is_ok());
        assert_eq!(fs::read(tree_path(&store.paths.proofs, SHARD)).unwrap(), whole);
    }
    // A node that no restart looks at is found when a proof needs it.
    flip(&tree_path(&store.paths.proofs, SHARD), 5);
    let mut shards = proofs(&store).unwrap();
    let damaged = shards[0].prove(2).unwrap_err();
    assert!(matches!(damaged, ProofError::Damaged { what: "the tree", .. }), "{damaged}");
}

#[test]
fn log_that_lost_what_was_signed_is_refused() {
    let mut store = filled();
    let mut shards = proofs(&store).unwrap();
    shards[0].sign(&key(), 1_000).unwrap();
    drop(shards);
    store.shards[0].sequence -= 2;
    let error = proofs(&store).unwrap_err();
    assert!(matches!(error, ProofError::LogShorter { found: 8, signed: 10, .. }), "{error}");
}

#[test]
fn other_history_than_the_signed_one_is_never_signed_on() {
    let store = filled();
    let mut shards = proofs(&store).unwrap();
    shards[0].sign(&key(), 1_000).unwrap();
    drop(shards);
    // Another log of the same store, under the same checkpoints.
    let mut other = Store::new(1, 4);
    for _ in 0..6 {
        other.append(0, 0, &[b"not", b"this"]);
    }
    fs::create_dir_all(&other.paths.proofs).unwrap();
    let signed = checkpoints_path(&store.paths.proofs, SHARD);
    fs::copy(signed, checkpoints_path(&other.paths.proofs, SHARD)).unwrap();
    let mut shards = proofs(&other).unwrap();
    let error = shards[0].sign(&key(), 2_000).unwrap_err();
    assert!(matches!(error, ProofError::TwoHistories { size: 10, .. }), "{error}");
}

#[test]
fn half_a_note_is_cut_and_an_altered_one_is_refused() {
    let mut store = filled();
    let mut shards = proofs(&store).unwrap();
    shards[0].sign(&key(), 1_000).unwrap();
    drop(shards);
    let path = checkpoints_path(&store.paths.proofs, SHARD);
    let whole = fs::read(&path).unwrap();
    for cut in [1, 20, whole.len() - 2] {
        fs::write(&path, [&whole[..], &whole[..cut]].concat()).unwrap();
        store.append(0, 0, &[b"x"]);
        let shards = proofs(&store).unwrap();
        assert_eq!(shards[0].signed_size(), 10);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
    let mut altered = whole.clone();
    let size_at = whole.windows(4).position(|window| window == b"\n10\n").unwrap() + 1;
    altered[size_at] = b'2';
    fs::write(&path, altered).unwrap();
    let error = proofs(&store).unwrap_err();
    assert!(matches!(error, ProofError::Checkpoints { .. }), "{error}");
}

#[test]
fn follower_takes_blocks_as_they_come_over_the_end_of_a_segment() {
    let mut store = Store::new(1, 4);
    store.append(0, 0, &[b"before"]);
    let recovered = store.start(1, &mut Seen::default()).unwrap();
    let tail = &recovered.streams[0];
    let mut follower = Follower::new(FollowerStart::behind(store.paths.data.clone(), tail));
    let mut shard = ShardProofs::open(start(&store, SHARD), 1).unwrap();
    catch_up(&store.paths, std::slice::from_mut(&mut shard), &[1, 0]).unwrap();
    assert!(follower.peek().unwrap().is_none());
    let mut taken = 0;
    for round in 1..=6_u64 {
        store.append(0, 0, &[&vec![7; 80_000], b"second"]);
        store.mark(0);
        while let Some(shard_of) = follower.peek().unwrap().map(|view: BlockView<'_>| view.shard())
        {
            if shard_of.is_some() {
                let at = follower.place().unwrap();
                let view = follower.peek().unwrap().unwrap();
                shard.take_block(&at, &view).unwrap();
            }
            follower.advance();
            taken += 1;
        }
        assert_eq!((taken, shard.size()), (round * 2, 1 + round * 2));
    }
    shard.sign(&key(), 1_000).unwrap();
    for sequence in 1..=13 {
        shard.prove(sequence).unwrap();
    }
    // The same tree as one made from the log at once.
    let root = SignedNote::parse(shard.last_note()).unwrap().unverified().root;
    let (log, tails) = StoreLog::read(&store.paths, Scope::Everything, &mut |_| {}).unwrap();
    let mut leaves = Vec::new();
    let starts = vec![claw_core::log::ShardStart::default(); 2];
    let mut chains = claw_core::log::ShardChains::new(&starts);
    let flow = log.replay(&tails, &mut chains, &mut |_, record| {
        leaves.push(claw_core::log::leaf_hash(SHAPE.store_id, record));
        std::ops::ControlFlow::Continue(())
    });
    assert!(flow.unwrap().is_continue());
    let mut frontier = claw_core::merkle::Frontier::default();
    for leaf in leaves {
        frontier.append(leaf, &mut |_| {});
    }
    assert_eq!(frontier.root(), root);
}

#[test]
fn tree_that_is_behind_is_signed_as_far_as_it_is_and_keeps_little_in_memory() {
    const BLOCKS: u64 = 50;
    let mut store = Store::new(1, 4);
    let recovered = store.start(1, &mut Seen::default()).unwrap();
    let begin = FollowerStart::behind(store.paths.data.clone(), &recovered.streams[0]);
    let mut follower = Follower::new(begin);
    let mut shards = vec![ShardProofs::open(start(&store, SHARD), 0).unwrap()];
    let records: Vec<&[u8]> = (0..100).map(|_| &b"x"[..]).collect();
    for _ in 0..BLOCKS {
        store.append(0, 0, &records);
    }
    let durable = |_| BLOCKS * 100;
    let mut pursue = |shards: &mut [ShardProofs], blocks: u64| {
        let mut left = blocks;
        let goes_on = &mut || {
            left -= 1;
            left > 0
        };
        pursue(&mut follower, shards, &[SHARD].into_iter(), &durable, goes_on).unwrap()
    };
    assert_eq!(pursue(&mut shards, 3), Pursuit::Behind);
    assert!(shards[0].sign(&key(), 1_000).unwrap());
    assert_eq!((shards[0].size(), shards[0].signed_size()), (300, 300));
    assert_eq!(pursue(&mut shards, BLOCKS), Pursuit::Level);
    assert_eq!(shards[0].size(), BLOCKS * 100);
    let tree_bytes = || fs::metadata(tree_path(&store.paths.proofs, SHARD)).unwrap().len();
    let all_bytes = claw_core::merkle::stored_count(BLOCKS * 100) * 32;
    let piece_bytes = u64::try_from(crate::log::pace::PIECE_BYTES).unwrap();
    assert!(all_bytes - tree_bytes() < piece_bytes, "written before anybody signs");
    assert!(shards[0].sign(&key(), 2_000).unwrap());
    assert_eq!(tree_bytes(), all_bytes);
    for sequence in [1, 301, BLOCKS * 100] {
        shards[0].prove(sequence).unwrap();
    }
}

#[test]
fn follower_finds_blocks_that_came_after_it_read_their_place() {
    let mut store = Store::new(1, 2);
    let recovered = store.start(1, &mut Seen::default()).unwrap();
    let start = FollowerStart::behind(store.paths.data.clone(), &recovered.streams[0]);
    let mut follower = Follower::new(start);
    let mut sizes = [10, 2_500, 80_000, 10].into_iter().cycle();
    for burst in [1, 3, 0, 1, 1, 4] {
        for _ in 0..burst {
            let record = vec![3; sizes.next().unwrap()];
            store.append(0, 0, &[&record, &record]);
        }
        for _ in 0..burst {
            assert!(follower.peek().unwrap().is_some_and(|view| view.records().count() == 2));
            follower.advance();
        }
        assert!(follower.peek().unwrap().is_none(), "all of a burst of {burst} is taken");
    }
}

#[test]
fn signatures_of_other_keys_and_of_other_text_do_not_hold() {
    let checkpoint = Checkpoint {
        store: Id(SHAPE.store_id),
        shard: ShardId(3),
        size: 41,
        root: [1; 32],
        at_ms: 1_764_111_111_123,
        previous_size: 40,
        previous_root: [2; 32],
    };
    let note = checkpoint.sign(&key());
    let parsed = SignedNote::parse(&note).unwrap();
    assert_eq!(parsed.verify(&key().public()), Ok(checkpoint));
    let other = NodeKey::from_seed(&[8; 32]).public();
    assert_eq!(parsed.verify(&other), Err(NoteError::OtherKey));
    // A cosigner's line below ours is passed over.
    let cosigned = format!("{note}\u{2014} witness.example AAAAAAAA\n");
    assert_eq!(SignedNote::parse(&cosigned).unwrap().verify(&key().public()), Ok(checkpoint));
    for (from, to) in [("\n41\n", "\n42\n"), ("time 1", "time 2"), ("previous 40", "previous 39")] {
        let altered = note.replacen(from, to, 1);
        assert_ne!(altered, note);
        let verdict = SignedNote::parse(&altered).unwrap().verify(&key().public());
        assert_eq!(verdict, Err(NoteError::Signature), "{to}");
    }
    let capitals = checkpoint.store.to_string().to_uppercase();
    let origin = format!("openclaw/{}", checkpoint.store);
    for (from, to) in [
        ("\n41\n", "\n041\n"),
        ("\n41\n", "\n41\r\n"),
        (&origin, &format!("openclaw/{capitals}")),
        ("/3\n", "/x\n"),
        ("time ", "at "),
        ("\n\n", "\n"),
    ] {
        assert!(SignedNote::parse(&note.replacen(from, to, 1)).is_err(), "{to:?}");
    }
}
