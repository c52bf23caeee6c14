//! `claw doctor`: whether this machine and this store are fit to sell.
//!
//! Owns the arguments, how the lines are printed, and the exit code: 0 when nothing is in the way
//! (warnings included), 1 when something is. The looking is in [`crate::doctor`].

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::output;
use crate::config::{Config, Overrides};
use crate::doctor::{Check, Host, Patient, Verdict, examine};

/// Columns of a line before what was found.
const NAME_COLUMNS: usize = 20;

/// Look at kernel, memory, processors, clock, device, keys and this build.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw doctor
  claw doctor --store shop
  claw doctor --store shop --json | jq -r '.checks[] | select(.verdict != \"ok\") | .advice'

Exit code 1 when a line says fail. Measures some hundred small writes in the store's data folder.")]
pub struct DoctorArgs {
    /// The store's folder; without one, only the machine is looked at
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let config = match &args.store {
        Some(store) => Some(Config::load(store, &Overrides::from_environment())?),
        None => None,
    };
    let patient = Patient { store: args.store.as_deref(), config: config.as_ref() };
    let checks = examine(&Host::this(), patient);
    let worst = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    if args.json {
        output::json(&object(&checks, worst))?;
    } else {
        let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        output::data(text(&checks, coloured).trim_end())?;
    }
    Ok(if worst == Verdict::Fail { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn object(checks: &[Check], worst: Verdict) -> serde_json::Value {
    let line = |check: &Check| {
        json!({
            "name": check.name,
            "verdict": check.verdict.name(),
            "found": check.found,
            "advice": check.advice,
        })
    };
    json!({
        "verdict": worst.name(),
        "checks": checks.iter().map(line).collect::<Vec<_>>(),
    })
}

fn text(checks: &[Check], coloured: bool) -> String {
    let mut text = String::new();
    let mut counts = [0_usize; 3];
    for check in checks {
        counts[check.verdict as usize] += 1;
        let verdict = format!("{:<5}", check.verdict.name());
        let verdict = if coloured { paint(check.verdict, &verdict) } else { verdict };
        // Writing to a String does not fail.
        writeln!(text, "{verdict} {:<NAME_COLUMNS$} {}", check.name, check.found).ok();
        if !check.advice.is_empty() {
            writeln!(text, "      {:NAME_COLUMNS$} -> {}", "", check.advice).ok();
        }
    }
    let [ok, warn, fail] = counts;
    writeln!(text, "{ok} ok, {warn} to look at, {fail} in the way").ok();
    text
}

fn paint(verdict: Verdict, text: &str) -> String {
    let colour = match verdict {
        Verdict::Ok => 32,
        Verdict::Warn => 33,
        Verdict::Fail => 31,
    };
    format!("\x1b[{colour}m{text}\x1b[0m")
}
