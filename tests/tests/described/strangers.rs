//! schemathesis believes the document and asks for whatever it says may be asked, good and bad.
//!
//! All of its checks are on: no server error, no status, content type, field or body that is not
//! described, bad data refused, good data taken, signatures asked for. The same requests in every
//! run.

use std::process::Command;

use claw_tests::{Node, Store};

use crate::{python, root, stepped_around, succeed};

const PHASES: &str = "examples,coverage,fuzzing,stateful";

fn schemathesis(node: &Node) -> Command {
    let mut command = python("schemathesis");
    command
        .env("SCHEMATHESIS_HOOKS", root().join("scripts/schemathesis_hooks.py"))
        .arg("--config-file")
        .arg(root().join("scripts/schemathesis.toml"))
        .arg("run")
        .arg(format!("{}/openapi.json", node.url()))
        .args(["--url", node.url(), "--checks", "all", "--phases", PHASES])
        .args(["--no-color", "--continue-on-failure"]);
    command
}

/// Its last words are how many requests it made, and that nothing was wrong with any answer.
fn all_passed(command: &mut Command) {
    // It keeps a folder of its own where it runs.
    let folder = tempfile::tempdir().expect("there is room");
    let said = succeed(command.current_dir(folder.path()));
    let sum = said.lines().find(|line| line.contains(" generated, ")).expect("it says how many");
    let sum: Vec<_> = sum.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let [made, "generated", passed, "passed", ..] = sum[..] else { panic!("{said}") };
    assert_eq!(made, passed, "{said}");
    assert!(made.parse::<u32>().expect("a number") > 1_000, "{said}");
}

/// A store that refuses nobody for asking too often: that is another test's.
fn retail() -> (Store, Node) {
    let settings = [("limits.requests_per_second_per_session", "1000000")];
    let store = Store::with("enterprise-retail", &settings);
    let node = Node::start(&store);
    (store, node)
}

#[test]
fn slow_every_answer_to_the_operator_is_as_described() {
    if stepped_around("CLAW_WITHOUT_PYTHON") {
        return;
    }
    let (store, node) = retail();
    let key = store.path().join("keys/operator.pem");
    all_passed(schemathesis(&node).env("CLAW_KEY", key));
}

#[test]
fn slow_every_answer_to_a_shopper_is_as_described() {
    if stepped_around("CLAW_WITHOUT_PYTHON") {
        return;
    }
    let (store, node) = retail();
    let (code, token) = store.claw(&["token", "--session", "ada"]);
    assert_eq!(code, Some(0), "{token}");
    let token = token.lines().next().expect("it is printed");
    all_passed(schemathesis(&node).env("CLAW_TOKEN", token));
}
