//! One verb per activity: what a person types, what CI runs, and what the README shows are the
//! same commands.
//!
//! Each verb is a file with its own `--help` and examples. The verbs that measure, show or test
//! call [`setup`] first, so that a fresh machine needs nothing else. This package depends on none
//! of the others: it starts them as processes, so `cargo xtask` never waits for the node to build.
//!
//! Deliberately not here: product logic of any kind, and anything a shop would run in production.

mod bench;
mod ci;
mod demo;
mod dst;
mod fmt;
mod fuzz;
mod lint;
mod machine;
mod process;
mod programs;
mod sanitize;
mod setup;
mod steps;
mod test;
mod tidy;
mod torture;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Everything one does with this repository, one verb each.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Bench(bench::BenchArgs),
    Ci(ci::CiArgs),
    Demo(demo::DemoArgs),
    Dst(dst::DstArgs),
    Fmt(fmt::FmtArgs),
    Fuzz(fuzz::FuzzArgs),
    Lint(lint::LintArgs),
    Sanitize(sanitize::SanitizeArgs),
    Setup(setup::SetupArgs),
    Test(test::TestArgs),
    Tidy(tidy::TidyArgs),
    Torture(torture::TortureArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Bench(args) => bench::run(&args),
        Verb::Ci(args) => Ok(ci::run(&args)),
        Verb::Demo(args) => demo::run(&args),
        Verb::Dst(args) => dst::run(&args),
        Verb::Fmt(args) => fmt::run(&args),
        Verb::Fuzz(args) => fuzz::run(&args),
        Verb::Lint(args) => Ok(lint::run(&args)),
        Verb::Sanitize(args) => Ok(sanitize::run(&args)),
        Verb::Setup(args) => setup::run(&args),
        Verb::Test(args) => Ok(test::run(&args)),
        Verb::Tidy(args) => tidy::run(&args),
        Verb::Torture(args) => torture::run(&args),
    };
    done.unwrap_or_else(|error| {
        process::talk(format_args!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_verb_has_help_with_examples() {
        let cli = Cli::command();
        cli.clone().debug_assert();
        for verb in cli.get_subcommands() {
            let help = verb.clone().render_long_help().to_string();
            assert!(help.contains("Examples:"), "{}", verb.get_name());
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
        }
    }

    #[test]
    fn arguments_behind_a_verb_that_hands_over_are_not_ours() {
        let cli = Cli::try_parse_from(["xtask", "bench", "--smoke", "--seconds", "3"]).unwrap();
        let Verb::Bench(args) = cli.verb else { panic!("another verb") };
        assert_eq!(format!("{args:?}").matches("--").count(), 2);
    }
}
