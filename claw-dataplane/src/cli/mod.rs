//! The `claw` command: one file per verb, one enum that names them all.
//!
//! Rules for every verb: data on stdout, talk on stderr; `--json` wherever data is printed; colour
//! on terminals only; errors say what was attempted, where, why and what to do. Exit codes: 0 done,
//! 1 the answer is no, 2 wrong usage (settings and schema included), 3 the node stopped because it
//! could no longer promise durability.
//!
//! A verb is `XArgs` (what may be said) and `run(XArgs)` (what is done). Verbs do not call each
//! other and hold no logic that a library user would miss.

pub mod audit;
mod certificate;
pub mod demo_store;
pub mod doctor;
pub mod export;
pub mod forget;
pub mod gateway;
pub mod init;
pub mod keys;
pub mod log;
pub mod node;
mod output;
pub mod saga;
pub mod schema;
pub mod sign;
pub mod simulate;
mod subject;
mod templates;
pub mod token;
pub mod vault;
pub mod verify;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::ConfigError;

/// Exit code of wrong usage, the same that the argument parser uses.
const EXIT_USAGE: u8 = 2;

/// An order engine that sells what is there, once, and can prove it.
#[derive(Debug, Parser)]
#[command(name = "claw", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Audit(audit::AuditArgs),
    DemoStore(demo_store::DemoStoreArgs),
    Doctor(doctor::DoctorArgs),
    Export(export::ExportArgs),
    Forget(forget::ForgetArgs),
    Gateway(gateway::GatewayArgs),
    Init(init::InitArgs),
    Keys(keys::KeysArgs),
    Log(log::LogArgs),
    Node(node::NodeArgs),
    Saga(saga::SagaArgs),
    Schema(schema::SchemaArgs),
    Sign(sign::SignArgs),
    Simulate(simulate::SimulateArgs),
    Token(token::TokenArgs),
    Vault(vault::VaultArgs),
    Verify(verify::VerifyArgs),
}

/// Reads the command line, runs the verb, reports.
pub fn main() -> ExitCode {
    let verb = Cli::parse().verb;
    let level = env_logger::Env::new().filter_or("CLAW_LOG", "info");
    env_logger::Builder::from_env(level).format_target(false).init();
    let outcome = match verb {
        Verb::Audit(args) => audit::run(&args),
        Verb::DemoStore(args) => demo_store::run(args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Export(args) => export::run(&args),
        Verb::Forget(args) => forget::run(&args),
        Verb::Gateway(args) => gateway::run(args),
        Verb::Init(args) => init::run(args),
        Verb::Keys(args) => keys::run(args),
        Verb::Log(args) => log::run(args),
        Verb::Node(args) => node::run(args),
        Verb::Saga(args) => saga::run(&args),
        Verb::Schema(args) => schema::run(args),
        Verb::Sign(args) => sign::run(&args),
        Verb::Simulate(args) => simulate::run(args),
        Verb::Token(args) => token::run(&args),
        Verb::Vault(args) => vault::run(&args),
        Verb::Verify(args) => verify::run(&args),
    };
    outcome.unwrap_or_else(|error| report(&error))
}

/// Tells why a verb could not do its work, on stderr, and chooses the exit code.
fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(source) = error.downcast_ref::<io::Error>()
        && source.kind() == io::ErrorKind::BrokenPipe
    {
        // The reader of our data has seen enough, such as `head`.
        return ExitCode::SUCCESS;
    }
    let mut stderr = io::stderr().lock();
    let coloured = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let label = if coloured { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
    // Nobody is left to be told when stderr is gone; the exit code still says it.
    writeln!(stderr, "{label} {}", one_line(error)).ok();
    let settings = error.downcast_ref::<ConfigError>().is_some();
    let usage = settings || error.downcast_ref::<output::UsageError>().is_some();
    ExitCode::from(if usage { EXIT_USAGE } else { 1 })
}

/// The error and its causes, each once: some say their cause themselves.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn causes_are_told_once() {
        let error = anyhow::anyhow!("disk full").context("write a: disk full").context("make b");
        assert_eq!(super::one_line(&error), "make b: write a: disk full");
    }

    #[test]
    fn every_verb_and_subverb_shows_examples() {
        fn check(command: &clap::Command) {
            if command.has_subcommands() {
                command.get_subcommands().for_each(check);
            } else {
                let help = command.get_after_help().map(ToString::to_string);
                let shown = help.is_some_and(|help| help.contains("claw "));
                assert!(shown, "`claw {}` shows no example", command.get_name());
            }
        }
        let command = super::Cli::command();
        command.clone().debug_assert();
        check(&command);
    }
}
