//! `claw simulate`: shoppers against a node, and the audit of what they were sold.
//!
//! Owns the arguments, where results go, and the exit code: 0 clean, 1 not clean or not possible,
//! 2 wrong usage. The work is in [`crate::simulate`].

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::config::{Config, Overrides};
use crate::simulate::client::{CONNECTIONS_PER_SOURCE_MAX, Protocol};
use crate::simulate::progress::Progress;
use crate::simulate::report::Report;
use crate::simulate::run::{Carrier, RunOptions, STOREFRONT_KEY, run as run_shoppers};
use crate::simulate::scenario::{HammerTarget, Scenario, duration_of};

/// Shoppers that one run may have: 254 loopback addresses.
const USERS_MAX: i64 = CONNECTIONS_PER_SOURCE_MAX as i64 * 254;

/// Shoppers on one connection: what they ask at one time fits a frame.
#[expect(clippy::cast_possible_wrap, reason = "a few hundred")]
const BATCH_MAX: i64 = claw_common::limits::WIRE_COMMANDS_MAX as i64;

/// A protocol by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ProtocolName {
    #[default]
    Http,
    Wire,
}

/// Run shoppers against a node and audit every sale.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  claw simulate --store shop --scenario drop --users 10000
  claw simulate --store shop --scenario retail --duration 1m --rate 5000
  claw simulate --store shop --users 6400 --protocol wire --batch 64
  claw simulate --store shop --endpoint \"POST /v1/holds\" --node http://127.0.0.1:7070
  claw simulate --store shop --node https://localhost:7443 --ca shop/keys/tls.crt

Exit code 1 when the audit finds a unit sold twice or lost.")]
pub struct SimulateArgs {
    /// The store; its keys sign the requests.
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// A node that runs already, http(s)://HOST:PORT; without it one is started and stopped.
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// Whom to trust on https, PEM: an authority's certificate or the node's own; without it those
    /// this system trusts.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Reach the node that is started over TLS; keys/tls.crt is made when it is not there.
    #[arg(long, conflicts_with = "node")]
    tls: bool,
    /// How shoppers and node talk: HTTP and JSON, or the wire protocol.
    #[arg(long, value_enum, default_value_t)]
    protocol: ProtocolName,
    /// Shoppers that share a connection of the wire protocol; what they ask at one time is one
    /// frame under one tag.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=BATCH_MAX))]
    batch: u32,
    /// Key of the shoppers' requests: an hmac-sha256 one, or storefront for ed25519.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// Give each shopper a token signed by the key, which is then storefront unless said.
    #[arg(long)]
    token: bool,
    /// A scenario of the store, or a file.
    #[arg(long, value_name = "NAME|FILE", default_value = "drop")]
    scenario: String,
    /// Concurrent shoppers; the scenario's number when absent.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=USERS_MAX))]
    users: Option<u32>,
    /// How long, such as 30s or 2m; the scenario's when absent.
    #[arg(long, value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Arrivals a second on a fixed schedule (open loop); without it shoppers wait for answers.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Option<u32>,
    /// Of every draw; a fresh one when absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Hammer one endpoint without thinking, such as "POST /v1/holds".
    #[arg(long, value_name = "METHOD PATH", value_parser = parse_endpoint)]
    endpoint: Option<HammerTarget>,
    /// Write the whole result there as JSON; - writes it to stdout instead of the report.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write latency distributions (.hgrm) into this folder; beside the JSON file when absent.
    #[arg(long, value_name = "DIR")]
    hgrm: Option<PathBuf>,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    duration_of(text).ok_or_else(|| "expected a number with ms, s or m, such as 30s".to_owned())
}

