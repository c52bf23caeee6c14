//! One file per verb of the claw command.
//!
//! Data goes to stdout, talk to stderr. Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3
//! the node stopped because it could no longer promise durability. Does not hold logic: each verb
//! hands its arguments to the part that does the work.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

pub mod simulate;

#[derive(Debug, clap::Parser)]
#[command(name = "claw", version, about = "An order engine that never sells what is not there")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Simulate(simulate::SimulateArgs),
}

/// Runs the verb of the command line; the caller exits with the code.
pub fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let outcome = match Arguments::parse().verb {
        Verb::Simulate(args) => simulate::run(args),
    };
    outcome.unwrap_or_else(|error| {
        // Nobody is left to tell when stderr is closed.
        drop(writeln!(std::io::stderr(), "claw: {error:#}"));
        ExitCode::from(1)
    })
}
