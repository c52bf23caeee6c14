//! The interface as it describes itself, to those who believe the description.
//!
//! Python's validator reads the document, schemathesis asks a real node whatever the document says
//! may be asked and compares each answer, and the SDK that is generated from it is compiled and
//! used under Node. Needs what `cargo xtask setup` installs; where that could not be had,
//! `cargo xtask test` says so and sets `CLAW_WITHOUT_PYTHON` or `CLAW_WITHOUT_NODE`.

mod document;
mod sdk;
mod strangers;

use std::path::{Path, PathBuf};
use std::process::Command;

use claw_sdk::client::Client;
use claw_tests::Node;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_path_buf()
}

/// Whether set-up found something missing, and said so.
fn stepped_around(variable: &str) -> bool {
    std::env::var_os(variable).is_some()
}

/// A program of the virtual environment.
fn python(program: &str) -> Command {
    let path = root().join(".venv/bin").join(program);
    assert!(path.is_file(), "no {}: run `cargo xtask setup`", path.display());
    Command::new(path)
}

/// The document of a node.
fn document(node: &Node) -> Vec<u8> {
    let mut client = Client::new(node.url(), None).expect("its own address");
    let answer = client.request("GET", "/openapi.json", b"").expect("the node answers");
    assert_eq!(answer.status, 200);
    answer.body
}

/// Runs to the end; a failure shows all it said.
fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}
