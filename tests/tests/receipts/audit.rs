//! `claw audit --full` over a real store: an honest one holds, and every part that is damaged or
//! forged is named with its place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use claw_common::checksum::{blake3, crc32c};
use claw_tests::{Node, Store};
use serde_json::Value;

use crate::shop::Shop;

/// A store with some orders, snapshots and checkpoints, its node ended.
fn store() -> Store {
    let settings = [("store.shards", "1"), ("log.snapshot_interval_s", "1")];
    let mut shop = Shop::open(&settings);
    // A receipt waits for a checkpoint that covers its order: three orders, three checkpoints.
    for session in ["s1", "s2", "s3"] {
        let order = shop.order(session);
        shop.receipt(&order);
    }
    let snapshots = shop.store.path().join("data/snapshots");
    while fs::read_dir(&snapshots).map_or(0, Iterator::count) == 0 {
        std::thread::yield_now();
    }
    assert!(shop.node.terminate().success());
    shop.store
}

fn audit(store: &Store) -> (Option<i32>, Value) {
    let (code, said) = store.claw(&["audit", "--full", "--json"]);
    let mut values = serde_json::Deserializer::from_str(&said).into_iter();
    let report = values.next().and_then(Result::ok);
    (code, report.unwrap_or_else(|| panic!("no report: {said}")))
}

/// The first finding of a part.
fn finding(store: &Store, part: &str) -> String {
    let (code, report) = audit(store);
    assert_eq!(code, Some(1), "{report:#}");
    let found = report["full"][part]["findings"][0].as_str();
    found.unwrap_or_else(|| panic!("nothing in {part}: {report:#}")).to_owned()
}

fn proofs(store: &Store, name: &str) -> PathBuf {
    store.path().join("data/proofs").join(name)
}

/// Changes a file for one look and changes it back.
fn with_altered(path: &Path, alter: impl FnOnce(&mut Vec<u8>), look: impl FnOnce()) {
    let good = fs::read(path).unwrap();
    let mut bad = good.clone();
    alter(&mut bad);
    assert_ne!(good, bad);
    fs::write(path, bad).unwrap();
    look();
    fs::write(path, good).unwrap();
}

fn segment(store: &Store) -> PathBuf {
    store.path().join("data/stream-00-segment-000000.log")
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// Computes every block's checksums and chains anew, as a forger with the log's format would:
/// `alter` is given each block's number and bytes.
fn forge(bytes: &mut [u8], mut alter: impl FnMut(usize, &mut [u8])) {
    let (mut offset, mut count) = (0, 0);
    let mut stream_last = [0; 32];
    let mut shard_last: BTreeMap<[u8; 2], [u8; 32]> = BTreeMap::new();
    while bytes[offset..].starts_with(b"CLAWBLK1") {
        count += 1;
        let (length, size) = (number(bytes, offset + 104), number(bytes, offset + 108));
        let block = &mut bytes[offset..offset + length];
        alter(count, block);
        assert!(block.len() >= 256, "a header at least");
        block[112..144].copy_from_slice(&stream_last);
        let shard: [u8; 2] = block[14..16].try_into().unwrap();
        if shard != [0xff; 2] {
            let last = shard_last.entry(shard).or_default();
            block[144..176].copy_from_slice(last);
        }
        block[176..212].fill(0);
        let (hash, crc) = (blake3(block), crc32c(block));
        block[176..208].copy_from_slice(&hash);
        block[208..212].copy_from_slice(&crc.to_le_bytes());
        stream_last = hash;
        shard_last.insert(shard, hash);
        offset += size;
    }
}

/// Where the first signature lies within a block, if it has one.
fn signature_at(block: &[u8]) -> Option<usize> {
    let vector_bytes = number(block, 100) * 8;
    let mut at = 256 + vector_bytes;
    for _ in 0..number(block, 96) {
        let (size, payload) = (number(block, at), number(block, at + 4));
        if number(block, at + 8) > 0 {
            return Some(at + 128 + payload);
        }
        at += size;
    }
    None
}

#[test]
fn honest_store_holds_in_every_part() {
    let store = store();
    let (code, report) = audit(&store);
    assert_eq!(code, Some(0), "{report:#}");
    for part in ["log", "evidence", "trees", "checkpoints", "states"] {
        assert_eq!(report["full"][part]["ok"], true, "{part}: {report:#}");
    }
    let evidence = report["full"]["evidence"]["checked"].as_str().unwrap();
    assert!(!evidence.starts_with("0 "), "signatures were there to be checked: {evidence}");
    let states = report["full"]["states"]["checked"].as_str().unwrap();
    assert!(!states.ends_with("equal to 0 snapshots"), "{states}");
    let (code, text) = store.claw(&["audit", "--full"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("checkpoints") && !text.contains("FAILED"), "{text}");
}

#[test]
fn each_damage_is_found_in_its_part_with_its_place() {
    let store = store();
    with_altered(
        &segment(&store),
        |bytes| bytes[300] ^= 1,
        || {
            let found = finding(&store, "log");
            assert!(found.contains("stream 0 block 1, segment 0 byte 0"), "{found}");
        },
    );
    let checkpoints = proofs(&store, "shard-000.checkpoints");
    let time = |bytes: &mut Vec<u8>| {
        let at = bytes.windows(6).position(|window| window == b"\ntime ").unwrap() + 6;
        bytes[at + 12] ^= 1;
    };
    with_altered(&checkpoints, time, || {
        let found = finding(&store, "checkpoints");
        assert!(found.contains("checkpoint 1: its signature does not hold"), "{found}");
    });
    // One is taken out: the next names one that is not there.
    let second = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        let origin = text.lines().next().unwrap();
        let starts: Vec<_> = text.match_indices(&format!("{origin}\n")).map(|hit| hit.0).collect();
        *bytes = [&text[..starts[1]], &text[starts[2]..]].concat().into_bytes();
    };
    with_altered(&checkpoints, second, || {
        let found = finding(&store, "checkpoints");
        assert!(found.contains("checkpoint 2 does not follow"), "{found}");
    });
    with_altered(
        &proofs(&store, "shard-000.tree"),
        |bytes| bytes[40] ^= 1,
        || {
            let found = finding(&store, "trees");
            assert!(
                found.contains("shard-000.tree") && found.contains("shard 0 record 2"),
                "{found}"
            );
        },
    );
    let snapshots = store.path().join("data/snapshots");
    let snapshot = fs::read_dir(&snapshots).unwrap().next().unwrap().unwrap().path();
    with_altered(
        &snapshot,
        |bytes| bytes[300] ^= 1,
        || {
            let found = finding(&store, "states");
            assert!(found.contains("damaged"), "{found}");
        },
    );
    assert_eq!(audit(&store).0, Some(0), "all of it was put back");
}

#[test]
fn forged_log_whose_chains_all_fit_is_found_by_its_trees_and_signatures() {
    let store = store();
    let unchanged = |bytes: &mut Vec<u8>| {
        let before = bytes.clone();
        forge(bytes, |_, _| {});
        assert_eq!(*bytes, before, "the forger knows the format");
        bytes.push(0);
    };
    with_altered(&segment(&store), unchanged, || {});
    // A signature altered, everything that a checksum covers made to fit.
    let mut forged = None;
    let signature = |bytes: &mut Vec<u8>| {
        forge(bytes, |number, block| {
            if forged.is_none()
                && let Some(at) = signature_at(block)
            {
                block[at] ^= 1;
                forged = Some(number);
            }
        });
    };
    with_altered(&segment(&store), signature, || {
        let found = finding(&store, "evidence");
        assert!(found.contains("the signature is not of key"), "{found}");
        let found = finding(&store, "trees");
        assert!(found.contains("record"), "{found}");
        let (_, report) = audit(&store);
        assert_eq!(report["full"]["log"]["ok"], true, "{report:#}");
        // The node itself refuses to sign on, and stops.
        let tree = proofs(&store, "shard-000.tree");
        let kept = fs::read(&tree).unwrap();
        fs::remove_file(&tree).unwrap();
        // A snapshot knows the chain it was made of, and would be the first to object.
        fs::remove_dir_all(store.path().join("data/snapshots")).unwrap();
        let (code, said) = Node::refused(&store, &[]);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("two histories"), "{said}");
        fs::write(&tree, kept).unwrap();
    });
    assert!(forged.is_some());
}

