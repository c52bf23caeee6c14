//! `claw keys add|revoke|list`, the real program.

use std::fs;
use std::process::Output;

use claw_dataplane::config::KeyRegistry;
use claw_tests::{Store, program};
use serde_json::Value;

fn keys(store: &Store, args: &[&str]) -> Output {
    let mut command = program::claw();
    command.arg("keys").args(args).arg("--store").arg(store.path()).output().expect("claw starts")
}

fn said(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("as the test made it")
}

#[test]
fn a_key_is_added_listed_and_revoked() {
    let store = Store::create("minimal");
    let added = keys(&store, &["add", "warehouse", "--role", "source", "--json"]);
    assert_eq!(added.status.code(), Some(0));
    let added: Value = serde_json::from_slice(&added.stdout).unwrap();
    assert_eq!((&added["number"], &added["revoked"]), (&5.into(), &false.into()));
    assert_eq!(store.signer("warehouse").algorithm(), "ed25519");

    let added = keys(&store, &["add", "till", "--role", "storefront", "--hmac"]);
    assert!(said(added.stdout).starts_with("   6  till  storefront  hmac-sha256  active"));
    assert!(said(added.stderr).starts_with("keys/till.secret signs as `till`"));
    assert_eq!(store.signer("till").algorithm(), "hmac-sha256");

    assert_eq!(keys(&store, &["revoke", "till"]).status.code(), Some(0));
    let list = said(keys(&store, &["list"]).stdout);
    assert_eq!(list.lines().count(), 6, "{list}");
    let till = list.lines().find(|line| line.contains(" till ")).unwrap();
    assert!(till.contains("revoked"), "{till}");
    let list = keys(&store, &["list", "--json"]).stdout;
    let list: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(list[5]["revoked"], true);
    assert_eq!(list[4]["public_key"], added_key(&store, "warehouse"));
    let registry = KeyRegistry::load(store.path()).unwrap();
    assert!(registry.find("till").unwrap().revoked);
}

fn added_key(store: &Store, name: &str) -> Value {
    use base64::Engine as _;
    let pem = fs::read_to_string(store.path().join(format!("keys/{name}.pem")))
        .expect("as the test made it");
    let public = claw_sdk::key::public_of_pem(&pem).expect("as the test made it");
    base64::engine::general_purpose::STANDARD.encode(public).into()
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let store = Store::create("minimal");
    let rows: [(&[&str], i32, &str); 6] = [
        (&["add", "source", "--role", "source"], 1, "the store has or had a key of that name"),
        (&["add", "node", "--role", "source"], 1, "that is the node's own key"),
        (&["add", "../x", "--role", "source"], 1, "a name is 1 to 64 of"),
        (&["revoke", "storefrnt"], 1, "no such key: did you mean `storefront`?"),
        (&["add", "x", "--role", "source", "--public-key", "/nowhere"], 1, "read /nowhere"),
        (&["add", "x", "--role", "admin"], 2, "invalid value 'admin'"),
    ];
    let before = KeyRegistry::load(store.path()).unwrap();
    for (args, code, expected) in rows {
        let output = keys(&store, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let talk = said(output.stderr);
        assert!(talk.contains(expected), "{args:?}: {talk}");
        assert!(code == 2 || talk.lines().count() == 1, "{talk}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    assert_eq!(KeyRegistry::load(store.path()).unwrap(), before);
}
