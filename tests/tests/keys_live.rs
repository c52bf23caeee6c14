//! Keys that are added and revoked while the node runs, and what they may do from then on.

use std::time::{Duration, Instant};

use claw_sdk::{Client, Response};
use claw_tests::{Node, Store};

/// A change takes force within a few seconds: the node looks about once a second.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

fn make_cart(client: &mut Client) -> Response {
    client.request("POST", "/v1/carts", b"{\"session\":\"ada\"}").expect("the node answers")
}

/// Asks until the answer has this status.
fn wait_for(client: &mut Client, status: u16) -> Response {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = make_cart(client);
        if answer.status == status {
            return answer;
        }
        assert!(Instant::now() < deadline, "still {}: {}", answer.status, answer.json());
        std::thread::park_timeout(LOOK_AGAIN);
    }
}

#[test]
fn keys_are_added_and_revoked_under_a_running_node() {
    let store = Store::with("minimal", &[]);
    let mut node = Node::start(&store);
    for (name, kind) in [("till", "--hmac"), ("kiosk", "")] {
        let mut add = vec!["keys", "add", name, "--role", "storefront"];
        add.extend(Some(kind).filter(|kind| !kind.is_empty()));
        let (code, said) = store.claw(&add);
        assert_eq!(code, Some(0), "{said}");
        let mut client = node.client(&store, name);
        wait_for(&mut client, 201);
        let mut source = node.client(&store, "source");
        assert_eq!(make_cart(&mut source).status, 403, "another key's role is as before");

        let (code, said) = store.claw(&["keys", "revoke", name]);
        assert_eq!(code, Some(0), "{said}");
        let refused = wait_for(&mut client, 401).json();
        assert_eq!(refused["type"], "urn:openclaw:problem:revoked-key", "{refused}");
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(detail.contains(name), "{detail}");
    }
    assert_eq!(make_cart(&mut node.client(&store, "storefront")).status, 201);

    // The log knows: a start reads nothing else into force.
    node.kill();
    let node = Node::start(&store);
    let refused = make_cart(&mut node.client(&store, "till"));
    assert_eq!(refused.status, 401, "{}", refused.json());
    let (code, shown) = store.claw(&["log", "stats"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("key-changed"), "{shown}");
}

#[test]
fn broken_registry_keeps_the_keys_before_in_force() {
    let store = Store::with("minimal", &[]);
    let mut node = Node::start(&store);
    let path = store.path().join("keys/registry.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, "version = \"nonsense\n").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !node.said().contains("key registry not taken over") {
        assert!(Instant::now() < deadline, "{}", node.said());
        std::thread::park_timeout(LOOK_AGAIN);
    }
    assert_eq!(make_cart(&mut node.client(&store, "storefront")).status, 201);
    std::fs::write(&path, good).unwrap();
    assert!(node.terminate().success(), "{}", node.said());
}
