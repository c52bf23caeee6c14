//! `cargo xtask fmt`: one format for all of it, `rustfmt.toml` decides.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::process::Task;

/// Format every file, or only tell which are not formatted.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask fmt
  cargo xtask fmt --check")]
pub(crate) struct FmtArgs {
    /// Change nothing; fail when something would change
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &FmtArgs) -> Result<ExitCode> {
    if args.check {
        check()?;
    } else {
        Task::cargo("mend the file that cannot be parsed").args(["fmt", "--all"]).run()?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn check() -> Result<()> {
    Task::cargo("run `cargo xtask fmt`").args(["fmt", "--all", "--check"]).run()
}
