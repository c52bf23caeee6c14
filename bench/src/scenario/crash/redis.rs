//! Redis: the script that checks, decrements and writes the order by its number.
//!
//! Owns a server whose append-only file lies where the cuts are; its words lie beside. The file is
//! rewritten often, as our own log is snapshotted. The script is the one whose rate is measured.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use claw_dataplane::simulate::client::system;
use redis::{Client, Connection};

use super::ledger::{Books, Command, Entry};
use super::{Buyer, Places, STOCK, System, process};
use crate::bench::Bench;
use crate::peers::redis::{PROGRAMS, find};
use crate::peers::resp::{ORDER_PREFIX, SCRIPT, STOCK_KEY};

/// Longest wait for a start.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at a server that starts.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// `appendfsync` is the row's.
const SETTINGS: [[&str; 2]; 6] = [
    ["--bind", "127.0.0.1"],
    ["--appendonly", "yes"],
    ["--auto-aof-rewrite-min-size", "256kb"],
    ["--auto-aof-rewrite-percentage", "50"],
    ["--save", ""],
    ["--daemonize", "no"],
];

/// See the module.
pub(super) struct Server {
    program: PathBuf,
    appendfsync: &'static str,
    data: PathBuf,
    beside: PathBuf,
    address: SocketAddr,
    process: Option<Child>,
}

impl Server {
    /// Not there yet; or why it cannot be.
    pub(super) fn new(places: Places<'_>, appendfsync: &'static str) -> Result<Self, String> {
        let why = || format!("not installed: no {} on the path", PROGRAMS.join(" or "));
        let program = find().ok_or_else(why)?;
        let (data, beside) = (places.data.to_owned(), places.beside.to_owned());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Ok(Self { program, appendfsync, data, beside, address, process: None })
    }

    fn connection(&self) -> Result<Connection> {
        let connection = Client::open(format!("redis://{}/", self.address))?.get_connection()?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    /// Whether its data are loaded: it answers errors before.
    fn is_ready(&self) -> bool {
        let ping = |mut connection| redis::cmd("PING").exec(&mut connection).is_ok();
        self.connection().is_ok_and(ping)
    }
}

impl System for Server {
    fn set_up(&mut self) -> Result<String> {
        self.start()?;
        let mut connection = self.connection()?;
        redis::cmd("HSET")
            .arg(STOCK_KEY)
            .arg(&["received", &STOCK.to_string(), "available", &STOCK.to_string(), "held", "0"])
            .exec(&mut connection)?;
        let info: redis::InfoDict = redis::cmd("INFO").arg("server").query(&mut connection)?;
        Ok(info.get("redis_version").unwrap_or_default())
    }

    fn start(&mut self) -> Result<()> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        self.address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let words = self.beside.join("server.log");
        let log = std::fs::File::create(&words)?;
        let mut command = Process::new(&self.program);
        command.args(["--port", &port.to_string()]).arg("--dir").arg(&self.data);
        command.args(SETTINGS.iter().flatten()).args(["--appendfsync", self.appendfsync]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        system::end_with_caller(&mut command);
        let mut process = Bench::on_server_cores(|| command.spawn())?
            .with_context(|| format!("start {}", self.program.display()))?;
        let deadline = Instant::now() + PATIENCE;
        let ended = loop {
            if self.is_ready() {
                self.process = Some(process);
                return Ok(());
            }
            if let Some(status) = process.try_wait()? {
                break format!("it ended with {status}");
            }
            if Instant::now() >= deadline {
                break format!("it was not ready within {} s", PATIENCE.as_secs());
            }
            std::thread::sleep(LOOK_AGAIN);
        };
        self.process = Some(process);
        bail!("{ended}:\n{}", std::fs::read_to_string(words).unwrap_or_default())
    }

    fn process(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("the server runs")?.id())
    }

    fn kill(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process::kill_all(process.id())?;
        process.wait().context("take Redis's exit status")?;
        Ok(())
    }

    fn connect(&self, number: u64) -> Result<Box<dyn Buyer>> {
        Ok(Box::new(Caller { number, connection: self.connection()? }))
    }

    fn books(&mut self, _asked: &[Command]) -> Result<Books> {
        let mut connection = self.connection()?;
        let (received, available, taken): (u64, u64, u64) = redis::cmd("HMGET")
            .arg(STOCK_KEY)
            .arg(&["received", "available", "held"])
            .query(&mut connection)?;
        let keys: Vec<String> =
            redis::cmd("KEYS").arg(format!("{ORDER_PREFIX}*")).query(&mut connection)?;
        let mut entries = BTreeMap::new();
        for key in keys {
            let number = key.strip_prefix(ORDER_PREFIX).context("asked by its prefix")?;
            let entry = Entry { times_count: 1, answer: number.to_owned() };
            entries.insert(number.parse()?, entry);
        }
        Ok(Books { received, available, taken, entries })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After an error; what it holds open would keep the filesystem.
        drop(self.kill());
    }
}

/// A connection.
struct Caller {
    number: u64,
    connection: Connection,
}

impl Buyer for Caller {
    fn buy(&mut self, number: u64) -> Result<String> {
        let sold: u64 = redis::cmd("EVAL")
            .arg(SCRIPT)
            .arg(2)
            .arg(STOCK_KEY)
            .arg(format!("{ORDER_PREFIX}{number}"))
            .arg(format!("session-{}", self.number))
            .arg(1)
            .arg("HOT")
            .query(&mut self.connection)?;
        ensure!(sold == 1, "Redis answered {sold}");
        Ok(number.to_string())
    }
}
