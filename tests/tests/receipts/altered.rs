//! Every way to alter a receipt is refused, and says why.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::shop::{Shop, said};

/// Flips a bit of a base64 member.
fn flip(text: &mut Value, at: usize) {
    let mut bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 1;
    *text = STANDARD.encode(bytes).into();
}

fn replace(text: &mut Value, from: &str, to: &str) {
    let altered = text.as_str().unwrap().replacen(from, to, 1);
    assert_ne!(text.as_str().unwrap(), altered);
    *text = altered.into();
}

/// What is done to a receipt.
type Alteration<'a> = &'a dyn Fn(&mut Value);

#[test]
fn whatever_is_altered_no_longer_holds() {
    let mut shop = Shop::open(&[("store.shards", "1")]);
    let (order, other) = (shop.order("s1"), shop.order("s2"));
    let receipt = shop.receipt(&order);
    let stranger = shop.receipt(&other);
    assert_eq!(shop.verify(&receipt, &[]).0, Some(0));
    let rows: [(&str, Alteration<'_>, &str); 11] = [
        ("a record's bytes", &|r| flip(&mut r["records"][0]["leaf"], 150), "not in the tree"),
        ("its sequence", &|r| flip(&mut r["records"][1]["leaf"], 24), "another place"),
        ("a proof", &|r| flip(&mut r["records"][2]["inclusion"][0], 3), "not in the tree"),
        ("a shorter proof", &|r| r["records"][0]["inclusion"] = json!([]), "not in the tree"),
        ("the size", &|r| replace(&mut r["checkpoint"], "\ntime 1", "\ntime 2"), "signature"),
        ("what is told", &|r| r["records"][3]["event"] = json!("order-shipped"), "tells another"),
        ("the time told", &|r| r["records"][0]["accepted_at"] = json!("1999"), "tells another"),
        ("the order", &|r| r["order_id"] = json!(other.as_str()), "not about this order"),
        ("the shard", &|r| r["shard"] = json!(1), "another shard"),
        ("records of another", &|r| r["records"] = stranger["records"].clone(), "not"),
        ("the creation", &|r| drop(r["records"].as_array_mut().unwrap().remove(1)), "creation"),
    ];
    for (what, alter, why) in rows {
        let mut altered = receipt.clone();
        alter(&mut altered);
        let (code, text) = shop.verify(&altered, &[]);
        assert_eq!(code, Some(1), "{what}: {text}");
        assert!(text.contains("NOT PROVED") && text.contains(why), "{what}: {text}");
    }
}

#[test]
fn other_keys_and_other_documents_are_told_apart() {
    let mut shop = Shop::open(&[("store.shards", "1")]);
    let order = shop.order("s1");
    let receipt = shop.receipt(&order);
    let path = shop.store.path().join("receipt.json");
    std::fs::write(&path, receipt.to_string()).unwrap();
    let verify = |args: &[&str]| {
        let mut command = claw_tests::program::claw();
        said(&command.arg("verify").arg(&path).args(args).output().unwrap())
    };
    let other = STANDARD.encode([7; 32]);
    let (code, text) = verify(&["--node-key", &other]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("no signature of this node key"), "{text}");
    let (code, text) = verify(&[]);
    assert_eq!(code, Some(2), "a receipt's own key proves nothing: {text}");
    assert!(text.contains("--node-key"), "{text}");
    let (code, _) = verify(&["--node-key", "nonsense"]);
    assert_eq!(code, Some(2));
    for document in [json!({}), json!({"format": "openclaw-receipt/2"}), json!([])] {
        let (code, text) = shop.verify(&document, &[]);
        assert_eq!(code, Some(2), "{text}");
    }
}