fn parse_endpoint(text: &str) -> Result<HammerTarget, String> {
    let known = HammerTarget::ALL.iter().find(|(name, _)| *name == text);
    known.map(|(_, target)| *target).ok_or_else(|| {
        let names: Vec<_> = HammerTarget::ALL.iter().map(|(name, _)| *name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// What protocol and batch mean together; else what is wrong.
fn protocol_of(args: &SimulateArgs) -> Result<Protocol, &'static str> {
    match args.protocol {
        ProtocolName::Http if args.batch > 1 => Err("--batch needs --protocol wire"),
        ProtocolName::Http => Ok(Protocol::Http),
        ProtocolName::Wire if args.token => Err("--token needs --protocol http"),
        ProtocolName::Wire if args.endpoint == Some(HammerTarget::Health) => {
            Err("the wire protocol has no health; use --protocol http for this endpoint")
        }
        ProtocolName::Wire => Ok(Protocol::Wire { batch: args.batch }),
    }
}

/// Runs the verb.
pub fn run(args: SimulateArgs) -> anyhow::Result<ExitCode> {
    let protocol = match protocol_of(&args) {
        Ok(protocol) => protocol,
        Err(wrong) => {
            writeln!(std::io::stderr(), "claw simulate: {wrong}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let scenario = match Scenario::find(&args.store, &args.scenario) {
        Ok(scenario) => scenario,
        Err(error) => {
            writeln!(std::io::stderr(), "claw simulate: {error}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let seed = match args.seed {
        Some(seed) => seed,
        None => getrandom::u64().context("draw a seed")?,
    };
    let key_usual = if args.token { "storefront" } else { STOREFRONT_KEY };
    let token_audience = if args.token {
        Some(Config::load(&args.store, &Overrides::from_environment())?.store.name)
    } else {
        None
    };
    let options = RunOptions {
        store: args.store,
        node_url: args.node,
        program: std::env::current_exe().context("find the claw binary")?,
        node_arguments: Vec::new(),
        carrier: if args.tls { Carrier::Tls } else { Carrier::Plain },
        authorities: args.ca,
        protocol,
        key: args.key.unwrap_or_else(|| key_usual.to_owned()),
        token_audience,
        users: args.users.unwrap_or(scenario.users),
        duration: args.duration.unwrap_or(scenario.duration),
        scenario,
        rate: args.rate,
        seed,
        endpoint: args.endpoint,
    };
    announce(&options)?;
    let report = run_shoppers(&options, &mut Progress::on_stderr(options.duration.as_secs()))?;
    write_results(&report, args.json.as_deref(), args.hgrm.as_deref())?;
    Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Seed and options come first, so that a run that is cut off can be repeated too.
fn announce(options: &RunOptions) -> std::io::Result<()> {
    let protocol = match options.protocol {
        Protocol::Http => String::new(),
        Protocol::Wire { batch } => format!(" --protocol wire --batch {batch}"),
    };
    let token = if options.token_audience.is_some() { " --token" } else { "" };
    let key = match options.key.as_str() {
        STOREFRONT_KEY => String::new(),
        key => format!(" --key {key}{token}"),
    };
    let rate = options.rate.map_or_else(String::new, |rate| format!(" --rate {rate}"));
    let endpoint = HammerTarget::ALL
        .iter()
        .find(|found| Some(found.1) == options.endpoint)
        .map_or_else(String::new, |found| format!(" --endpoint \"{}\"", found.0));
    let mut node = match &options.node_url {
        Some(url) => format!(" --node {url}"),
        None if options.carrier == Carrier::Tls => " --tls".to_owned(),
        None => String::new(),
    };
    if let Some(file) = &options.authorities {
        node.push_str(" --ca ");
        node.push_str(&file.to_string_lossy());
    }
    writeln!(
        std::io::stderr(),
        "claw simulate --store {}{node} --scenario {} --users {} --duration {}ms --seed \
         {}{rate}{endpoint}{protocol}{key}",
        options.store.display(),
        options.scenario.name,
        options.users,
        options.duration.as_millis(),
        options.seed
    )
}

fn write_results(report: &Report, json: Option<&Path>, hgrm: Option<&Path>) -> anyhow::Result<()> {
    let to_stdout = json.is_some_and(|path| path.as_os_str() == "-");
    let mut stdout = std::io::stdout().lock();
    if to_stdout {
        serde_json::to_writer_pretty(&mut stdout, report)?;
        writeln!(stdout)?;
    } else {
        report.write_text(&mut stdout)?;
    }
    if let Some(path) = json.filter(|_| !to_stdout) {
        let text = serde_json::to_string_pretty(report)?;
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    let prefix = match (hgrm, json.filter(|_| !to_stdout)) {
        (Some(folder), _) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("make {}", folder.display()))?;
            Some(folder.join(""))
        }
        (None, Some(path)) => {
            let mut stem = path.with_extension("").into_os_string();
            stem.push(".");
            Some(PathBuf::from(stem))
        }
        (None, None) => None,
    };
    match prefix {
        Some(prefix) => report
            .write_hgrm(&prefix)
            .with_context(|| format!("write latency distributions to {}*", prefix.display())),
        None => Ok(()),
    }
}
