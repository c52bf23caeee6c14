//! A node understands signatures made by an implementation that is not ours.
//!
//! `scripts/sign_independently.py` signs, with the key files that `claw init` made; it shares no
//! line with our signer. Needs the virtual environment that `cargo xtask setup` makes; where that
//! could not be had, `cargo xtask test` says so and sets `CLAW_WITHOUT_PYTHON`.

use std::path::{Path, PathBuf};
use std::process::Command;

use claw_sdk::{Call, Client};
use claw_tests::{Node, Store};
use serde_json::json;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_path_buf()
}

/// Whether set-up found no Python, and said so.
fn stepped_around() -> bool {
    std::env::var_os("CLAW_WITHOUT_PYTHON").is_some()
}

/// One request, signed elsewhere.
struct Foreign<'a> {
    key_file: &'a str,
    method: &'a str,
    target: &'a str,
    body: &'a str,
    age_s: &'a str,
}

/// Header lines as the other implementation prints them.
fn signed(foreign: &Foreign<'_>, store: &Store, node: &Node, idempotency_key: &str) -> String {
    let python = root().join(".venv/bin/python");
    assert!(python.is_file(), "no .venv here: run `cargo xtask setup`");
    let mut command = Command::new(python);
    command.arg(root().join("scripts/sign_independently.py"));
    command.args([foreign.method, &format!("{}{}", node.url(), foreign.target)]);
    command.arg("--key").arg(store.path().join("keys").join(foreign.key_file));
    command.args(["--age", foreign.age_s]);
    if !foreign.body.is_empty() {
        command.args(["--data", foreign.body, "--idempotency-key", idempotency_key]);
    }
    let output = command.output().expect("python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("header lines are text")
}

/// Sign elsewhere, send `sent_body`, and answer the status and the body.
fn send(foreign: &Foreign<'_>, store: &Store, node: &Node, sent_body: &str) -> (u16, String) {
    let idempotency_key = "01930000-0000-7000-8000-000000000001";
    let lines = signed(foreign, store, node, idempotency_key);
    let headers: Vec<_> = lines.lines().filter_map(|line| line.split_once(": ")).collect();
    let mut client = Client::new(node.url(), None).expect("its own address");
    let call = Call {
        method: foreign.method,
        target: foreign.target,
        body: sent_body.as_bytes(),
        idempotency_key: (!foreign.body.is_empty()).then_some(idempotency_key),
        headers: &headers,
    };
    let answer = client.send(&call).expect("the node answers");
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

#[test]
fn requests_signed_by_another_implementation_are_understood() {
    if stepped_around() {
        return;
    }
    let store = Store::create("flash-drop");
    let node = Node::start(&store);
    let product = json!({"name": "Clog", "price": {"amount": 4900, "currency": "EUR"}}).to_string();
    let put = Foreign {
        key_file: "source.pem",
        method: "PUT",
        target: "/v1/products/clog",
        body: &product,
        age_s: "0",
    };
    let (status, answer) = send(&put, &store, &node, &product);
    assert_eq!(status, 201, "{answer}");

    for key_file in ["storefront.pem", "storefront-hmac.secret"] {
        let session = json!({"session": key_file}).to_string();
        let post = Foreign { key_file, method: "POST", target: "/v1/carts", body: &session, ..put };
        let (status, answer) = send(&post, &store, &node, &session);
        assert_eq!(status, 201, "{key_file}: {answer}");

        let read = Foreign { key_file, method: "GET", body: "", ..put };
        let (status, answer) = send(&read, &store, &node, "");
        assert_eq!(status, 200, "{key_file}: {answer}");
    }

    let listed = Foreign {
        key_file: "operator.pem",
        method: "GET",
        target: "/v1/products?limit=1",
        body: "",
        age_s: "0",
    };
    let (status, answer) = send(&listed, &store, &node, "");
    assert_eq!(status, 200, "the query is covered: {answer}");
}

#[test]
fn signatures_of_another_implementation_are_refused_when_they_should_be() {
    if stepped_around() {
        return;
    }
    let store = Store::create("flash-drop");
    let node = Node::start(&store);
    let cart = json!({"session": "ada"}).to_string();
    for key_file in ["storefront.pem", "storefront-hmac.secret"] {
        let post =
            Foreign { key_file, method: "POST", target: "/v1/carts", body: &cart, age_s: "0" };
        let altered = cart.replace("ada", "eve");
        let (status, answer) = send(&post, &store, &node, &altered);
        assert_eq!(status, 401, "{key_file}, altered: {answer}");

        let old = Foreign { age_s: "301", ..post };
        let (status, answer) = send(&old, &store, &node, &cart);
        assert_eq!(status, 401, "{key_file}, expired: {answer}");
    }

    let foreign_role = Foreign {
        key_file: "source.pem",
        method: "POST",
        target: "/v1/carts",
        body: &cart,
        age_s: "0",
    };
    let (status, answer) = send(&foreign_role, &store, &node, &cart);
    assert_eq!(status, 403, "{answer}");
}
