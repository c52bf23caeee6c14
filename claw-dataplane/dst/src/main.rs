//! `claw-dst`: runs worlds, seed after seed, and stops at the first that fails.
//!
//! Prints the seed and every option before the run, so that even a run that never ends can be
//! repeated; with `--trace` one line per fact. On a failure: the invariant, the last facts and the
//! command that repeats it, exit 1.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use claw_dst::{Canary, Options, Overrides, Verdict, run, trace};

/// Deterministic simulation of the order engine: a seed in, a verdict out.
#[derive(Debug, Parser)]
#[command(
    name = "claw-dst",
    version,
    after_help = "\
Examples:
  claw-dst --seeds 500                 500 worlds, seeds 1 to 500
  claw-dst --seed 4711 --trace         one world, every fact
  claw-dst --canary lost-release       a deliberate mistake, which must be caught"
)]
struct Arguments {
    /// First seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many seeds, counting up.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    seeds: u64,
    /// Shards, instead of as many as the seed draws.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4))]
    shards: Option<u16>,
    /// Commands that shoppers start, instead of as many as the seed draws.
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// Print every fact.
    #[arg(long)]
    trace: bool,
    /// One JSON object per seed on stdout.
    #[arg(long)]
    json: bool,
    /// Make a deliberate mistake.
    #[arg(long, value_name = "NAME")]
    canary: Option<Canary>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let overrides =
        Overrides { shards: arguments.shards, steps: arguments.steps, canary: arguments.canary };
    let last = arguments.seed.saturating_add(arguments.seeds.saturating_sub(1));
    let mut totals = Totals::default();
    for seed in arguments.seed..=last {
        let options = Options::draw(seed, overrides);
        if arguments.seeds == 1 || arguments.trace {
            say(&options.to_string())?;
        }
        report_panics(options);
        let verdict = run(options, arguments.trace.then_some(print_fact));
        if arguments.json {
            print(&json(&verdict))?;
        }
        if let Some(violation) = &verdict.violation {
            report(&options, &violation.to_string())?;
            return Ok(ExitCode::from(1));
        }
        totals.add(&verdict);
    }
    say(&format!("{totals}: every invariant holds"))?;
    Ok(ExitCode::SUCCESS)
}

/// What all worlds did together.
#[derive(Debug, Default)]
struct Totals {
    worlds: u64,
    commands: u64,
    crashes: u64,
    orders: u64,
    units: u64,
    facts: BTreeMap<char, u64>,
}

impl Totals {
    fn add(&mut self, verdict: &Verdict) {
        self.worlds += 1;
        self.commands += u64::from(verdict.summary.commands);
        self.crashes += u64::from(verdict.summary.crashes);
        self.orders += verdict.summary.orders;
        self.units += verdict.summary.units_sold;
        for (symbol, count) in &verdict.summary.facts {
            *self.facts.entry(*symbol).or_default() += count;
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { worlds, commands, crashes, orders, units, facts } = self;
        write!(f, "{worlds} worlds, {commands} commands, {crashes} crashes, {orders} orders, ")?;
        write!(f, "{units} units sold, facts")?;
        facts.iter().try_for_each(|(symbol, count)| write!(f, " {symbol}{count}"))
    }
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stderr().lock(), "{text}").context("write to stderr")
}

fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}").context("write to stdout")
}

/// The trace is data. A reader that went away is no reason to stop.
fn print_fact(line: &str) {
    let written = writeln!(std::io::stdout().lock(), "{line}");
    drop(written);
}

fn report(options: &Options, what: &str) -> Result<()> {
    say(&options.to_string())?;
    say("the last facts:")?;
    for line in trace::tail() {
        say(&format!("  {line}"))?;
    }
    say(&format!("seed {} fails: {what}", options.seed))?;
    say(&format!("again with every fact: {}", options.command()))
}

/// Panics abort in release builds: the report has to be written before.
fn report_panics(options: Options) {
    std::panic::set_hook(Box::new(move |panic| {
        let reported = report(&options, &format!("no assertion fails: {panic}"));
        drop(reported);
        exit_as_failed();
    }));
}

#[expect(clippy::exit, reason = "a panic would abort with a signal instead of a verdict")]
fn exit_as_failed() -> ! {
    std::process::exit(1)
}

fn json(verdict: &Verdict) -> String {
    let summary = &verdict.summary;
    let violation = verdict.violation.as_ref().map_or_else(
        || "null".to_owned(),
        |violation| {
            let (invariant, detail) = (quote(violation.invariant), quote(&violation.detail));
            format!("{{\"invariant\":{invariant},\"detail\":{detail}}}")
        },
    );
    format!(
        "{{\"seed\":{},\"options\":{},\"facts\":{},\"fingerprint\":\"{:016x}\",\"commands\":{},\
         \"crashes\":{},\"holds\":{},\"orders\":{},\"units_sold\":{},\"violation\":{violation}}}",
        verdict.options.seed,
        quote(&verdict.options.to_string()),
        summary.facts.values().sum::<u64>(),
        summary.fingerprint,
        summary.commands,
        summary.crashes,
        summary.holds,
        summary.orders,
        summary.units_sold,
    )
}

/// A JSON string.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            // Nothing we print needs one.
            letter if letter.is_control() => quoted.push(' '),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}
