//! `cargo xtask dst`: the deterministic world, seed after seed.
//!
//! A seed that fails is the whole bug report: the same seed fails the same way anywhere. Builds
//! with optimisation, since the number of seeds is what finds things.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::programs;
use crate::setup::{self, Purpose};

/// Run simulated worlds; arguments go to the simulator.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask dst --seeds 10000
  cargo xtask dst --seed 4711         one world again
  cargo xtask dst -- --help           what the simulator takes")]
pub(crate) struct DstArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    rest: Vec<OsString>,
}

pub(crate) fn run(args: &DstArgs) -> Result<ExitCode> {
    setup::ensure(Purpose::Build)?;
    programs::build_release(&["claw-dst"])?;
    programs::release("claw-dst", "the seed it names fails the same way every time: look there")
        .args(&args.rest)
        .run()?;
    Ok(ExitCode::SUCCESS)
}
