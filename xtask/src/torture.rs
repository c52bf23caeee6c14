//! `cargo xtask torture`: kill a real node under load, again and again.
//!
//! The test is `tests/tests/crash.rs`; an ordinary test run kills a few times, this verb many. It
//! tells the test how often through `CLAW_TORTURE_KILLS`, and which node through `CLAW_BIN`: the
//! optimised one, because that is what loses data in a shop.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::process::Task;
use crate::programs;
use crate::setup::{self, Purpose};
use crate::workspace;

/// Kills that CI can afford at every change.
pub(crate) const KILLS_SMOKE: u32 = 20;

/// Kill a node at random moments under load and check every acknowledged answer after each.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask torture                 200 kills
  cargo xtask torture --smoke         20 kills
  cargo xtask torture --kills 5000    over night")]
pub(crate) struct TortureArgs {
    /// How often the node is killed
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// As few as CI can afford
    #[arg(long, conflicts_with = "kills")]
    smoke: bool,
}

pub(crate) fn run(args: &TortureArgs) -> Result<ExitCode> {
    setup::ensure(Purpose::Build)?;
    kill(if args.smoke { KILLS_SMOKE } else { args.kills })?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn kill(kills: u32) -> Result<()> {
    programs::build_release(&["claw"])?;
    Task::cargo("the store it names is kept: look with `claw log verify`")
        .args(["test", "--workspace", "--test", "crash", "--", "--nocapture"])
        .env("CLAW_TORTURE_KILLS", kills.to_string())
        .env("CLAW_BIN", workspace::program("release", "claw"))
        .run()
}
