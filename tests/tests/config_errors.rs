//! What a node refuses to start with, and how it says so: it names the place and the remedy.

use std::fs;

use claw_tests::{Node, Store};

/// Starts a node that must refuse; its exit code and what it said.
fn refused(store: &Store) -> (Option<i32>, String) {
    Node::refused(store, &[])
}

#[test]
fn unknown_setting_is_refused_with_the_one_that_was_meant() {
    let store = Store::with("minimal", &[]);
    let path = store.path().join("store.toml");
    let text = fs::read_to_string(&path).unwrap().replace("\n[node]\n", "\n[node]\nmemroy = 1\n");
    let line = 1 + text.lines().position(|line| line == "memroy = 1").unwrap();
    fs::write(&path, text).unwrap();
    let (code, said) = refused(&store);
    assert_eq!(code, Some(2), "{said}");
    for part in ["unknown key `memroy` in [node]", "did you mean `memory`?"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains(&format!("store.toml:{line}")), "line {line}: {said}");
    assert!(!store.path().join("data/stream-00.superblock").exists(), "nothing was written");
}

#[test]
fn unknown_section_and_wrong_value_are_refused_together() {
    let store = Store::with("minimal", &[("limits.in_flight_max", "0")]);
    let path = store.path().join("store.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n[limit]\n")).unwrap();
    let (code, said) = refused(&store);
    assert_eq!(code, Some(2), "{said}");
    for part in ["limits.in_flight_max", "from 1 to 1000000", "did you mean [limits]?"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn environment_is_held_to_the_same_names() {
    let store = Store::with("minimal", &[]);
    let mut command = claw_tests::program::claw();
    command.args(["node", "--store"]).arg(store.path()).env("CLAW_NODE_MEMROY", "1GiB");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("did you mean `CLAW_NODE_MEMORY`?"), "{said}");
}

#[test]
fn invalid_schema_is_refused_with_file_line_and_reason() {
    let store = Store::with("minimal", &[]);
    let path = store.path().join("schema/store.toml");
    let text = fs::read_to_string(&path).unwrap();
    let broken = format!("{text}\n[events.product-put.attributes.brand]\ntype = \"txt\"\n");
    let line = broken.lines().count();
    fs::write(&path, broken).unwrap();
    let (code, said) = refused(&store);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("schema/store.toml:{line}")), "line {line}: {said}");
    assert!(said.contains("txt") && said.contains("text"), "the word and the right one: {said}");
    let (code, checked) = store.claw(&["schema", "check"]);
    assert_eq!(code, Some(1), "{checked}");
    assert!(checked.contains(&format!("schema/store.toml:{line}")), "{checked}");
}

#[test]
fn what_the_log_was_made_with_cannot_change() {
    let store = Store::with("minimal", &[("store.shards", "2")]);
    let mut node = Node::start(&store);
    assert!(node.terminate().success(), "{}", node.said());
    store.set("store.shards", "3");
    let (code, said) = refused(&store);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("made with 2 shards") && said.contains("says 3"), "{said}");
    store.set("store.shards", "2");
    store.set("store.id", "\"0190b5a4-7f3c-7c57-8f2e-3d1c5a9b7e10\"");
    let (code, said) = refused(&store);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not 0190b5a4-7f3c-7c57-8f2e-3d1c5a9b7e10"), "{said}");
}

#[test]
fn second_node_on_a_store_is_refused_and_the_first_goes_on() {
    let store = Store::with("minimal", &[]);
    let mut node = Node::start(&store);
    let (code, said) = refused(&store);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("in use by another process"), "{said}");
    let mut client = node.client(&store, "operator");
    assert_eq!(client.request("GET", "/v1/products", b"").unwrap().status, 200);
    assert!(node.terminate().success(), "{}", node.said());
}

#[test]
fn address_of_another_node_is_refused_with_how_to_find_it() {
    let (first, second) = (Store::with("minimal", &[]), Store::with("minimal", &[]));
    let mut node = Node::start(&first);
    let (code, said) = Node::refused_at(&second, node.authority(), &[]);
    assert_eq!(code, Some(1), "{said}");
    for part in [node.authority(), "another program listens there", "ss -ltnp"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!second.path().join("data/stream-00.superblock").exists(), "nothing was written");
    assert!(node.terminate().success(), "{}", node.said());
}