/// `claw audit` of a store beside a running node, which it asks.
fn audit_live(store: &Store, url: &str) -> (Option<i32>, Value) {
    let (code, said) = store.claw(&["audit", "--full", "--json", "--node", url]);
    let mut values = serde_json::Deserializer::from_str(&said).into_iter();
    let report = values.next().and_then(Result::ok);
    (code, report.unwrap_or_else(|| panic!("no report: {said}")))
}

#[test]
fn replay_equals_what_the_running_node_says_while_it_sells() {
    let mut shop = Shop::open(&[("store.shards", "2")]);
    let url = shop.node.url().to_owned();
    std::thread::scope(|scope| {
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let node = &shop.node;
        let (store, storefront) = (&shop.store, &mut shop.storefront);
        scope.spawn(move || {
            let body = br#"{"session":"s","items":[{"sku":"clog","quantity":1}]}"#;
            while ended.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                let held = storefront.request("POST", "/v1/holds", body).unwrap();
                assert!(matches!(held.status, 201 | 409 | 429), "{}", held.status);
            }
        });
        for _ in 0..8 {
            let (code, report) = audit_live(store, &url);
            assert_eq!(code, Some(0), "{report:#}");
            let checked = report["full"]["states"]["checked"].as_str().unwrap();
            assert!(checked.ends_with("2 shards of the running node"), "{checked}");
        }
        drop(done);
        assert!(node.pid() > 0);
    });
    assert!(shop.node.terminate().success());
}

#[test]
fn node_that_serves_another_state_than_its_log_is_found() {
    let store = Store::with("minimal", &[("store.shards", "1")]);
    let twin = Store::copy_of(&store);
    let stocked = |store: &Store, delta: u32| {
        let node = Node::start(store);
        let mut source = node.client(store, "source");
        let product = r#"{"name": "Clog", "price": {"amount": 4900, "currency": "EUR"}}"#;
        let put = source.request("PUT", "/v1/products/clog", product.as_bytes()).unwrap();
        assert_eq!(put.status, 201);
        let stock = format!(r#"{{"delta": {delta}, "reason": "delivery"}}"#);
        let moved = source.request("POST", "/v1/products/clog/stock", stock.as_bytes()).unwrap();
        assert_eq!(moved.status, 200);
        node
    };
    // Two nodes of one store that took as many commands, and not the same.
    let (mut node, mut other) = (stocked(&store, 100), stocked(&twin, 99));
    assert_eq!(audit_live(&store, node.url()).0, Some(0));
    let (code, report) = audit_live(&store, other.url());
    assert_eq!(code, Some(1), "{report:#}");
    let found = report["full"]["states"]["findings"][0].as_str().unwrap();
    assert!(found.ends_with("the replayed state is not the running node's"), "{found}");
    assert!(found.starts_with("shard 0 record "), "{found}");
    assert!(node.terminate().success());
    assert!(other.terminate().success());
}
