//! Our own programs, built for release the same way whichever verb asks.
//!
//! `--workspace` is for the features: cargo resolves them over all selected packages, so a build of
//! one package alone would compile half of the dependencies a second time.

use anyhow::Result;

use crate::process::Task;
use crate::workspace;

/// Build these and nothing else.
pub(crate) fn build_release(names: &[&str]) -> Result<()> {
    Task::cargo("fix what the compiler says above")
        .args(["build", "--release", "--workspace"])
        .args(names.iter().flat_map(|name| ["--bin", name]))
        .run()
}

/// A release program of ours, to be started.
pub(crate) fn release(name: &str, remedy: &str) -> Task {
    Task::new(workspace::program("release", name), remedy)
}
