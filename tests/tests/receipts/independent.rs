//! Receipts and consistency proofs checked by Python's hashlib and another's Ed25519: the committed
//! ones, and fresh ones of a real node.
//!
//! Needs the virtual environment that `cargo xtask setup` makes; where that could not be had,
//! `cargo xtask test` says so and sets `CLAW_WITHOUT_PYTHON`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::shop::{Shop, root, said, vector};

fn stepped_around() -> bool {
    std::env::var_os("CLAW_WITHOUT_PYTHON").is_some()
}

fn check(document: &Path, node_key: &Path) -> (Option<i32>, String) {
    let python = root().join(".venv/bin/python");
    assert!(python.is_file(), "no .venv here: run `cargo xtask setup`");
    let mut command = Command::new(python);
    command.arg(root().join("tests/independent/verify_receipt.py")).arg(document).arg(node_key);
    said(&command.output().unwrap())
}

fn ours(document: &Path, option: &str) -> (Option<i32>, String) {
    let mut command = claw_tests::program::claw();
    command.arg("verify");
    if !option.is_empty() {
        command.arg(option);
    }
    command.arg(document).arg("--node-key").arg(vector("node.pub"));
    said(&command.output().unwrap())
}

#[test]
fn committed_documents_hold_for_us() {
    for (name, option) in [("receipt.json", ""), ("consistency.json", "--consistency")] {
        let (code, text) = ours(&vector(name), option);
        assert_eq!(code, Some(0), "{name}: {text}");
    }
}

#[test]
fn committed_documents_hold_for_others_and_altered_ones_do_not() {
    if stepped_around() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    for name in ["receipt.json", "consistency.json"] {
        let (code, text) = check(&vector(name), &vector("node.pub"));
        assert_eq!(code, Some(0), "{name}: {text}");
        let text = fs::read_to_string(vector(name)).unwrap();
        let altered = scratch.path().join(name);
        fs::write(&altered, text.replacen("\\ntime 1", "\\ntime 2", 1)).unwrap();
        let (code, text) = check(&altered, &vector("node.pub"));
        assert_eq!(code, Some(1), "{name}: {text}");
    }
}

#[test]
fn fresh_receipt_holds_for_others() {
    if stepped_around() {
        return;
    }
    let mut shop = Shop::open(&[("store.shards", "2")]);
    let order = shop.order("s1");
    let receipt = shop.receipt(&order);
    let path = shop.store.path().join("receipt.json");
    fs::write(&path, receipt.to_string()).unwrap();
    let (code, text) = check(&path, &shop.node_key());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("order-placed"), "{text}");
    shop.order("s2");
    assert!(shop.node.terminate().success());
    let (shard, size) = (&receipt["shard"], &receipt["consistency"]["size"]);
    let (shard, size) = (shard.to_string(), size.to_string());
    let asked = ["log", "checkpoints", "--shard", &shard, "--from", &size];
    let (code, later) = shop.store.claw(&asked);
    assert_eq!(code, Some(0), "{later}");
    let later: Value = serde_json::from_str(&later).unwrap();
    fs::write(&path, later.to_string()).unwrap();
    let (code, text) = check(&path, &shop.node_key());
    assert_eq!(code, Some(0), "{text}");
}
