//! `claw-bench`: what one shard core does, and what others do on the same core.
//!
//! Every row runs real processes over TCP on loopback: the server on all cores but the last, the
//! load on the last, the data on one disk. Every row says what it did (operation mix, hot share,
//! durability, cores, connections, open or closed loop), runs three times, and reports median,
//! least and most. A run with an error, or whose books do not agree afterwards, does not count,
//! and says so. Systems that are not installed are named as missing.
//!
//! Deliberately compares nothing that is not durable, and never tunes our side alone: PostgreSQL
//! gets memory, prepared statements and one round trip where one is possible.

mod checkouts;
mod device;
mod holds;
mod notices;
mod pgbench_log;
mod postgres;
mod row;
mod stages;
mod store;
mod table;
mod tls;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use claw_dataplane::simulate::client::system;
use claw_dataplane::simulate::environment::Environment;
use serde::Serialize;

use crate::device::DeviceFigures;
use crate::row::{Load, Row};

/// Measure holds a second, beside PostgreSQL, on this machine.
#[derive(clap::Parser, Debug)]
#[command(name = "claw-bench", version)]
struct Arguments {
    /// Each measurement once, for a moment: does it still run?
    #[arg(long)]
    smoke: bool,
    /// What each stage of a request costs, in instructions and time, beside the design's budget,
    /// instead of whole systems.
    #[arg(long)]
    stages: bool,
    /// How soon WebSockets are told, and what idle ones cost, instead of whole systems.
    #[arg(long)]
    notices: bool,
    /// Whole checkouts beside PostgreSQL's, and what of the shard core one takes, instead.
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
    only: Option<System>,
    /// Of our own rows only those whose name starts so, such as wire.
    #[arg(long, value_name = "NAME")]
    way: Option<String>,
    /// How long one run takes, seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Runs of each row.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Write the results there.
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    json: PathBuf,
    /// Where stores and databases go: a folder on a disk, not in memory.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    scratch: PathBuf,
    /// The claw binary; without it what `CLAW_BIN` names, or the one beside this program.
    #[arg(long, value_name = "FILE")]
    claw: Option<PathBuf>,
    #[command(flatten)]
    child: Child,
}

