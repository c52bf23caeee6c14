//! Damage to a real store's log: what was durable and is no longer readable stops the node with
//! its place; what a crash tore off the end is cut, and said.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use claw_tests::{Node, Store};
use serde_json::{Value, json};

const SEGMENT: &str = "stream-00-segment-000000.log";

/// A store with the traces of some holds, its node ended with SIGTERM or `kill -9`.
///
/// Nothing of it is signed while the node runs: what a checkpoint covers cannot be a torn tail.
fn used_store(end: fn(&mut Node)) -> Store {
    let never = ("log.checkpoint_interval_ms", "3_600_000");
    used_store_with(&[never], end)
}

fn used_store_with(settings: &[(&str, &str)], end: impl FnOnce(&mut Node)) -> Store {
    let store = Store::with("minimal", &[&[("store.shards", "1")], settings].concat());
    let mut node = Node::start(&store);
    let mut operator = node.client(&store, "operator");
    let product = json!({"name": "Shirt", "price": {"amount": 1000, "currency": "EUR"}});
    let made = operator.request("PUT", "/v1/products/shirt", product.to_string().as_bytes());
    assert_eq!(made.expect("the node answers").status, 201);
    let stock = json!({"delta": 1000, "reason": "delivery"});
    let moved = operator.request("POST", "/v1/products/shirt/stock", stock.to_string().as_bytes());
    assert_eq!(moved.expect("the node answers").status, 200);
    for n in 0..40 {
        let items = json!([{"sku": "shirt", "quantity": 1}]);
        let hold = json!({"session": format!("s{n}"), "items": items}).to_string();
        let held = operator.request("POST", "/v1/holds", hold.as_bytes());
        assert_eq!(held.expect("the node answers").status, 201);
    }
    end(&mut node);
    store
}

fn end_orderly(node: &mut Node) {
    assert!(node.terminate().success(), "{}", node.said());
}

fn segment(store: &Store) -> PathBuf {
    store.path().join("data").join(SEGMENT)
}

fn verdict(store: &Store) -> (Option<i32>, Value) {
    let (code, said) = store.claw(&["log", "verify", "--json"]);
    let mut values = serde_json::Deserializer::from_str(&said).into_iter();
    let verdict = values.next().and_then(Result::ok);
    (code, verdict.unwrap_or_else(|| panic!("no verdict: {said}")))
}

/// Offsets and sizes of the blocks, found by their magic at block boundaries: a reader of our own.
fn blocks(bytes: &[u8]) -> Vec<(usize, usize)> {
    let magic = &bytes[..8];
    let starts = (0..bytes.len()).step_by(4096).filter(|&at| &bytes[at..at + 8] == magic);
    let starts: Vec<_> = starts.collect();
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
    let ends = starts.iter().copied().skip(1).chain([used.next_multiple_of(4096)]);
    starts.iter().zip(ends).map(|(&start, end)| (start, end - start)).collect()
}

#[test]
fn flipped_bit_below_the_watermark_stops_everything_and_is_named() {
    let store = used_store(end_orderly);
    let (code, whole) = verdict(&store);
    assert_eq!((code, &whole["whole"]), (Some(0), &json!(true)), "{whole}");
    let path = segment(&store);
    let bytes = fs::read(&path).unwrap();
    let blocks = blocks(&bytes);
    let count = u64::try_from(blocks.len()).unwrap();
    assert_eq!(whole["streams"][0]["blocks"], count, "{whole}");
    assert!(blocks.len() > 20, "{} blocks", blocks.len());
    let file = File::options().write(true).open(&path).unwrap();
    let mut refused_count = 0;
    for (number, (start, size)) in blocks.iter().enumerate().take(blocks.len() - 6).step_by(7) {
        // Magic, header, a record, the last byte in use, each at another bit.
        let last = (0..*size).rev().find(|&at| bytes[start + at] != 0).unwrap();
        for (bit, within) in [0, 41, 300, last].into_iter().enumerate() {
            let at = start + within;
            let offset = u64::try_from(at).unwrap();
            file.write_all_at(&[bytes[at] ^ (1 << (bit * 2))], offset).unwrap();
            let place = format!("stream 0 block {}, segment 0 byte {start}", number + 1);
            let (code, said) = verdict(&store);
            assert_eq!(code, Some(1), "bit at {at}: {said}");
            let damage = said["damage"].as_str().expect("a damage");
            assert!(damage.contains(&place) && damage.contains(SEGMENT), "{place}: {damage}");
            if within == last || within == 0 {
                let (code, said) = Node::refused(&store, &[]);
                assert_eq!(code, Some(1), "{said}");
                assert!(said.contains(&place) && said.contains(SEGMENT), "{place}: {said}");
                refused_count += 1;
            }
            file.write_all_at(&bytes[at..=at], offset).unwrap();
        }
    }
    assert!(refused_count > 4, "{refused_count} places");
    // Nothing of all that was taken for an end and cut off.
    assert_eq!(verdict(&store).1["records"], whole["records"]);
    let mut node = Node::start(&store);
    let shirt = node.client(&store, "operator").request("GET", "/v1/products/shirt", b"").unwrap();
    assert_eq!(shirt.json()["held"], 40);
    end_orderly(&mut node);
}

