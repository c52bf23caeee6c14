//! What the load side can do at most: the same client against servers that do nothing.
//!
//! A figure of the node means little when the client beside it was the limit. So the same client,
//! with the same connections and signatures, is driven against two bare servers on the node's own
//! ring, each a process of its own on the node's core: one answers at once ([`server`]), the other
//! only after the request is durable in a log of its own ([`commit`]). The first is the ceiling of
//! ring, TCP and client; the second is what remains for a node that must commit.
//!
//! Deliberately checks nothing: no signature is looked at, and there are no books to audit.

mod commit;
mod framing;
mod server;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use claw_dataplane::simulate::client::engine::Engine;
use claw_dataplane::simulate::client::{Options, Protocol, system};
use claw_dataplane::simulate::progress::{Progress, Style};
use claw_dataplane::simulate::scenario::HammerTarget;
use claw_sdk::Signer;
use serde::Serialize;

use crate::bench::Bench;
use crate::row::{self, ALL_ON_ONE, Load, NOT_REPLICATED, Row, Run, Subject};
use crate::scenario::holds;
use crate::scenario::store::{Popularity, Store};

pub(crate) use server::serve;

/// A request without an answer for this long is lost.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Which bare server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Answers at once.
    Echo,
    /// Answers once the request is durable.
    Commit,
}

impl Kind {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Echo, Self::Commit];

    /// As the hidden option has it.
    const fn word(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Commit => "commit",
        }
    }

    fn subject(self) -> Subject {
        let (system, durability) = match self {
            Self::Echo => ("bare echo", "none: answered at once"),
            Self::Commit => ("bare echo plus commit", "group commit: flushed before each answer"),
        };
        Subject {
            system: system.to_owned(),
            version: String::new(),
            operation: "the same signed requests, framed, not read; keep-alive, no pipelining"
                .to_owned(),
            hot_share: ALL_ON_ONE.to_owned(),
            durability: durability.to_owned(),
            replication: NOT_REPLICATED,
            cores: "1 core, load on another".to_owned(),
        }
    }
}

/// Measures a bare server under one load.
pub(crate) fn measure(
    bench: &Bench,
    scenario: &'static str,
    kind: Kind,
    load: Load,
) -> Result<Row> {
    // For its keys alone: the client signs as it does for a node.
    let store = Store::make(bench, 1, "none")?;
    row::measure(bench, scenario, kind.subject(), load, || run_once(bench, kind, &store, load))
}

fn run_once(bench: &Bench, kind: Kind, store: &Store, load: Load) -> Result<Run> {
    let folder = bench.folder()?;
    let server = Server::start(kind, folder.path())?;
    let scenario = Popularity::Hot.scenario("holds", holds::BEHAVIOUR)?;
    let scenario = scenario.hammering(HammerTarget::Holds);
    let signer = Signer::load(&store.path, holds::HTTP.key)?;
    let options = Options {
        target: server.address,
        tls: None,
        protocol: Protocol::Http,
        token_audience: None,
        users: load.connections,
        duration: Duration::from_secs(bench.seconds),
        rate: load.rate,
        seed: bench.seed,
        run_nonce: u128::from(bench.seed),
        request_timeout: REQUEST_TIMEOUT,
    };
    let mut progress = Progress::new(Style::Quiet, bench.seconds);
    let result = Bench::on_load_core(|| {
        Engine::new(&options, &scenario, signer, 0).and_then(|engine| engine.run(&mut progress))
    })??;
    let millis = u64::try_from(result.elapsed.as_millis())?.max(1);
    let per_second = result.recorder.answers_in_time * 1_000 / millis;
    let lost = result.recorder.transport.errors() + u64::from(result.unanswered);
    let unread = result.ledger.unreadable + result.recorder.unexpected();
    let excuse = (lost + unread > 0).then(|| format!("{lost} lost, {unread} not understood"));
    let dropped = result.recorder.transport.arrivals_dropped;
    let excuse = excuse.or_else(|| {
        (dropped > 0).then(|| format!("{dropped} arrivals were dropped: the rate is too high"))
    });
    Ok(Run {
        excuse: excuse.or_else(|| load.excuse(per_second, bench.seconds)),
        remark: format!("the load used {:.0} % of its core", 100.0 * result.cpu_share),
        ..Run::new(per_second, result.recorder.total)
    })
}

/// A bare server, ended with the value.
struct Server {
    process: Child,
    address: SocketAddrV4,
}

impl Server {
    fn start(kind: Kind, folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("find this program")?);
        command.args(["--serve-echo", kind.word(), "--serve-folder"]).arg(folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        system::end_with_caller(&mut command);
        let process = Bench::on_server_cores(|| command.spawn())?.context("start a bare server")?;
        let mut server = Self { process, address: SocketAddrV4::new([0; 4].into(), 0) };
        let stdout = server.process.stdout.take().context("its standard output is a pipe")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("read its address")?;
        ensure!(!line.is_empty(), "the bare server ended at once");
        server.address = line.trim().parse().context("read its address")?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It keeps nothing that anybody wants.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
