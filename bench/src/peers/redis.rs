//! Redis as a peer: the same decision in a Lua script, each answer behind a flush of its log.
//!
//! Owns a server of its own: started in a scratch folder on the cores the node gets, reached over
//! TCP on loopback, stopped and removed at the end. `appendfsync always` flushes before the
//! answers of a turn of its event loop leave; there is no other persistence and no rewriting of the
//! log inside a run. Requests are not signed: that is its advantage here. After each run stock
//! taken, order records and answers must agree.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use claw_dataplane::simulate::client::system;
use redis::{Client, Connection};

use super::resp::{SCRIPT, STOCK_KEY, Sale};
use super::traffic::{Traffic, drive};
use super::{Found, Peer};
use crate::bench::Bench;
use crate::row::{ALL_ON_ONE, Load, NOT_REPLICATED, Run, Subject};

/// Stock at the start of each run.
const STOCK: u64 = 1_000_000_000;
/// Longest wait for the server to start or stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a server that starts or stops.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Either is Redis to the client; the second is what Fedora has.
pub(crate) const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// Every command flushed before its answer, nothing else written meanwhile.
const SETTINGS: [[&str; 2]; 7] = [
    ["--bind", "127.0.0.1"],
    ["--appendonly", "yes"],
    ["--appendfsync", "always"],
    ["--auto-aof-rewrite-percentage", "0"],
    ["--save", ""],
    ["--maxclients", "10000"],
    ["--daemonize", "no"],
];

/// Starts one where it is installed.
pub(super) fn start(bench: &Bench) -> Result<Found> {
    Ok(match find() {
        None => Found::Missing(format!("not installed: no {} on the path", PROGRAMS.join(" or "))),
        Some(program) => Found::Started(Box::new(Server::start(bench, &program)?)),
    })
}

/// Looks for an installed one.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let candidates =
        PROGRAMS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.into_iter().find(|program| program.is_file())
}

struct Server {
    _folder: tempfile::TempDir,
    process: Child,
    address: SocketAddr,
    control: Connection,
    version: String,
    runs_count: u64,
}

impl Server {
    fn start(bench: &Bench, program: &Path) -> Result<Self> {
        let folder = bench.folder()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = std::fs::File::create(folder.path().join("server.log"))?;
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string()]).arg("--dir").arg(folder.path());
        command.args(SETTINGS.iter().flatten());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        system::end_with_caller(&mut command);
        let mut process = Bench::on_server_cores(|| command.spawn())?
            .with_context(|| format!("start {}", program.display()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let control = connect(&mut process, address);
        let mut control = match control {
            Ok(control) => control,
            Err(error) => {
                end(&mut process);
                let said = std::fs::read_to_string(folder.path().join("server.log"));
                return Err(error.context(said.unwrap_or_default()));
            }
        };
        let info: redis::InfoDict = redis::cmd("INFO").arg("server").query(&mut control)?;
        let version = info.get("redis_version").unwrap_or_default();
        Ok(Self { _folder: folder, process, address, control, version, runs_count: 0 })
    }

    /// Empty but for the stock, with the script loaded; gives the script's hash.
    fn prepare(&mut self) -> Result<String> {
        let control = &mut self.control;
        redis::cmd("FLUSHALL").arg("SYNC").exec(control)?;
        redis::cmd("HSET")
            .arg(STOCK_KEY)
            .arg(&["available", &STOCK.to_string(), "held", "0"])
            .exec(control)?;
        Ok(redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query(control)?)
    }

    /// Why the books do not agree with what was answered.
    fn audit(&mut self, traffic: &Traffic) -> Result<Option<String>> {
        let stock: (u64, u64) = redis::cmd("HMGET")
            .arg(STOCK_KEY)
            .arg(&["available", "held"])
            .query(&mut self.control)?;
        let keys: u64 = redis::cmd("DBSIZE").query(&mut self.control)?;
        let log: redis::InfoDict =
            redis::cmd("INFO").arg("persistence").query(&mut self.control)?;
        let written: String = log.get("aof_last_write_status").unwrap_or_default();
        let found = (stock.0, stock.1, keys.saturating_sub(1), written.as_str());
        let expected = (STOCK - traffic.accepted, traffic.accepted, traffic.accepted, "ok");
        Ok((found != expected)
            .then(|| format!("available, held, orders, log are {found:?}, not {expected:?}")))
    }
}

impl Peer for Server {
    fn subjects(&self) -> Vec<Subject> {
        vec![Subject {
            system: "Redis".to_owned(),
            version: self.version.clone(),
            operation: "Lua script: check, decrement, insert the order by its id; unsigned"
                .to_owned(),
            hot_share: ALL_ON_ONE.to_owned(),
            durability: "appendonly yes, appendfsync always: flushed before each answer".to_owned(),
            replication: NOT_REPLICATED,
            cores: "server on the cores the node gets, load on another".to_owned(),
        }]
    }

    fn run_once(&mut self, bench: &Bench, _way: usize, load: Load) -> Result<Run> {
        let script_hash = self.prepare()?;
        self.runs_count += 1;
        let mut sale = Sale { script_hash, seed: bench.seed + self.runs_count };
        let traffic = drive(bench, self.address, load, &mut sale)?;
        let wrong = self.audit(&traffic)?;
        Ok(Run { excuse: wrong.or(traffic.run.excuse), ..traffic.run })
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        system::terminate(self.process.id())?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.process.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        bail!("Redis did not stop within {} s", PATIENCE.as_secs())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// After an error nobody needs an orderly end; the data goes with the folder.
fn end(process: &mut Child) {
    if matches!(process.try_wait(), Ok(None)) {
        drop(process.kill());
        drop(process.wait());
    }
}

fn connect(process: &mut Child, address: SocketAddr) -> Result<Connection> {
    let client = Client::open(format!("redis://{address}/"))?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok(connection) = client.get_connection() {
            return Ok(connection);
        }
        if let Some(status) = process.try_wait()? {
            bail!("Redis ended with {status}");
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    bail!("Redis was not ready within {} s", PATIENCE.as_secs())
}
