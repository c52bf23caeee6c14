//! Documents whose commands are run as printed.
//!
//! Everything in a `sh` block is taken, in order; `cargo` lines are left to the steps of CI that
//! run them. Two things differ from what is printed: `claw` is the one under test, and the node
//! listens on a free port instead of 7070.

use std::path::Path;
use std::process::Command;

use crate::program;

/// The address that documents show.
pub const PRINTED_URL: &str = "http://127.0.0.1:7070";

/// The lines of each `sh` block that are ours to run.
pub fn blocks(document: &str) -> Vec<Vec<&str>> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if line == "```sh" {
            let block = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(block.filter(|line| !line.starts_with("cargo ")).collect::<Vec<_>>());
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// Run a script in `folder` and give what it wrote to its output.
///
/// # Panics
/// When a command of it fails, with what was said.
pub fn shell(folder: &Path, script: &str) -> String {
    let claw = program::claw_path();
    let programs = claw.parent().expect("a program lies in a folder");
    let path = std::env::var("PATH").expect("there is a PATH");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", programs.display()))
        .output()
        .expect("bash is here");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// The JSON documents that a script printed one after the other.
///
/// # Panics
/// When something else stands between them.
pub fn answers(printed: &str) -> Vec<serde_json::Value> {
    let answers = serde_json::Deserializer::from_str(printed).into_iter();
    answers.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error} in {printed}"))
}