/// What callgrind runs: so many requests up to a stage, and nothing else.
#[derive(clap::Args, Debug)]
struct Child {
    #[arg(long = "serve-subject", hide = true, requires = "until", requires = "count", value_enum)]
    subject: Option<stages::Subject>,
    #[arg(long = "serve-until", hide = true, value_enum)]
    until: Option<stages::Stage>,
    #[arg(long = "serve-count", hide = true)]
    count: Option<usize>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum System {
    Claw,
    Postgresql,
}

/// Files that a node has open beside its sockets, at most.
const OTHER_FILES: usize = 1_000;

/// What a row needs to know about the whole.
#[derive(Clone, Debug)]
struct Bench {
    claw: PathBuf,
    scratch: PathBuf,
    seconds: u64,
    runs_count: usize,
}

#[derive(Debug, Serialize)]
struct Results {
    environment: Environment,
    scratch: PathBuf,
    device: DeviceFigures,
    tls: tls::TlsFigures,
    rows: Vec<Row>,
    missing: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let Child { subject, until, count } = arguments.child;
    if let (Some(subject), Some(stage), Some(count)) = (subject, until, count) {
        stages::serve_once(subject, stage, count)?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.stages {
        return measure_stages(&arguments);
    }
    let bench = Bench {
        claw: claw_binary(arguments.claw.as_deref())?,
        scratch: arguments.scratch.clone(),
        seconds: if arguments.smoke { 2 } else { arguments.seconds },
        runs_count: if arguments.smoke { 1 } else { arguments.runs.max(1) },
    };
    let open_files = system::raise_open_files().context("raise the limit of open files")?;
    if arguments.notices {
        return measure_notices(&bench, &arguments, usize::try_from(open_files)?);
    }
    if arguments.checkouts {
        let results = checkouts::measure(&bench)?;
        checkouts::write(&mut std::io::stdout().lock(), &results)?;
        write_json(&arguments.json, &results)?;
        return Ok(ExitCode::SUCCESS);
    }
    let results = measure(&bench, &arguments)?;
    table::write(&mut std::io::stdout().lock(), &results)?;
    write_json(&arguments.json, &results)?;
    let all_count = results.rows.iter().all(|row| row.excuse.is_none());
    Ok(if all_count { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn measure_notices(bench: &Bench, arguments: &Arguments, open_files: usize) -> Result<ExitCode> {
    let wanted = [arguments.sockets, arguments.idle_sockets];
    let room = if arguments.smoke { 200 } else { open_files.saturating_sub(OTHER_FILES) };
    if wanted.iter().any(|wanted| *wanted > room) {
        say(&format!("a process may open {open_files} files here: {room} sockets at most"))?;
    }
    let [sockets, idle] = wanted.map(|wanted| wanted.min(room));
    let results = notices::measure(bench, sockets, idle)?;
    notices::write(&mut std::io::stdout().lock(), &results)?;
    write_json(&arguments.json, &results)?;
    Ok(ExitCode::SUCCESS)
}

fn measure_stages(arguments: &Arguments) -> Result<ExitCode> {
    let results = stages::measure(arguments.smoke)?;
    stages::write(&mut std::io::stdout().lock(), &results)?;
    write_json(&arguments.json, &results)?;
    Ok(ExitCode::SUCCESS)
}

fn measure(bench: &Bench, arguments: &Arguments) -> Result<Results> {
    say("the device under the log")?;
    let device = device::probe(bench)?;
    say("what TLS costs by itself")?;
    let tls = tls::measure()?;
    let connections: &[u32] = if arguments.smoke { &[64] } else { &[64, 256] };
    // A moment is too short to keep a schedule that is near the limit.
    let share = if arguments.smoke { 4 } else { 2 };
    let wanted = |system| arguments.only.is_none_or(|only| only == system);
    let mut rows = Vec::new();
    let mut missing = Vec::new();
    if wanted(System::Claw) {
        for way in wanted_ways(arguments) {
            let loads = if arguments.smoke { &way.connections[..1] } else { way.connections };
            rows.extend(measure_loads(loads, share, |load| holds::measure(bench, way, load))?);
        }
    }
    if wanted(System::Postgresql) {
        match postgres::find() {
            Err(why) => missing.push(format!("PostgreSQL: {why}")),
            Ok(programs) => {
                let database = postgres::Database::start(bench, &programs)?;
                for method in postgres::Method::ALL {
                    rows.extend(measure_loads(connections, share, |load| {
                        database.measure(bench, method, load)
                    })?);
                }
                database.stop()?;
            }
        }
    }
    let environment = Environment::read();
    Ok(Results { environment, scratch: bench.scratch.clone(), device, tls, rows, missing })
}

fn wanted_ways(arguments: &Arguments) -> impl Iterator<Item = &'static holds::Way> {
    let wanted = arguments.way.clone();
    holds::WAYS.iter().filter(move |way| {
        wanted.as_ref().is_none_or(|wanted| way.name.starts_with(wanted.as_str()))
    })
}

/// Closed loops first; then an open loop at one `share`-th of the best of them and over as many
/// connections, where latency counts from the schedule and a queue would show.
fn measure_loads(
    connections: &[u32],
    share: u64,
    mut measure: impl FnMut(Load) -> Result<Row>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &connections in connections {
        rows.push(measure(Load::closed(connections))?);
    }
    let best = rows.iter().zip(connections).max_by_key(|(row, _)| row.per_second.median);
    if let Some((row, &connections)) = best {
        let load = Load::open(connections, row.per_second.median / share);
        rows.push(measure(load)?);
    }
    Ok(rows)
}

fn claw_binary(given: Option<&Path>) -> Result<PathBuf> {
    let named = given.map(Path::to_owned).or_else(|| std::env::var_os("CLAW_BIN").map(Into::into));
    let path = match named {
        Some(path) => path,
        None => std::env::current_exe().context("find this program")?.with_file_name("claw"),
    };
    anyhow::ensure!(
        path.is_file(),
        "no claw binary at {}: build it (cargo build --release -p claw-dataplane) or give --claw",
        path.display()
    );
    Ok(path)
}

fn write_json(path: &Path, results: &impl Serialize) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    std::fs::write(path, serde_json::to_string_pretty(results)?)
        .with_context(|| format!("write {}", path.display()))?;
    say(&format!("all of it is in {}", path.display()))
}

/// Talk goes to stderr.
fn say(text: &str) -> Result<()> {
    writeln!(std::io::stderr(), "claw-bench: {text}").context("write to stderr")
}
