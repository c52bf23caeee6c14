//! `claw-dst`: runs worlds, seed after seed, and stops at the first that fails.
//!
//! Prints the seed and every option before the run, so that even a run that never ends can be
//! repeated; with `--trace` one line per fact. On a failure: the invariant, the last facts, the
//! command that repeats it and the smallest world that fails the same way, exit 1.

mod shrink;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use claw_dst::{Canary, Options, Overrides, Verdict, run, trace};

use shrink::{FAILS, invariant_of, shrink};

/// Deterministic simulation of the order engine: a seed in, a verdict out.
#[derive(Debug, Parser)]
#[command(
    name = "claw-dst",
    version,
    after_help = "\
Examples:
  claw-dst --seeds 500                 500 worlds, seeds 1 to 500
  claw-dst --minutes 60                seeds 1 and up, for an hour
  claw-dst --seed 4711 --trace         one world, every fact
  claw-dst --seed 4711 --set steps=20 --set crash_ms_mean=0
  claw-dst --canary lost-release       a deliberate mistake, which must be caught"
)]
struct Arguments {
    /// First seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many seeds, counting up; with --minutes as many as there is time for.
    #[arg(long, value_name = "COUNT")]
    seeds: Option<u64>,
    /// Stop after this long.
    #[arg(long, value_name = "M")]
    minutes: Option<u64>,
    /// Turn an option away from what the seed draws.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = turn)]
    turns: Vec<(String, u64)>,
    /// Do not look for a smaller world that fails the same way.
    #[arg(long)]
    no_shrink: bool,
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

/// Between two words on how far a run is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let seeds = match (arguments.seeds, arguments.minutes) {
        (Some(seeds), _) => seeds,
        (None, Some(_)) => u64::MAX,
        (None, None) => 1,
    };
    let began = Instant::now();
    let limit = arguments.minutes.map(|minutes| Duration::from_secs(minutes * 60));
    let last = arguments.seed.saturating_add(seeds.saturating_sub(1));
    let mut totals = Totals::default();
    let mut told = began;
    for seed in arguments.seed..=last {
        if limit.is_some_and(|limit| began.elapsed() >= limit) {
            break;
        }
        let options = match arguments.options(seed) {
            Ok(options) => options,
            Err(reason) => {
                say(&format!("error: {reason}"))?;
                return Ok(ExitCode::from(2));
            }
        };
        if seeds == 1 || arguments.trace {
            say(&options.to_string())?;
        }
        report_panics(options, !arguments.no_shrink);
        let verdict = run(options, arguments.trace.then_some(print_fact));
        if arguments.json {
            print(&json(&verdict))?;
        }
        if let Some(violation) = &verdict.violation {
            report(&options, &violation.to_string(), !arguments.no_shrink)?;
            return Ok(ExitCode::from(1));
        }
        totals.add(&verdict);
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            say(&format!("{} s: seed {seed} holds; {totals}", began.elapsed().as_secs()))?;
        }
    }
    say(&format!("{totals}: every invariant holds"))?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn options(&self, seed: u64) -> std::result::Result<Options, String> {
        let overrides = Overrides { shards: self.shards, steps: self.steps, canary: self.canary };
        let mut options = Options::draw(seed, overrides);
        for (name, value) in &self.turns {
            options.turn(name, *value)?;
        }
        Ok(options)
    }
}

fn turn(text: &str) -> std::result::Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let value = value.parse().map_err(|error| format!("{value}: {error}"))?;
    Ok((name.to_owned(), value))
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

fn report(options: &Options, what: &str, shrinks: bool) -> Result<()> {
    say(&options.to_string())?;
    say("the last facts:")?;
    for line in trace::tail() {
        say(&format!("  {line}"))?;
    }
    say(&format!("seed {} {FAILS}{what}", options.seed))?;
    say(&format!("again with every fact: {}", options.command()))?;
    if !shrinks {
        return Ok(());
    }
    say("looking for a smaller world that fails the same way ...")?;
    match shrink(*options, invariant_of(what)) {
        Some(smaller) => say(&format!("it does with less: {}", smaller.command())),
        None => say("there is none: nothing of it can be left out"),
    }
}

/// Panics abort in release builds: the report has to be written before.
fn report_panics(options: Options, shrinks: bool) {
    std::panic::set_hook(Box::new(move |panic| {
        let reported = report(&options, &format!("no assertion fails: {panic}"), shrinks);
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
