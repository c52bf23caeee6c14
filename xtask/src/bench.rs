//! `cargo xtask bench`: measure, beside others, on this machine.
//!
//! Builds the node and the measuring program and hands over; what is measured and how is in
//! `bench/`. Deliberately prints no number of its own.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::programs;
use crate::setup::{self, Purpose};
use crate::workspace;

/// Measure the release build; arguments go to the measuring program.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask bench                 everything
  cargo xtask bench --smoke         each measurement for a moment: does it still run?
  cargo xtask bench --stages        instructions and time of each stage of a request
  cargo xtask bench --notices       how soon WebSockets are told, and what idle ones cost
  cargo xtask bench --checkouts     whole checkouts, beside PostgreSQL's
  cargo xtask bench --scenario http --scenario peers
  cargo xtask bench --only redis
  cargo xtask bench --scenario recovery --events 1000000
  cargo xtask bench --scenario growth
                                    a hold in a store of a million products (8 GiB are needed)
  cargo xtask bench --scenario crash --cuts 100 --seed 7
                                    killed and without power: what was lost? (as root, for FUSE)
  cargo xtask bench --instructions  of every hot function, beside the baseline that is kept
  cargo xtask bench --compare old.json
  cargo xtask bench -- --help       what the measuring program takes")]
pub(crate) struct BenchArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    rest: Vec<OsString>,
}

pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode> {
    setup::ensure(Purpose::Bench)?;
    measure(&args.rest)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn measure<S: AsRef<std::ffi::OsStr>>(rest: &[S]) -> Result<()> {
    programs::build_release(&["claw", "claw-bench"])?;
    programs::release("claw-bench", "see what the measurement says above")
        .args(rest)
        .env("CLAW_BIN", workspace::program("release", "claw"))
        .run()
}
