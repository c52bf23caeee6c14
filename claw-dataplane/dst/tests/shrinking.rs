//! A mistake is reported with the smallest world that still shows it.

use std::process::{Command, Output};

fn claw_dst(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_claw-dst")).args(arguments).output().expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn failing_world_is_shrunk_and_the_smaller_one_fails_the_same_way() {
    let found = claw_dst(&["--seeds", "50", "--canary", "lost-release"]);
    let report = said(&found);
    assert_eq!(found.status.code(), Some(1), "{report}");
    let line = |start: &str| report.lines().find_map(|line| line.strip_prefix(start));
    let whole = line("again with every fact: cargo xtask dst ").expect("how to repeat it");
    let less = line("it does with less: cargo xtask dst ").expect("something can be left out");
    assert!(less.len() > whole.len(), "options were turned: {less}");
    let arguments: Vec<&str> = less.split(' ').chain(["--no-shrink"]).collect();
    let again = claw_dst(&arguments);
    assert_eq!(again.status.code(), Some(1), "{less}: {}", said(&again));
    let invariant = |report: &str| {
        let fails = report.lines().find_map(|line| line.split_once(" fails: ")).expect("a verdict");
        fails.1.split(':').next().expect("a name").to_owned()
    };
    assert_eq!(invariant(&said(&again)), invariant(&report));
}

#[test]
fn unknown_options_are_refused_before_any_world() {
    let refused = claw_dst(&["--seeds", "5", "--set", "stepz=1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("it is one of steps"), "{}", said(&refused));
}
