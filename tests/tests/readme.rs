//! The README's commands, run as printed.
//!
//! `cargo xtask` and `cargo build` lines are left to the steps of CI that run them. Everything else
//! in a `sh` block runs here, in order, in one folder, by a real shell. Two things differ from what
//! is printed: `claw` is the one under test, and the node listens on a free port instead of 7070.

use std::path::Path;
use std::process::Command;

use claw_tests::{Node, Store, program};

const README: &str = include_str!("../../README.md");
const PRINTED_URL: &str = "http://127.0.0.1:7070";

/// The lines of each `sh` block that are ours to run.
fn blocks() -> Vec<Vec<&'static str>> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
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
fn shell(folder: &Path, script: &str) -> String {
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

#[test]
fn store_of_ones_own_works_as_the_readme_prints_it() {
    let blocks = blocks();
    let [make, talk, look] = blocks.as_slice() else { panic!("three blocks, not {blocks:?}") };
    let folder = tempfile::tempdir_in(program::scratch_folder()).unwrap();

    let (node_line, make) = make.split_last().unwrap();
    assert_eq!(*node_line, "claw node --store shop");
    let make: Vec<_> = make.iter().filter(|line| !line.starts_with("export PATH=")).collect();
    assert_eq!(make, [&"claw init shop --template=flash-drop"]);
    shell(folder.path(), make[0]);
    let mut node = Node::start(&Store::at(&folder.path().join("shop")));

    let talk = talk.join("\n");
    assert!(talk.contains(PRINTED_URL), "the README no longer shows {PRINTED_URL}");
    let answers = shell(folder.path(), &talk.replace(PRINTED_URL, node.url()));
    let answers: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&answers).into_iter().collect::<Result<_, _>>().unwrap();
    let clog = answers.last().unwrap();
    assert!(README.contains("`\"held\": 2, \"available\": 8`"));
    assert_eq!((&clog["held"], &clog["available"]), (&2.into(), &8.into()), "{answers:#?}");

    assert!(node.terminate().success(), "{}", node.said());
    let shown = shell(folder.path(), &look.join("\n"));
    assert!(shown.contains("oversold: 0"), "{shown}");
}
