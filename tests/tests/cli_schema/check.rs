//! `claw schema check`: what a node would start with.

use std::fs;
use std::process::Output;

use claw_tests::{Store, program};
use serde_json::Value;

fn check(store: &Store, args: &[&str]) -> Output {
    let mut command = program::claw();
    command
        .args(["schema", "check", "--store"])
        .arg(store.path())
        .args(args)
        .output()
        .expect("claw starts")
}

#[test]
fn a_valid_schema_is_summed_up() {
    let store = Store::create("enterprise-retail");
    let output = check(&store, &[]);
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("valid: version 1, hash "), "{said}");
    assert!(output.stderr.is_empty());

    let output = check(&store, &["--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["valid"], true);
    assert_eq!(answer["hash"].as_str().unwrap().len(), 64);
    let events = answer["events"].as_array().unwrap();
    let own = events.iter().find(|event| event["name"] == "return-received").unwrap();
    assert_eq!(own["version"], 2);
    let note = own["members"].as_array().unwrap().iter().find(|member| member["name"] == "note");
    assert_eq!(note.unwrap()["personal"], true);
}

#[test]
fn every_mistake_is_told_with_file_line_and_reason() {
    let store = Store::create("minimal");
    let broken = "[events.hold-granted.extra]\nx = { type = \"txt\" }\n\n[event]\n";
    fs::write(store.path().join("schema/broken.toml"), broken).unwrap();
    let output = check(&store, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "schema/broken.toml:2:14: unknown type `txt`: did you mean `text`?\n\
         schema/broken.toml:4:2: unknown key `event` in a schema file: did you mean `events`?\n"
    );
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(talk, "2 problems: a node would not start with this schema\n");

    let output = check(&store, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["valid"], false);
    assert_eq!(answer["diagnostics"][0]["line"], 2);
    assert_eq!(answer["diagnostics"][1]["suggestion"], "did you mean `events`?");
}

#[test]
fn a_folder_without_a_schema_is_named() {
    let store = Store::create("minimal");
    fs::remove_dir_all(store.path().join("schema")).unwrap();
    let output = check(&store, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: read the State-Schema "), "{said}");
    assert!(said.contains("No such file"), "{said}");
    assert_eq!(said.lines().count(), 1);
}
