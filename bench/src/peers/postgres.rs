//! PostgreSQL as a peer: the same decision, durable, on the same core and disk.
//!
//! Owns a server of its own: made with initdb in a scratch folder, started on all cores but the
//! last (like our node), stopped and removed at the end. Two ways to take stock, each with its
//! order row inserted: `SELECT ... FOR UPDATE` in a transaction, as most shops do it, and one
//! atomic statement, the best PostgreSQL can. `synchronous_commit` is on. After each run the books
//! must agree: stock taken = order rows = transactions.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use claw_dataplane::simulate::client::system;

use super::{Found, Peer, pgbench_log};
use crate::bench::Bench;
use crate::row::{Load, NOT_REPLICATED, Run, Subject, histogram};

/// Stock at the start of each run.
const STOCK: u64 = 1_000_000_000;
/// Longest wait for the server to start or stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a fair peer gets beside the defaults: memory, and no checkpoint inside a run.
const SETTINGS: [&str; 9] = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "shared_buffers=512MB",
    "wal_buffers=64MB",
    "max_wal_size=8GB",
    "checkpoint_timeout=30min",
    "max_connections=400",
    "listen_addresses=127.0.0.1",
];

const SELECT_FOR_UPDATE: &str = "\
BEGIN;
SELECT available FROM stock WHERE sku = 'HOT' FOR UPDATE;
UPDATE stock SET available = available - 1, held = held + 1 WHERE sku = 'HOT';
INSERT INTO orders (session, sku, quantity) VALUES (:client_id, 'HOT', 1);
COMMIT;
";
const ATOMIC_UPDATE: &str = "\
WITH taken AS (UPDATE stock SET available = available - 1, held = held + 1 \
WHERE sku = 'HOT' AND available >= 1 RETURNING sku) \
INSERT INTO orders (session, sku, quantity) SELECT :client_id, sku, 1 FROM taken;
";
/// What a shop does around its gateway's answers: reserve and note, confirm, note the capture.
const CHECKOUT: &str = "\
BEGIN;
UPDATE stock SET available = available - 1, held = held + 1 WHERE sku = 'HOT' AND available >= 1;
INSERT INTO orders (session, sku, quantity) VALUES (:client_id, 'HOT', 1) RETURNING id \\gset
COMMIT;
UPDATE orders SET state = 'confirming' WHERE id = :id;
UPDATE orders SET state = 'placed' WHERE id = :id;
";
const SCHEMA: &str = "\
DROP TABLE IF EXISTS orders, stock;
CREATE TABLE stock (sku text PRIMARY KEY, available bigint NOT NULL, held bigint NOT NULL) \
WITH (fillfactor = 10);
CREATE TABLE orders (id bigserial PRIMARY KEY, session bigint NOT NULL, sku text NOT NULL, \
quantity bigint NOT NULL, state text NOT NULL DEFAULT 'authorizing', \
at timestamptz NOT NULL DEFAULT now());
";

/// How stock is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Method {
    /// One statement.
    AtomicUpdate,
    /// A transaction of five statements.
    SelectForUpdate,
    /// An order in three transactions: reserved, confirmed, placed.
    Checkout,
}

impl Method {
    /// Those that take stock once.
    pub(crate) const ALL: [Self; 2] = [Self::SelectForUpdate, Self::AtomicUpdate];

    const fn script(self) -> &'static str {
        match self {
            Self::AtomicUpdate => ATOMIC_UPDATE,
            Self::SelectForUpdate => SELECT_FOR_UPDATE,
            Self::Checkout => CHECKOUT,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::AtomicUpdate => "atomic UPDATE + INSERT of the order in one statement",
            Self::Checkout => {
                "stock and order in one transaction, its two later states in two more"
            }
            Self::SelectForUpdate => "SELECT FOR UPDATE, UPDATE, INSERT of the order, COMMIT",
        }
    }
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// One of them.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.folder.join(name))
    }
}

