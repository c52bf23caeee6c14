//! `cargo xtask test`: everything that must hold, in one command.
//!
//! Steps: set-up, format, tidy, clippy, documentation links, build, tests, documentation tests,
//! simulated seeds. All of them run whatever fails, and the last line is the sum. Programs and
//! tests are built by one cargo call, so that features are resolved once and nothing is compiled
//! twice.
//!
//! Conventions the tests keep: a test whose name starts with `slow_` is skipped by `--quick`;
//! whole-process tests find the node through `CLAW_BIN`, or beside themselves when it is not set.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::process::{Task, talk};
use crate::setup::{self, Purpose};
use crate::steps::{Steps, Tally};
use crate::{fmt, lint, machine, tidy, workspace};

/// Seeds of the deterministic simulation in an ordinary test run.
const SEEDS_COUNT: &str = "2000";
/// The same where it has to be quick.
const SEEDS_COUNT_QUICK: &str = "100";

/// Set up what is needed, then run every test.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask test
  cargo xtask test --quick    under three minutes when built before: no clippy, no slow_ tests

Tests only one part (any cargo argument works):
  cargo test -p claw-core inventory")]
pub(crate) struct TestArgs {
    /// Skip clippy, documentation, most simulated seeds and the tests named slow_*
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(args: &TestArgs) -> ExitCode {
    let mut steps = Steps::default();
    steps.check("set-up", || setup::ensure(Purpose::Test));
    steps.check("format", fmt::check);
    steps.check("tidy", tidy::check);
    if !args.quick {
        steps.check("clippy", lint::clippy);
        steps.check("documentation links", lint::documentation);
    }
    steps.check("build programs and tests", build);
    let pace = if args.quick { Pace::Quick } else { Pace::Whole };
    if machine::has_program("cargo-nextest") {
        steps.tests("tests (nextest)", || run_tests(nextest(pace)));
    } else {
        steps.tests("tests (cargo test)", || run_tests(cargo_test(pace)));
    }
    if !args.quick {
        steps.tests("documentation tests", || {
            Task::cargo("mend the example named above")
                .args(["test", "--workspace", "--doc"])
                .counted()
        });
    }
    let seeds = if args.quick { SEEDS_COUNT_QUICK } else { SEEDS_COUNT };
    steps.check("simulated seeds", || {
        Task::new(
            workspace::program("debug", "claw-dst"),
            "run the seed it names again: cargo xtask dst --seed N",
        )
        .args(["--seeds", seeds])
        .run()
    });
    steps.finish()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    Quick,
    Whole,
}

/// Programs and tests in one call: the whole-process tests start the programs.
fn build() -> Result<()> {
    Task::cargo("fix what the compiler says above")
        .args(["build", "--workspace", "--bins", "--tests"])
        .run()
}

/// What the machine lacks is named, and the tests that need it are told.
fn run_tests(mut task: Task) -> Result<Tally> {
    if !setup::has_python_packages() {
        let what =
            "the independent signer and the judge of JSON Schema, for want of Python's packages";
        talk(format_args!("stepped around: {what}"));
        task = task.env("CLAW_WITHOUT_PYTHON", "1");
    }
    if !setup::has_openssl() {
        talk(format_args!("stepped around: the independent TLS client, for want of OpenSSL"));
        task = task.env("CLAW_WITHOUT_OPENSSL", "1");
    }
    if !setup::has_node_packages() {
        let what = "the TypeScript compiler and the browser, for want of Node's packages";
        talk(format_args!("stepped around: {what}"));
        task = task.env("CLAW_WITHOUT_NODE", "1");
    }
    if !setup::has_faketime() {
        talk(format_args!("stepped around: clocks that are set, for want of libfaketime"));
        task = task.env("CLAW_WITHOUT_FAKETIME", "1");
    }
    if !setup::has_chromium() {
        talk(format_args!("stepped around: the demo shop in a browser, for want of Chromium"));
        task = task.env("CLAW_WITHOUT_CHROMIUM", "1");
    }
    task.counted()
}

/// Times and groups are in `.config/nextest.toml`.
fn nextest(pace: Pace) -> Task {
    let task = Task::cargo("run one test alone: cargo nextest run NAME").args([
        "nextest",
        "run",
        "--workspace",
        "--no-fail-fast",
    ]);
    match pace {
        Pace::Quick => task.args(["--profile", "quick"]),
        Pace::Whole => task,
    }
}

fn cargo_test(pace: Pace) -> Task {
    let task = Task::cargo("run one test alone: cargo test NAME").args([
        "test",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--no-fail-fast",
    ]);
    match pace {
        Pace::Quick => task.args(["--", "--skip", "slow_"]),
        Pace::Whole => task,
    }
}
