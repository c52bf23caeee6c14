//! The command line.
//!
//! Owns what can be asked for and its defaults; runs nothing.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::ValueEnum as _;
use claw_dataplane::simulate::client::system;

use crate::bench::{Bench, claw_binary, say};
use crate::scenario::Scenario;
use crate::{ceiling, device, instructions, stages};

/// Events that are replayed for a moment.
const SMOKE_EVENTS_COUNT: u64 = 100_000;
/// WebSockets for a moment.
const SMOKE_SOCKETS: usize = 200;
/// Files that a node has open beside its sockets, at most.
const OTHER_FILES: usize = 1_000;
/// Cuts of each system for a moment.
const SMOKE_CUTS_COUNT: u32 = 2;

/// Measure the node beside what people would pick instead, on this machine.
#[derive(clap::Parser, Debug)]
#[command(name = "claw-bench", version)]
pub(crate) struct Arguments {
    /// Each measurement once, for a moment: does it still run?
    #[arg(long)]
    pub(crate) smoke: bool,
    /// Only these scenarios; without it all of them.
    #[arg(long, value_enum, value_name = "NAME")]
    scenario: Vec<Scenario>,
    /// What each stage of a request costs, in instructions and time, beside the design's budget,
    /// instead of whole systems; --scenario stages puts them into the report.
    #[arg(long)]
    pub(crate) stages: bool,
    /// Instructions of every stage and hot function, beside the baseline in bench/baseline.json,
    /// instead of whole systems.
    #[arg(long)]
    pub(crate) instructions: bool,
    /// With --instructions: write the counts there too, such as bench/baseline.json.
    #[arg(long, value_name = "FILE", requires = "instructions")]
    pub(crate) keep: Option<PathBuf>,
    /// How soon WebSockets are told, and what idle ones cost, instead of whole systems.
    #[arg(long)]
    pub(crate) notices: bool,
    /// Whole checkouts beside PostgreSQL's: the same as --scenario checkouts.
    #[arg(long)]
    checkouts: bool,
    /// WebSockets that are open while notices are timed.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    sockets: usize,
    /// WebSockets that do nothing; 0 leaves that out.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    idle_sockets: usize,
    /// Measure only this system; the device is always measured.
    #[arg(long, value_enum)]
    pub(crate) only: Option<System>,
    /// Of our own rows only those whose name starts so, such as wire.
    #[arg(long, value_name = "NAME")]
    pub(crate) way: Option<String>,
    /// How long one run takes, seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Runs of each row.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Of every draw: arrivals, picks, ids.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Events in the log that is replayed by the recovery scenario.
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    events: u64,
    /// How often the crash scenario cuts each system.
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    cuts: u32,
    /// Write the results there.
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    pub(crate) json: PathBuf,
    /// Write the report and the latency distributions there.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub(crate) report: PathBuf,
    /// Compare with the results of another run: ratios, new by old. Ends with success whatever
    /// they are.
    #[arg(long, value_name = "OLD.json")]
    pub(crate) compare: Option<PathBuf>,
    /// With --compare: compare these results, and measure nothing.
    #[arg(long, value_name = "NEW.json", requires = "compare")]
    pub(crate) measured: Option<PathBuf>,
    /// Where stores and databases go: a folder on a disk, not in memory.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    scratch: PathBuf,
    /// The claw binary; without it what `CLAW_BIN` names, or the one beside this program.
    #[arg(long, value_name = "FILE")]
    claw: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) child: Child,
}