#[test]
fn torn_tail_above_the_watermark_is_cut_and_named() {
    // Zeroed to the end, its last sector lost, its middle from another time.
    let tears: [fn(&mut [u8]); 3] = [
        |block| block[512..].fill(0),
        |block| {
            let last = block.len() - 512;
            let used = block.iter().rposition(|&byte| byte != 0).unwrap_or(0).min(last);
            block[used / 512 * 512..].fill(0);
        },
        |block| block[256..512].fill(0xa5),
    ];
    for (number, tear) in tears.into_iter().enumerate() {
        let store = used_store(Node::kill);
        let path = segment(&store);
        let mut bytes = fs::read(&path).unwrap();
        let blocks = blocks(&bytes);
        let &(start, size) = blocks.last().unwrap();
        tear(&mut bytes[start..start + size]);
        fs::write(&path, &bytes).unwrap();
        let place = format!("block {} (segment 0 byte {start})", blocks.len());
        let (code, said) = store.claw(&["log", "verify"]);
        assert_eq!(code, Some(0), "{number}: {said}");
        assert!(said.contains(&format!("beyond the end: {place}")), "{number}: {said}");
        let mut node = Node::start(&store);
        assert!(node.said().contains(&format!("cut unacknowledged {place}")), "{}", node.said());
        let mut operator = node.client(&store, "operator");
        let shirt = operator.request("GET", "/v1/products/shirt", b"").unwrap().json();
        let held = shirt["held"].as_u64().unwrap();
        assert!((39..=40).contains(&held), "only the last block is gone: {shirt}");
        // What is written now lies over the torn block and outlives the next start.
        let hold = json!({"session": "z", "items": [{"sku": "shirt", "quantity": 5}]}).to_string();
        assert_eq!(operator.request("POST", "/v1/holds", hold.as_bytes()).unwrap().status, 201);
        node.kill();
        let mut node = Node::start(&store);
        let shirt = node.client(&store, "operator").request("GET", "/v1/products/shirt", b"");
        assert_eq!(shirt.unwrap().json()["held"], held + 5);
        end_orderly(&mut node);
        let (code, said) = store.claw(&["audit"]);
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn rot_of_the_last_block_is_told_from_a_torn_write_once_a_checkpoint_covers_it() {
    let store = used_store_with(&[("log.checkpoint_interval_ms", "10")], |node| {
        let covered = || {
            let counts = node.gauges("claw_shard_signed");
            counts == node.gauges("claw_shard_position")
        };
        while !covered() {
            std::thread::yield_now();
        }
        node.kill();
    });
    let path = segment(&store);
    let mut bytes = fs::read(&path).unwrap();
    let magic = bytes[..8].to_vec();
    // The last block with records: marks have none.
    let blocks = blocks(&bytes);
    let with_records = |&&(start, _): &&(usize, usize)| {
        bytes[start..].starts_with(&magic) && bytes[start + 10] == 0
    };
    let &(start, size) = blocks.iter().rfind(with_records).unwrap();
    bytes[start + 512..start + size].fill(0);
    // Without the mark behind it, which would cover it as well.
    bytes[start + size..].fill(0);
    fs::write(&path, &bytes).unwrap();
    let (code, said) = Node::refused(&store, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("acknowledged records are lost"), "{said}");
}

#[test]
fn damaged_superblocks_stop_the_node_and_one_good_copy_does_not() {
    let store = used_store(end_orderly);
    let path = store.path().join("data/stream-00.superblock");
    let good = fs::read(&path).unwrap();
    let mut one_left = good.clone();
    // The newest two copies are the same: any one of the four may go.
    one_left[100] ^= 1;
    fs::write(&path, &one_left).unwrap();
    let mut node = Node::start(&store);
    end_orderly(&mut node);
    fs::write(&path, vec![0; good.len()]).unwrap();
    let (code, said) = Node::refused(&store, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("stream-00.superblock"), "{said}");
}
