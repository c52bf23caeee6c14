//! `cargo xtask ci`: what is run before a change is accepted, in order.
//!
//! Only verbs that a person has too, so that nothing is green in one place and red in another.

use std::process::ExitCode;

use clap::Args;

use crate::process::Task;
use crate::setup::{self, Purpose};
use crate::steps::Steps;
use crate::{bench, torture};

/// Run the steps of CI in order: test, demo, bench, torture, the README's commands.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask ci")]
pub(crate) struct CiArgs {}

pub(crate) fn run(_: &CiArgs) -> ExitCode {
    let mut steps = Steps::default();
    steps.check("set-up", || setup::ensure(Purpose::Bench));
    steps.tests("test", || verb("test").counted());
    steps.check("demo", || verb("demo").run());
    steps.check("bench", || bench::measure(&["--smoke"]));
    steps.check("torture", || torture::kill(torture::KILLS_SMOKE));
    steps.tests("README commands", || {
        Task::cargo("mend the README or the command")
            .args(["test", "--workspace", "--test", "readme"])
            .counted()
    });
    steps.finish()
}

/// The verb as a process of its own, exactly as it is typed.
fn verb(name: &str) -> Task {
    Task::cargo("run it alone and see").args(["xtask", name])
}