/// Looks for an installed PostgreSQL with pgbench.
pub(crate) fn find() -> Result<Programs, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for pattern in ["/usr/lib/postgresql", "/usr/lib64/pgsql", "/usr"] {
        let Ok(entries) = std::fs::read_dir(pattern) else { continue };
        let mut found: Vec<_> = entries.flatten().map(|entry| entry.path().join("bin")).collect();
        // The newest version first.
        found.sort();
        folders.extend(found.into_iter().rev());
    }
    let has = |folder: &Path, name: &str| folder.join(name).is_file();
    let all = ["initdb", "postgres", "pgbench", "psql", "pg_isready"];
    folders
        .into_iter()
        .find(|folder| all.iter().all(|name| has(folder, name)))
        .map(|folder| Programs { folder })
        .ok_or_else(|| format!("not installed: no folder has {}", all.join(", ")))
}

/// Starts one where it is installed.
pub(super) fn start(bench: &Bench) -> Result<Found> {
    Ok(match find() {
        Err(why) => Found::Missing(why),
        Ok(programs) => Found::Started(Box::new(Database::start(bench, &programs)?)),
    })
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Database {
    programs: Programs,
    folder: tempfile::TempDir,
    server: Child,
    port: u16,
    version: String,
}

impl Database {
    /// Makes and starts one.
    pub(crate) fn start(bench: &Bench, programs: &Programs) -> Result<Self> {
        let folder = bench.folder()?;
        let owner = owner()?;
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))
                .context("give the folder to the user postgres")?;
        }
        let data = folder.path().join("data");
        let mut initdb = Command::new(programs.folder.join("initdb"));
        initdb.args(["--username=bench", "--auth=trust", "--no-sync", "--encoding=UTF8"]);
        initdb.arg("--locale=C").arg("--pgdata").arg(&data);
        check(&owned(&mut initdb, owner).current_dir(folder.path()).output()?, "initdb")?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(programs.folder.join("postgres"));
        command.arg("-D").arg(&data).arg("-p").arg(port.to_string()).arg("-k").arg(folder.path());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let log = std::fs::File::create(folder.path().join("server.log"))?;
        system::end_with_caller(&mut command);
        owned(&mut command, owner).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let server = Bench::on_server_cores(|| command.spawn())?.context("start postgres")?;
        let mut database =
            Self { programs: programs.clone(), folder, server, port, version: String::new() };
        database.wait_until_ready()?;
        let version = database.query("SHOW server_version")?;
        version.split(' ').next().unwrap_or("").clone_into(&mut database.version);
        Ok(database)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let ready = self.client("pg_isready").output()?;
            if ready.status.success() {
                return Ok(());
            }
            if let Some(status) = self.server.try_wait()? {
                let log = std::fs::read_to_string(self.folder.path().join("server.log"))?;
                bail!("postgres ended with {status}:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("postgres was not ready within {} s", PATIENCE.as_secs())
    }

    /// What a row says of a way.
    pub(crate) fn subject(&self, method: Method) -> Subject {
        Subject {
            system: "PostgreSQL".to_owned(),
            version: self.version.clone(),
            operation: method.name().to_owned(),
            hot_share: "all on one row".to_owned(),
            durability: "synchronous_commit=on, fsync=on: flushed before each answer".to_owned(),
            replication: NOT_REPLICATED,
            cores: "server on the cores the node gets, pgbench on another".to_owned(),
        }
    }

    /// One run of a way.
    pub(crate) fn run_method(&self, bench: &Bench, method: Method, load: Load) -> Result<Run> {
        self.query(SCHEMA)?;
        self.query(&format!("INSERT INTO stock VALUES ('HOT', {STOCK}, 0); CHECKPOINT"))?;
        let work = bench.folder()?;
        std::fs::write(work.path().join("script.sql"), method.script())?;
        let mut command = self.client("pgbench");
        command.args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--log"]);
        command.args(["--log-prefix=transactions", "--file=script.sql"]);
        command.args([format!("--client={}", load.connections)]);
        command.args([format!("--time={}", bench.seconds)]);
        if let Some(rate) = load.rate {
            command.arg(format!("--rate={rate}"));
        }
        command.arg("postgres").current_dir(work.path());
        let output = Bench::on_load_core(|| command.output())?.context("start pgbench")?;
        check(&output, "pgbench")?;
        self.judge(bench, load, (&String::from_utf8_lossy(&output.stdout), work.path()))
    }

    fn judge(&self, bench: &Bench, load: Load, (summary, work): (&str, &Path)) -> Result<Run> {
        let per_second = pgbench_log::transactions_per_second(summary)?;
        let mut latencies = histogram();
        let mut failed = 0;
        for entry in std::fs::read_dir(work)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("transactions") {
                let text = std::fs::read_to_string(entry.path())?;
                failed += pgbench_log::read(&text, &mut latencies)?;
            }
        }
        let count = latencies.len();
        let books = self.query(
            "SELECT available || ' ' || held || ' ' || (SELECT count(*) FROM orders) FROM stock",
        )?;
        let expected = format!("{} {count} {count}", STOCK - count);
        let excuse = if failed > 0 {
            Some(format!("{failed} transactions failed"))
        } else if books.trim() == expected {
            load.excuse(per_second, bench.seconds)
        } else {
            Some(format!("available, held, orders are {}, not {expected}", books.trim()))
        };
        Ok(Run { excuse, ..Run::new(per_second, latencies) })
    }

    fn query(&self, text: &str) -> Result<String> {
        let mut command = self.client("psql");
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        command.args(["--set=ON_ERROR_STOP=1", "--dbname=postgres", "--file=-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("start psql")?;
        let mut stdin = child.stdin.take().context("psql has a standard input")?;
        std::io::Write::write_all(&mut stdin, format!("{text};\n").as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        check(&output, "psql")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.folder.join(program));
        command.args(["--host=127.0.0.1", "--username=bench"]);
        command.arg(format!("--port={}", self.port));
        command
    }

    /// Stops the server and removes its data.
    pub(crate) fn end(mut self) -> Result<()> {
        system::terminate(self.server.id())?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.server.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("postgres did not stop within {} s", PATIENCE.as_secs())
    }
}

impl Peer for Database {
    fn subjects(&self) -> Vec<Subject> {
        Method::ALL.iter().map(|method| self.subject(*method)).collect()
    }

    fn run_once(&mut self, bench: &Bench, way: usize, load: Load) -> Result<Run> {
        self.run_method(bench, Method::ALL[way], load)
    }

    fn stop(self: Box<Self>) -> Result<()> {
        (*self).end()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // After an error nobody needs an orderly end; the data goes with the folder.
        if matches!(self.server.try_wait(), Ok(None)) {
            drop(self.server.kill());
            drop(self.server.wait());
        }
    }
}

/// PostgreSQL refuses to run as root: then it runs as the user postgres.
pub(crate) fn owner() -> Result<Option<(u32, u32)>> {
    let me = std::fs::metadata("/proc/self").context("read /proc/self")?;
    if std::os::unix::fs::MetadataExt::uid(&me) != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let line = line.context("PostgreSQL refuses root and there is no user postgres: make one")?;
    let mut fields = line.split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok());
    match (number(), number()) {
        (Some(uid), Some(gid)) => Ok(Some((uid, gid))),
        _ => bail!("the line of postgres in /etc/passwd has no numbers"),
    }
}

/// Runs it as that user.
pub(crate) fn owned(command: &mut Command, owner: Option<(u32, u32)>) -> &mut Command {
    match owner {
        Some((uid, gid)) => command.uid(uid).gid(gid),
        None => command,
    }
}

/// An error that shows what it said, unless it ended well.
pub(crate) fn check(output: &Output, program: &str) -> Result<()> {
    ensure!(
        output.status.success(),
        "{program} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
