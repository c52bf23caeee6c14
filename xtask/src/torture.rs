//! `cargo xtask torture`: kill a real node under load, again and again, and its vault and gateway.
//!
//! The tests are `tests/tests/crash.rs` and the bad day of `tests/tests/payments`; an ordinary test
//! run kills a few times, this verb many. It tells the tests how often through `CLAW_TORTURE_KILLS`
//! and `CLAW_TORTURE_CHECKOUTS`, and which node through `CLAW_BIN`: the optimised one, because that
//! is what loses data in a shop.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::process::{Task, talk};
use crate::programs;
use crate::setup::{self, Purpose};
use crate::workspace;

/// Kills that CI can afford at every change.
pub(crate) const KILLS_SMOKE: u32 = 20;

/// Checkouts of the bad day that CI can afford.
const CHECKOUTS_SMOKE: u32 = 2_000;

/// Kill a node at random moments under load and check every acknowledged answer after each; then
/// sell through a bad day of the payment gateway while node, vault and gateway are killed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask torture                 200 kills, then 50,000 checkouts
  cargo xtask torture --smoke         20 kills
  cargo xtask torture --kills 5000    over night")]
pub(crate) struct TortureArgs {
    /// How often the node is killed
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// How many checkouts the bad day has; 0 for none
    #[arg(long, default_value_t = 50_000)]
    checkouts: u32,
    /// As few as CI can afford
    #[arg(long, conflicts_with = "kills")]
    smoke: bool,
}

pub(crate) fn run(args: &TortureArgs) -> Result<ExitCode> {
    setup::ensure(Purpose::Build)?;
    kill(if args.smoke { KILLS_SMOKE } else { args.kills })?;
    sell(if args.smoke { CHECKOUTS_SMOKE } else { args.checkouts })?;
    Ok(ExitCode::SUCCESS)
}

fn sell(checkouts: u32) -> Result<()> {
    if checkouts == 0 {
        return Ok(());
    }
    Task::cargo("run it again with the seed it named: CLAW_SEED=N")
        .args(["test", "--workspace", "--test", "payments", "--", "--nocapture", "slow_"])
        .env("CLAW_TORTURE_CHECKOUTS", checkouts.to_string())
        .env("CLAW_BIN", workspace::program("release", "claw"))
        .run()
}

pub(crate) fn kill(kills: u32) -> Result<()> {
    programs::build_release(&["claw"])?;
    let mut task = Task::cargo("the store it names is kept: look with `claw log verify`");
    if !setup::has_faketime() {
        talk(format_args!(
            "stepped around: clocks that are set, for want of libfaketime (`cargo xtask setup`)"
        ));
        task = task.env("CLAW_WITHOUT_FAKETIME", "1");
    }
    task.args(["test", "--workspace", "--test", "crash", "--", "--nocapture"])
        .env("CLAW_TORTURE_KILLS", kills.to_string())
        .env("CLAW_BIN", workspace::program("release", "claw"))
        .run()
}
