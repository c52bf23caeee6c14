//! The command line: exit codes, JSON, data on stdout and talk on stderr.

use std::fs;
use std::process::Output;

use claw_core::log::layout::{BLOCK_HEADER_BYTES, RECORD_HEADER_BYTES, VECTOR_ENTRY_BYTES};
use claw_tests::{Store, program};
use serde_json::{Value, json};

use crate::world::{World, configure, fresh_store, items};

/// Runs `claw ARGS --store STORE`.
pub(crate) fn claw(store: &Store, args: &[&str]) -> Output {
    let mut command = program::claw();
    command.args(args).arg("--store").arg(store.path()).output().expect("claw starts")
}

pub(crate) fn json_of(output: &Output) -> Value {
    let talk = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {talk}"))
}

/// One JSON object a line.
pub(crate) fn records_of(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

pub(crate) fn log_records(store: &Store) -> Vec<Value> {
    records_of(&claw(store, &["log", "show", "--json"]))
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

#[test]
fn wrong_usage_is_2_with_talk_on_stderr_only() {
    let store = fresh_store(&[]);
    let rows: [&[&str]; 10] = [
        &["frobnicate"],
        &["node", "--cores", "many"],
        &["log"],
        &["log", "show", "--shard", "x"],
        &["audit", "--jsno"],
        &["keys", "add", "x"],
        &["schema"],
        &["sign", "GET"],
        &["simulate", "--users", "-1"],
        &["init", "x", "--template=boutique"],
    ];
    for args in rows {
        let output =
            program::claw().args(args).current_dir(store.path()).output().expect("claw starts");
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn what_is_not_there_is_1_and_says_what_to_do() {
    let folder = tempfile::tempdir_in(program::scratch_folder()).expect("there is room");
    let rows: [&[&str]; 6] = [
        &["audit"],
        &["log", "show"],
        &["log", "verify"],
        &["keys", "list"],
        &["schema", "check"],
        &["sign", "GET", "http://127.0.0.1:1/v1/products"],
    ];
    for args in rows {
        let output = program::claw()
            .args(args)
            .args(["--store", "nowhere"])
            .current_dir(folder.path())
            .output()
            .expect("claw starts");
        assert_eq!(code(&output), 1, "{args:?}");
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.stdout.is_empty() && talk.contains("nowhere"), "{args:?}: {talk}");
    }
}

#[test]
fn everything_that_prints_data_prints_it_as_json_too() {
    let mut world = World::start();
    world.stock("clog", 3, 100);
    world.buy(&json!({"session": "s", "items": items(&[("clog", 1)])}));
    // Beside the running node first, then after it.
    for round in 0..2 {
        if round == 1 {
            assert!(world.node.terminate().success());
        }
        let store = &world.store;
        for args in [
            &["audit", "--json"][..],
            &["log", "stats", "--json"],
            &["log", "verify", "--json"],
            &["keys", "list", "--json"],
            &["schema", "check", "--json"],
            &["sign", "GET", "http://127.0.0.1:1/v1/products", "--json"],
        ] {
            let output = claw(store, args);
            assert_eq!(code(&output), 0, "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
            let data = json_of(&output);
            assert!(data.is_object() || data.is_array(), "{args:?}");
        }
        for args in [&["log", "show", "--json"][..], &["log", "tail", "--json", "-n", "3"]] {
            let output = claw(store, args);
            assert_eq!(code(&output), 0, "{args:?}");
            assert!(!records_of(&output).is_empty(), "{args:?}");
        }
    }
    let kinds: Vec<_> = log_records(&world.store).iter().map(|r| r["kind"].clone()).collect();
    for kind in ["product-put", "stock-moved", "order-placed", "key-changed"] {
        assert!(kinds.contains(&json!(kind)), "{kind} in {kinds:?}");
    }
    let placed = records_of(&claw(
        &world.store,
        &["log", "show", "--json", "--kind", "order-placed", "--vectors"],
    ));
    assert_eq!(placed.len(), 1);
    assert_eq!(placed[0]["vector"].as_array().expect("one of each shard").len(), 4);
    assert_eq!(code(&claw(&world.store, &["log", "show", "--kind", "order-plced"])), 2);
}

#[test]
fn doctor_looks_at_machine_and_store_and_says_what_is_in_the_way() {
    let store = fresh_store(&[]);
    let doctor = |store: &Store| {
        let output = claw(store, &["doctor", "--json"]);
        let said = json_of(&output);
        // What is in the way decides the exit code; what is only slow does not.
        assert_eq!(code(&output), i32::from(said["verdict"] == "fail"), "{said}");
        said["checks"].as_array().expect("lines").clone()
    };
    let line = |checks: &[Value], name: &str| {
        let found = checks.iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no line {name}: {checks:?}")).clone()
    };
    let checks = doctor(&store);
    for name in ["kernel", "io_uring", "memory", "clock-source", "flush", "build", "calibration"] {
        let check = line(&checks, name);
        assert!(!check["found"].as_str().expect("text").is_empty(), "{check}");
    }
    for check in &checks {
        assert_eq!(check["verdict"] == "ok", check["advice"] == "", "{check}");
    }
    assert_eq!(line(&checks, "private-keys")["verdict"], "ok");
    // The same store in production may not keep its clients' private keys.
    configure(&store, &[("profile", "\"production\"")]);
    let checks = doctor(&store);
    assert_eq!(line(&checks, "private-keys")["verdict"], "warn");
    assert_eq!(line(&checks, "memory")["verdict"], "fail");
    let output = program::claw().arg("doctor").output().expect("claw starts");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains(" in the way\n") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn damage_and_imbalance_are_the_answer_no() {
    let mut world = World::start();
    world.stock("clog", 3, 100);
    for _ in 0..3 {
        world.hold("s", &[("clog", 1)]);
    }
    assert!(world.node.terminate().success());
    let segment = world.store.path().join("data/stream-00-segment-000000.log");
    let mut bytes = fs::read(&segment).expect("the log");
    // In the first record of the first block that holds any, however few were committed with it.
    let record_at = 4096 + BLOCK_HEADER_BYTES + 4 * VECTOR_ENTRY_BYTES;
    bytes[record_at + RECORD_HEADER_BYTES / 2] ^= 1;
    fs::write(&segment, bytes).expect("the disk has room");
    let output = claw(&world.store, &["log", "verify", "--json"]);
    assert_eq!(code(&output), 1);
    let answer = json_of(&output);
    assert_eq!(answer["whole"], false);
    assert!(!answer["damage"].is_null(), "{answer}");
}

#[test]
fn simulate_runs_against_a_node_and_reports_as_json() {
    let world = World::start();
    let url = world.node.url().to_owned();
    let args = [
        "simulate",
        "--node",
        &url,
        "--scenario",
        "smoke",
        "--users",
        "20",
        "--duration",
        "2s",
        "--seed",
        "7",
        "--json",
        "-",
    ];
    let output = claw(&world.store, &args);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let report = json_of(&output);
    assert_eq!(report["audit"]["oversold"], 0, "{report}");
    let output = claw(&world.store, &["simulate", "--scenario", "no-such", "--users", "1"]);
    assert!(matches!(code(&output), 1 | 2));
    assert!(output.stdout.is_empty());
}
