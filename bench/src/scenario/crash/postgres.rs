//! PostgreSQL: one atomic UPDATE, and the order row with the command's number.
//!
//! Owns a server whose data lie where the cuts are; its sockets and words lie beside. Orders have
//! no unique key, so that one carried out twice would be seen. Each connection is a `psql` that is
//! told one statement at a time. WAL segments are small and checkpoints frequent, as are our own
//! log's; all else that matters to durability is as it comes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use claw_dataplane::simulate::client::system;

use super::ledger::{Books, Command, Entry};
use super::{Buyer, Places, STOCK, System, process};
use crate::bench::Bench;
use crate::peers::postgres::{self, Programs, check, owned};

/// Longest wait for a start: a recovery takes a while.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at a server that starts.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// `synchronous_commit` is the row's.
const SETTINGS: [&str; 6] = [
    "fsync=on",
    "full_page_writes=on",
    "min_wal_size=2MB",
    "max_wal_size=4MB",
    "max_connections=40",
    "listen_addresses=127.0.0.1",
];
const SCHEMA: &str = "\
CREATE TABLE stock (sku text PRIMARY KEY, received bigint NOT NULL, available bigint NOT NULL, \
held bigint NOT NULL) WITH (fillfactor = 10);
CREATE TABLE orders (command bigint NOT NULL, session bigint NOT NULL, sku text NOT NULL, \
quantity bigint NOT NULL, at timestamptz NOT NULL DEFAULT now());
";

/// See the module.
pub(super) struct Database {
    programs: Programs,
    owner: Option<(u32, u32)>,
    synchronous_commit: &'static str,
    data: PathBuf,
    beside: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl Database {
    /// Not there yet; or why it cannot be.
    pub(super) fn new(
        places: Places<'_>,
        synchronous_commit: &'static str,
    ) -> Result<Self, String> {
        let programs = postgres::find()?;
        let owner = postgres::owner().map_err(|error| format!("{error:#}"))?;
        let (data, beside) = (places.data.join("data"), places.beside.to_owned());
        let port = 0;
        Ok(Self { programs, owner, synchronous_commit, data, beside, port, server: None })
    }

    fn psql(&self) -> Process {
        let mut command = self.programs.command("psql");
        command.args(["--host=127.0.0.1", "--username=bench", "--dbname=postgres"]);
        command.arg(format!("--port={}", self.port));
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        command.args(["--set=ON_ERROR_STOP=1"]).stdin(Stdio::null());
        command
    }

    fn query(&self, text: &str) -> Result<String> {
        let output = self.psql().arg(format!("--command={text}")).output()?;
        check(&output, "psql")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.beside.join("server.log")).unwrap_or_default()
    }
}

impl System for Database {
    fn set_up(&mut self) -> Result<String> {
        if let Some((uid, gid)) = self.owner {
            let folder = self.data.parent().context("data lie in a folder")?;
            for folder in [folder, &self.beside] {
                std::os::unix::fs::chown(folder, Some(uid), Some(gid))
                    .context("give the folder to the user postgres")?;
            }
        }
        let mut initdb = self.programs.command("initdb");
        initdb.args(["--username=bench", "--auth=trust", "--no-sync", "--encoding=UTF8"]);
        initdb.args(["--locale=C", "--wal-segsize=1"]).arg("--pgdata").arg(&self.data);
        check(&owned(&mut initdb, self.owner).current_dir(&self.beside).output()?, "initdb")?;
        self.start()?;
        self.query(SCHEMA)?;
        self.query(&format!("INSERT INTO stock VALUES ('HOT', {STOCK}, {STOCK}, 0)"))?;
        self.query("CHECKPOINT")?;
        let version = self.query("SHOW server_version")?;
        Ok(version.split_whitespace().next().unwrap_or("").to_owned())
    }

    fn start(&mut self) -> Result<()> {
        self.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = self.programs.command("postgres");
        command.arg("-D").arg(&self.data).arg("-p").arg(self.port.to_string());
        command.arg("-k").arg(&self.beside);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.arg("-c").arg(format!("synchronous_commit={}", self.synchronous_commit));
        let log = std::fs::File::create(self.beside.join("server.log"))?;
        system::end_with_caller(&mut command);
        owned(&mut command, self.owner).current_dir(&self.beside);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut server = Bench::on_server_cores(|| command.spawn())?.context("start postgres")?;
        let deadline = Instant::now() + PATIENCE;
        let ended = loop {
            if self.query("SELECT 1").is_ok() {
                self.server = Some(server);
                return Ok(());
            }
            if let Some(status) = server.try_wait()? {
                break format!("it ended with {status}");
            }
            if Instant::now() >= deadline {
                break format!("it was not ready within {} s", PATIENCE.as_secs());
            }
            std::thread::sleep(LOOK_AGAIN);
        };
        self.server = Some(server);
        bail!("{ended}:\n{}", self.said())
    }

    fn process(&self) -> Result<u32> {
        Ok(self.server.as_ref().context("the server runs")?.id())
    }

    fn kill(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        process::kill_all(server.id())?;
        server.wait().context("take postgres's exit status")?;
        Ok(())
    }

    fn connect(&self, number: u64) -> Result<Box<dyn Buyer>> {
        let mut command = self.psql();
        command.arg("--file=-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut psql = command.spawn().context("start psql")?;
        let input = psql.stdin.take().context("psql has a standard input")?;
        let output = BufReader::new(psql.stdout.take().context("psql has a standard output")?);
        Ok(Box::new(Session { number, psql, input, output }))
    }

    fn books(&mut self, _asked: &[Command]) -> Result<Books> {
        let stock = self.query("SELECT received, available, held FROM stock")?;
        let mut counts = stock.trim().split('|').map(str::parse);
        let (Some(Ok(received)), Some(Ok(available)), Some(Ok(taken))) =
            (counts.next(), counts.next(), counts.next())
        else {
            bail!("the stock is {stock:?}");
        };
        let orders = self.query("SELECT command, count(*) FROM orders GROUP BY command")?;
        let entries = orders.lines().map(|line| {
            let (number, times) = line.split_once('|').context("two columns")?;
            let entry = Entry { times_count: times.parse()?, answer: number.to_owned() };
            Ok((number.parse()?, entry))
        });
        Ok(Books { received, available, taken, entries: entries.collect::<Result<_>>()? })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // After an error; what it holds open would keep the filesystem.
        drop(self.kill());
    }
}

/// A `psql` with a connection.
struct Session {
    number: u64,
    psql: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Buyer for Session {
    fn buy(&mut self, number: u64) -> Result<String> {
        let session = self.number;
        writeln!(
            self.input,
            "WITH taken AS (UPDATE stock SET available = available - 1, held = held + 1 \
             WHERE sku = 'HOT' AND available >= 1 RETURNING sku) \
             INSERT INTO orders (command, session, sku, quantity) \
             SELECT {number}, {session}, sku, 1 FROM taken RETURNING command;"
        )
        .context("tell psql")?;
        let mut line = String::new();
        self.output.read_line(&mut line).context("hear psql")?;
        let answer = line.trim_end();
        ensure!(answer == number.to_string(), "psql answered {answer:?}");
        Ok(answer.to_owned())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.psql.kill());
        drop(self.psql.wait());
    }
}
