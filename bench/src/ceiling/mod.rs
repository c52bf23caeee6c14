//! What the load side can do at most: the same client against servers that do nothing.
//!
//! A figure of the node means little when the client beside it was the limit. So the same client,
//! with the same connections and signatures, is driven against two bare servers on the node's own
//! ring, each a process of its own on the node's core: one answers at once ([`server`]), the other
//! only after the request is durable in a log of its own ([`commit`]). The first is the ceiling of
//! ring, TCP and client; the second is what remains for a node that must commit. Both speak HTTP
//! ([`http`]) and the wire protocol ([`wire`]).
//!
//! Deliberately checks nothing: no signature is looked at, and there are no books to audit.

mod commit;
mod http;
mod server;
mod speech;
mod wire;

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
use claw_sdk::key::{generate_ed25519, generate_secret};
use serde::Serialize;

use crate::bench::Bench;
use crate::greeting;
use crate::row::{self, ALL_ON_ONE, Load, NOT_REPLICATED, Row, Run, Subject};
use crate::scenario::holds::{self, Way};
use crate::scenario::store::Popularity;

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

    pub(crate) fn subject(self, way: &Way) -> Subject {
        let (system, durability) = match self {
            Self::Echo => ("bare echo", "none: answered at once"),
            Self::Commit => ("bare echo plus commit", "group commit: flushed before each answer"),
        };
        let (system, operation) = match way.protocol {
            Protocol::Http if way.name == holds::HTTP.name => (
                system.to_owned(),
                "the same signed requests, framed, not read; keep-alive, no pipelining".to_owned(),
            ),
            _ => (
                format!("{system}, {}", way.name),
                format!("{}; neither signatures nor bodies are read", way.operation),
            ),
        };
        Subject {
            system,
            version: String::new(),
            operation,
            hot_share: ALL_ON_ONE.to_owned(),
            durability: durability.to_owned(),
            replication: NOT_REPLICATED,
            cores: "1 core, load on another".to_owned(),
        }
    }
}

/// What a bare server speaks.
pub(crate) enum Tongue {
    Http,
    /// With clients that sign with the key of this secret.
    Wire {
        secret: String,
    },
}

/// Measures a bare server under one load.
pub(crate) fn measure(
    bench: &Bench,
    scenario: &'static str,
    (kind, way): (Kind, &Way),
    load: Load,
) -> Result<Row> {
    row::measure(bench, scenario, kind.subject(way), load, || run_once(bench, (kind, way), load))
}

fn run_once(bench: &Bench, (kind, way): (Kind, &Way), load: Load) -> Result<Run> {
    let folder = bench.folder()?;
    // The client signs as it does for a node.
    let secret = generate_secret()?;
    let signer = if way.signs_ed25519() {
        Signer::ed25519("front", &generate_ed25519()?.pem)?
    } else {
        greeting::keys(&secret)?.0
    };
    let tongue = match way.protocol {
        Protocol::Http => Tongue::Http,
        Protocol::Wire { .. } => Tongue::Wire { secret: secret.to_string() },
    };
    let server = Server::start(kind, &tongue, folder.path())?;
    let scenario = Popularity::Hot.scenario("holds", holds::BEHAVIOUR)?;
    let scenario = scenario.hammering(HammerTarget::Holds);
    let options = Options {
        target: server.address,
        tls: None,
        protocol: way.protocol,
        token_audience: way.token_audience(),
        users: way.users(load.connections),
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
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddrV4,
}

impl Server {
    pub(crate) fn start(kind: Kind, tongue: &Tongue, folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("find this program")?);
        command.args(["--serve-echo", kind.word(), "--serve-folder"]).arg(folder);
        if let Tongue::Wire { secret } = tongue {
            command.args(["--serve-secret", secret]);
        }
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
