//! `cargo xtask lint`: clippy over everything, the documentation's links, and the dependencies.
//!
//! The lint table is in the workspace manifest, the fences in `.clippy.toml` and its nested
//! copies, the rules for dependencies in `.deny.toml`. Deliberately has no rule of its own: those
//! are [`crate::tidy`]'s.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::machine;
use crate::process::{Task, talk};
use crate::steps::Steps;

/// Clippy with every warning an error, documentation links, and cargo-deny when it is installed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask lint")]
pub(crate) struct LintArgs {}

pub(crate) fn run(_: &LintArgs) -> ExitCode {
    let mut steps = Steps::default();
    steps.check("clippy", clippy);
    steps.check("documentation links", documentation);
    if machine::has_program("cargo-deny") {
        steps.check("dependencies", dependencies);
    } else {
        talk(format_args!(
            "skipped: dependencies against .deny.toml; to have it: cargo install cargo-deny"
        ));
    }
    steps.finish()
}

pub(crate) fn clippy() -> Result<()> {
    Task::cargo("fix what clippy says; an exception is an #[expect(..., reason = \"...\")]")
        .args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
        .run()
}

pub(crate) fn documentation() -> Result<()> {
    Task::cargo("mend the link named above")
        .args(["doc", "--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links")
        .run()
}

fn dependencies() -> Result<()> {
    Task::cargo("see .deny.toml: each exception there says why")
        .args(["deny", "--all-features", "--config", ".deny.toml", "check"])
        .run()
}
