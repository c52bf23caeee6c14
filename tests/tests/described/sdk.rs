//! The SDK for TypeScript: generated from the document, compiled, and used under Node.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use claw_tests::{Node, Store};

use crate::{document, root, stepped_around, succeed};

fn sdk() -> PathBuf {
    root().join("claw-dataplane/sdk/js")
}

/// Compiles the SDK into `folder`.
fn compile(folder: &Path) {
    let compiler = root().join(".node/node_modules/typescript/bin/tsc");
    assert!(compiler.is_file(), "no .node here: run `cargo xtask setup`");
    succeed(Command::new("node").arg(compiler).arg("-p").arg(sdk()).arg("--outDir").arg(folder));
    fs::write(folder.join("package.json"), "{\"type\":\"module\"}").expect("there is room");
}

#[test]
fn generated_calls_are_those_of_the_document() {
    if stepped_around("CLAW_WITHOUT_NODE") {
        return;
    }
    let store = Store::with("minimal", &[]);
    let node = Node::start(&store);
    let path = store.path().join("openapi.json");
    fs::write(&path, document(&node)).expect("there is room");
    let made = succeed(Command::new("node").arg(sdk().join("generate.mjs")).arg(&path));
    let committed = fs::read_to_string(sdk().join("src/generated.ts")).expect("it is committed");
    let first = made.lines().zip(committed.lines()).find(|(new, old)| new != old);
    assert!(
        made == committed,
        "src/generated.ts is stale, first at {first:?}: start a node on a store of the template \
         minimal, then\nnode generate.mjs URL/openapi.json > src/generated.ts"
    );
}

#[test]
fn sdk_buys_retries_and_tells_problems_apart() {
    if stepped_around("CLAW_WITHOUT_NODE") {
        return;
    }
    let store = Store::with("minimal", &[]);
    let node = Node::start(&store);
    let (code, token) = store.claw(&["token", "--session", "ada"]);
    assert_eq!(code, Some(0), "{token}");
    let folder = tempfile::tempdir().expect("there is room");
    compile(folder.path());
    let mut run = Command::new("node");
    // Node.js 20 has browsers' WebSocket only when it is asked for, older ones have none.
    let asked = "--experimental-websocket";
    let probe = Command::new("node").args([asked, "--eval", ""]).output().expect("node starts");
    if probe.status.success() {
        run.env("NODE_OPTIONS", asked);
    }
    run.arg("--test").arg(sdk().join("test/node.test.mjs"));
    run.env("CLAW_SDK", folder.path().join("index.js"))
        .env("CLAW_TOKEN", token.lines().next().expect("it is printed"));
    run.env("CLAW_URL", node.url()).env("CLAW_STORE", store.path());
    let said = succeed(&mut run);
    assert!(said.contains("# fail 0"), "{said}");
}