/// What this program is started as by itself.
#[derive(clap::Args, Debug)]
pub(crate) struct Child {
    /// What callgrind runs: so many requests up to a stage, and nothing else.
    #[arg(long = "serve-subject", hide = true, requires = "until", requires = "count", value_enum)]
    pub(crate) subject: Option<stages::Subject>,
    #[arg(long = "serve-until", hide = true, value_enum)]
    pub(crate) until: Option<stages::Stage>,
    #[arg(long = "serve-count", hide = true)]
    pub(crate) count: Option<usize>,
    /// What callgrind runs: one function so often.
    #[arg(long = "call-function", hide = true, requires = "calls", value_enum)]
    pub(crate) function: Option<instructions::Function>,
    #[arg(long = "call-count", hide = true)]
    pub(crate) calls: Option<u64>,
    /// A store that has grown: so many products and live holds.
    #[arg(long = "grown-products", hide = true, requires = "grown_holds")]
    grown_products: Option<u32>,
    #[arg(long = "grown-holds", hide = true, requires = "grown_by")]
    grown_holds: Option<u32>,
    #[arg(long = "grown-by", hide = true, value_enum)]
    grown_by: Option<stages::growth::Measure>,
    /// Holds through the stages of a node with so many shard cores.
    #[arg(long = "serve-cores", hide = true)]
    pub(crate) cores: Option<u16>,
    /// The bare server that says what the load can do.
    #[arg(long = "serve-echo", hide = true, value_enum)]
    pub(crate) echo: Option<ceiling::Kind>,
    /// Where a server that commits keeps its log.
    #[arg(long = "serve-folder", hide = true)]
    pub(crate) folder: Option<PathBuf>,
    /// Of the clients of a server that speaks the wire protocol; without it HTTP is spoken.
    #[arg(long = "serve-secret", hide = true)]
    pub(crate) secret: Option<String>,
}

impl Child {
    /// A store that has grown, if that is what this program is to serve.
    pub(crate) fn grown(&self) -> Option<stages::growth::Grown> {
        let (products_count, holds_count) = (self.grown_products?, self.grown_holds?);
        let fill = stages::Fill { products_count, holds_count };
        Some(stages::growth::Grown { fill, measure: self.grown_by? })
    }
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum System {
    Claw,
    Postgresql,
    Redis,
}

impl System {
    /// As the rows name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Claw => "claw",
            Self::Postgresql => "PostgreSQL",
            Self::Redis => "Redis",
        }
    }
}

impl Arguments {
    /// The scenarios to run, in their order.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let named = |scenario: &Scenario| {
            self.scenario.contains(scenario) || (self.checkouts && *scenario == Scenario::Checkouts)
        };
        let all = self.scenario.is_empty() && !self.checkouts;
        let scenarios = Scenario::value_variants().iter().copied();
        scenarios.filter(|scenario| all || named(scenario)).collect()
    }

    /// What every measurement is told.
    pub(crate) fn bench(&self) -> anyhow::Result<Bench> {
        Ok(Bench {
            claw: claw_binary(self.claw.as_deref())?,
            scratch: self.scratch.clone(),
            device: device::name(&self.scratch)?,
            seconds: if self.smoke { 2 } else { self.seconds },
            runs_count: if self.smoke { 1 } else { self.runs.max(1) },
            seed: self.seed,
            events_count: if self.smoke {
                self.events.min(SMOKE_EVENTS_COUNT)
            } else {
                self.events
            },
            sockets: self.sockets()?,
            cuts_count: if self.smoke { self.cuts.min(SMOKE_CUTS_COUNT) } else { self.cuts },
            smoke: self.smoke,
            only: self.only,
            way: self.way.clone(),
        })
    }
}

impl Arguments {
    /// As many WebSockets as were asked for and this process may open.
    fn sockets(&self) -> anyhow::Result<[usize; 2]> {
        let open_files = system::raise_open_files().context("raise the limit of open files")?;
        let room = if self.smoke {
            SMOKE_SOCKETS
        } else {
            usize::try_from(open_files)?.saturating_sub(OTHER_FILES)
        };
        let wanted = [self.sockets, self.idle_sockets];
        if !self.smoke && wanted.iter().any(|wanted| *wanted > room) {
            say(&format!("a process may open {open_files} files here: {room} sockets at most"))?;
        }
        Ok(wanted.map(|wanted| wanted.min(room)))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn scenarios(words: &[&str]) -> Vec<Scenario> {
        Arguments::try_parse_from([&["claw-bench"], words].concat()).unwrap().scenarios()
    }

    #[test]
    fn every_scenario_runs_unless_some_are_named() {
        assert_eq!(scenarios(&[]), Scenario::value_variants());
        assert_eq!(scenarios(&["--checkouts"]), [Scenario::Checkouts]);
        let named = ["--scenario", "wire", "--scenario", "http"];
        assert_eq!(scenarios(&named), [Scenario::Http, Scenario::Wire]);
    }
}
