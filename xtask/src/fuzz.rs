//! `cargo xtask fuzz`: not filled yet, and it says so.
//!
//! Deliberately exits 2 instead of doing something that looks like fuzzing.

use std::process::ExitCode;

use clap::Args;

use crate::process::talk;

/// Coverage-guided fuzzing of what reads other people's bytes: filled by the hardening work.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask fuzz    says what is missing and exits 2")]
pub(crate) struct FuzzArgs {}

pub(crate) fn run(_: &FuzzArgs) -> ExitCode {
    talk(format_args!(
        "fuzz: no target is written yet. The hardening work fills this verb: the request grammar, \
         signatures, the log reader and the schema compiler.\n\
         Until then random input reaches them through the property tests (`cargo xtask test`) and \
         the simulated worlds (`cargo xtask dst`)."
    ));
    ExitCode::from(2)
}
