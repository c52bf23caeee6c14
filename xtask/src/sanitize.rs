//! `cargo xtask sanitize`: the code with `unsafe` under tools that see what it touches.
//!
//! `AddressSanitizer` runs the unit tests of every package that has such code, rings and mappings
//! included; first a canary, which reads behind its allocation and must be found. Miri runs what it
//! can: the bytes all agree on, views of blocks, tables and buffers. It has no notion of
//! `io_uring`, of processors and of signals, where the rest of the `unsafe` is. Where Miri is not
//! installed that is said, and nothing else changes.
//!
//! Deliberately not `ThreadSanitizer`: it wants a standard library built with it, and the one
//! hand-made lock-free part, the bell, is checked by loom in the ordinary tests.

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Args;

use crate::process::{Task, talk};
use crate::setup::{self, Purpose};
use crate::steps::{Steps, Tally};
use crate::workspace;

/// What `AddressSanitizer` is built for; it is a part of the pinned compiler there.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
/// Packages with `unsafe`, and those that hand them bytes.
const PACKAGES: [&str; 4] = ["claw-common", "claw-core", "claw-sdk", "claw-dataplane"];
/// What Miri can run: package, and what the names of its tests contain.
const MIRI: [(&str, &[&str]); 3] = [
    ("claw-common", &[]),
    ("claw-core", &["stdx::", "log::tests::block::"]),
    ("claw-dataplane", &["buffer::"]),
];
/// Random cases of a test with Miri, which is some hundred times slower: 256 otherwise.
const MIRI_CASES_COUNT: &str = "2";
/// Without leaks: glommio leaves 1,152 bytes of each executor, loom what a failing model holds.
const OPTIONS: &str = "detect_leaks=0:detect_stack_use_after_return=1";
const CANARY: &str = "canary_reads_behind_its_allocation";

/// Run the tests of the code with unsafe under `AddressSanitizer`, and under Miri where it is.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask sanitize
  cargo xtask sanitize ring    only the tests whose names contain it

Miri comes with a nightly compiler: rustup component add --toolchain nightly miri rust-src")]
pub(crate) struct SanitizeArgs {
    /// Only tests whose names contain this, and no Miri
    filter: Option<String>,
}

pub(crate) fn run(args: &SanitizeArgs) -> ExitCode {
    let mut steps = Steps::default();
    steps.check("set-up", || setup::ensure(Purpose::Build));
    steps.check("the canary is found", find_canary);
    steps.tests("tests with AddressSanitizer", || {
        sanitized("look at the first report above").args(args.filter.as_deref()).counted()
    });
    if args.filter.is_some() {
        return steps.finish();
    }
    if has_miri() {
        steps.tests("tests with Miri", interpret);
    } else {
        talk(format_args!(
            "skipped: Miri; to have it: rustup component add --toolchain nightly miri rust-src"
        ));
    }
    steps.finish()
}

/// `cargo test` of the packages, told to act like a nightly compiler, in a folder of its own.
fn sanitized(remedy: &str) -> Task {
    let packages = PACKAGES.iter().flat_map(|package| ["-p", package]);
    Task::cargo(remedy)
        .args(["test", "--lib", "--no-fail-fast", "--target", PLATFORM, "--target-dir"])
        .args([workspace::target().join("sanitize")])
        .args(packages)
        .args(["--"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .env("ASAN_OPTIONS", OPTIONS)
}

/// A tool that finds nothing in what is wrong on purpose shows nothing about the rest.
fn find_canary() -> Result<()> {
    let (mut ran, mut found) = (false, false);
    sanitized("").args(["--ignored", CANARY]).lines(|line| {
        ran |= line.contains(CANARY);
        found |= line.contains("AddressSanitizer: heap-buffer-overflow");
        talk(format_args!("{line}"));
    })?;
    ensure!(ran, "{CANARY} did not run: build errors stand above");
    if !found {
        bail!("AddressSanitizer did not see a read behind an allocation: nothing it says counts");
    }
    Ok(())
}

fn has_miri() -> bool {
    Task::cargo_nightly("").args(["miri", "--version"]).probe()
}

fn interpret() -> Result<Tally> {
    let mut all = Tally::default();
    for (package, names) in MIRI {
        let task = Task::cargo_nightly("look at the first report above")
            .args(["miri", "test", "--lib", "-p", package, "--"])
            .args(names)
            .env("PROPTEST_CASES", MIRI_CASES_COUNT)
            // Seeds are random and maps anonymous: both are asked of the system.
            .env("MIRIFLAGS", "-Zmiri-disable-isolation");
        let tally = task.counted()?;
        all.passed_count += tally.passed_count;
        all.failed_count += tally.failed_count;
    }
    Ok(all)
}
