//! `GET /v1/orders/{id}/receipt`, and what the receipt of an honest node proves.

use claw_sdk::key::public_of_pem;
use serde_json::{Value, json};
use std::fs;

use crate::shop::{Shop, said};

fn kinds(receipt: &Value) -> Vec<&str> {
    let records = receipt["records"].as_array().unwrap();
    records.iter().map(|record| record["event"].as_str().unwrap()).collect()
}

#[test]
fn receipt_proves_the_claim_and_the_placement_offline() {
    let mut shop = Shop::open(&[("store.shards", "2")]);
    let order = shop.order("s1");
    let receipt = shop.receipt(&order);
    assert_eq!(receipt["order_id"], order);
    assert_eq!(
        kinds(&receipt),
        ["hold-granted", "order-created", "order-confirming", "order-placed"]
    );
    // Nothing of the store but the key is needed any more.
    assert!(shop.node.terminate().success());
    let (code, text) = shop.verify(&receipt, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("PROVED") && text.contains("items=clogx2@4900"), "{text}");
    assert!(text.contains("NOT PROVED"), "{text}");
    let pem = fs::read_to_string(shop.store.path().join("keys/storefront.pem")).unwrap();
    let signer = base64_of(&public_of_pem(&pem).unwrap());
    let (code, text) = shop.verify(&receipt, &["--signer-key", &signer, "--json"]);
    assert_eq!(code, Some(0), "{text}");
    let verdict: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&verdict["holds"], &verdict["order_id"]), (&json!(true), &json!(order)));
    assert_eq!(verdict["records"][0]["signature_holds"], true);
    assert_eq!(verdict["records"][0]["sequence"], receipt["records"][0]["sequence"]);
    let node = fs::read_to_string(shop.node_key()).unwrap();
    let (code, text) = shop.verify(&receipt, &["--signer-key", node.trim()]);
    assert_eq!(code, Some(1), "{text}");
}

#[test]
fn receipts_are_given_to_those_who_may_read_the_order_and_for_cancelled_ones_too() {
    let mut shop = Shop::open(&[("store.shards", "1")]);
    let order = shop.order("s1");
    let absent = shop.ask_receipt("01a00000-0000-7000-8000-000000000000");
    assert_eq!(absent.status, 404);
    assert_eq!(absent.json()["type"], "urn:openclaw:problem:not-found");
    let mut source = shop.node.client(&shop.store, "source");
    let refused = source.request("GET", &format!("/v1/orders/{order}/receipt"), b"").unwrap();
    assert_eq!(refused.status, 403);
    let target = format!("/v1/orders/{order}/cancel");
    assert_eq!(shop.storefront.request("POST", &target, b"").unwrap().status, 200);
    let receipt = shop.receipt(&order);
    assert_eq!(kinds(&receipt).last(), Some(&"order-cancelled"));
    let (code, text) = shop.verify(&receipt, &[]);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn receipts_survive_a_crash_a_lost_tree_and_the_archive_and_later_checkpoints_contain_them() {
    let small = [("store.shards", "1"), ("log.snapshot_interval_s", "1")];
    let mut shop = Shop::open(&small);
    let order = shop.order("s1");
    let receipt = shop.receipt(&order);
    let size = receipt["consistency"]["size"].as_u64().unwrap();
    // Until the first segment is archived: 1 MiB, a block of 4 KiB at least each.
    let archive = shop.store.path().join("archive");
    let archived = || fs::read_dir(&archive).is_ok_and(|mut files| files.next().is_some());
    for n in 0_u32.. {
        if archived() {
            break;
        }
        shop.order(&format!("more-{n}"));
        let target = "/v1/carts";
        let body = json!({"session": "s"}).to_string();
        for _ in 0..50 {
            let made = shop.storefront.request("POST", target, body.as_bytes()).unwrap();
            assert!(matches!(made.status, 201 | 429), "{}", made.status);
        }
        if n.rem_euclid(40) == 39 {
            let stock = json!({"delta": 100, "reason": "delivery"}).to_string();
            let mut source = shop.node.client(&shop.store, "source");
            let moved = source.request("POST", "/v1/products/clog/stock", stock.as_bytes());
            assert_eq!(moved.unwrap().status, 200);
        }
    }
    shop.node.kill();
    let Shop { store, .. } = shop;
    for name in ["shard-000.tree", "shard-000.places"] {
        fs::remove_file(store.path().join("data/proofs").join(name)).unwrap();
    }
    let mut shop = Shop::reopen(store);
    let again = shop.receipt(&order);
    assert_eq!(again["records"][0]["leaf"], receipt["records"][0]["leaf"]);
    assert!(again["consistency"]["size"].as_u64().unwrap() > size);
    assert_eq!(shop.verify(&again, &[]).0, Some(0));
    let from = size.to_string();
    let (code, later) = shop.store.claw(&["log", "checkpoints", "--shard", "0", "--from", &from]);
    assert_eq!(code, Some(0), "{later}");
    let path = shop.store.path().join("later.json");
    fs::write(&path, later).unwrap();
    let path = path.to_str().unwrap();
    let (code, text) = shop.verify(&receipt, &["--later", path]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("contains that of"), "{text}");
    let node_key = shop.node_key();
    let mut alone = claw_tests::program::claw();
    alone.args(["verify", "--consistency", path, "--node-key"]).arg(&node_key);
    let (code, text) = said(&alone.output().unwrap());
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = shop.verify(&again, &["--later", path]);
    assert_eq!(code, Some(1), "it is about another checkpoint: {text}");
    let (code, _) = shop.store.claw(&["log", "checkpoints", "--shard", "0", "--from", "999999999"]);
    assert_eq!(code, Some(1));
    assert!(shop.node.terminate().success());
    let (code, text) = shop.store.claw(&["audit", "--full"]);
    assert_eq!(code, Some(0), "{text}");
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
