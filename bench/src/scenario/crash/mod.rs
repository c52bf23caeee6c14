//! Servers cut down under load, at random moments, again and again: ours, PostgreSQL and Redis.
//!
//! Each has its own data folder, a bounded load of commands with numbers over several connections,
//! and an end: `kill -9`, or a power failure under its files ([`crate::volatile`]). After each
//! start all that was acknowledged so far is looked for, and the stock must balance. Logs are
//! small, so that they roll over, are snapshotted and rewritten under the cuts. One row lies on a
//! medium whose flushes do nothing: it must be found out, or the check shows nothing.
//!
//! Owns the rows and the order of a cut. What is asked and found: [`ledger`]; how each system is
//! started, asked and looked at: the file that bears its name. Deliberately cuts nothing while it
//! starts, and no network.

mod claw;
mod ledger;
mod load;
mod postgres;
mod process;
mod redis;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::bench::{Bench, say};
use crate::crash_row::{CrashRow, CutKind, Promise};
use crate::report::Results;
use crate::row::{Setting, Spread};
use crate::volatile::{Honesty, Toll, Volatile};
use ledger::{Books, Command, Ledger};

/// Stock that is delivered before the first cut: more than is ever asked for.
const STOCK: u64 = 1_000_000;
/// A cut comes after so many answers, so that it falls into full load on any machine.
const ANSWERS_BEFORE_CUT_MAX: usize = 600;
/// And so much later, so that it falls between answers too.
const DELAY_US_MAX: u64 = 3_000;

/// A server that can be cut down.
trait System: Sync {
    /// Makes its data, starts it, delivers the stock; its version, if it says one.
    fn set_up(&mut self) -> Result<String>;

    /// Starts it on the data it has, and waits for its first answer.
    fn start(&mut self) -> Result<()>;

    /// Its first process, while it runs.
    fn process(&self) -> Result<u32>;

    /// Kills what still runs of it, and takes its exit status.
    fn kill(&mut self) -> Result<()>;

    /// Connection number so many.
    fn connect(&self, number: u64) -> Result<Box<dyn Buyer>>;

    /// What it has, of all that was ever asked.
    fn books(&mut self, asked: &[Command]) -> Result<Books>;
}

/// A connection that takes one unit after the other.
trait Buyer {
    /// Asks with a command's number, and waits; gives the answer, which an error lacks.
    fn buy(&mut self, number: u64) -> Result<String>;
}

/// Which server, with which promise.
#[derive(Clone, Copy, Debug)]
enum Server {
    Claw,
    Postgresql { synchronous_commit: &'static str },
    Redis { appendfsync: &'static str },
}

/// One row.
#[derive(Clone, Copy, Debug)]
struct Plan {
    server: Server,
    setting: &'static str,
    loses_nothing: bool,
    cut: CutKind,
}

const fn plan(server: Server, promise: (&'static str, bool), cut: CutKind) -> Plan {
    let (setting, loses_nothing) = promise;
    Plan { server, setting, loses_nothing, cut }
}

const GROUP_COMMIT: (&str, bool) = ("group commit: flushed before each answer", true);
const COMMIT_ON: (&str, bool) = ("synchronous_commit=on, fsync=on", true);
const COMMIT_OFF: (&str, bool) = ("synchronous_commit=off, fsync=on", false);
const ALWAYS: (&str, bool) = ("appendonly yes, appendfsync always", true);
const EVERYSEC: (&str, bool) = ("appendonly yes, appendfsync everysec", false);

const ON: Server = Server::Postgresql { synchronous_commit: "on" };
const OFF: Server = Server::Postgresql { synchronous_commit: "off" };

const PLANS: [Plan; 9] = [
    plan(Server::Claw, GROUP_COMMIT, CutKind::PowerLying),
    plan(Server::Claw, GROUP_COMMIT, CutKind::Power),
    plan(Server::Claw, GROUP_COMMIT, CutKind::Kill),
    plan(ON, COMMIT_ON, CutKind::Power),
    plan(ON, COMMIT_ON, CutKind::Kill),
    plan(OFF, COMMIT_OFF, CutKind::Power),
    plan(Server::Redis { appendfsync: "always" }, ALWAYS, CutKind::Power),
    plan(Server::Redis { appendfsync: "always" }, ALWAYS, CutKind::Kill),
    plan(Server::Redis { appendfsync: "everysec" }, EVERYSEC, CutKind::Power),
];

impl Plan {
    const fn system(self) -> &'static str {
        match self.server {
            Server::Claw => "claw",
            Server::Postgresql { .. } => "PostgreSQL",
            Server::Redis { .. } => "Redis",
        }
    }

    fn name(self) -> String {
        format!("crash: {}, {}, {}", self.system(), self.setting, self.cut.in_words())
    }

    /// On a folder for data and one for what is not part of it; or why it cannot be.
    fn make<'a>(
        self,
        bench: &'a Bench,
        places: Places<'_>,
    ) -> Result<Box<dyn System + 'a>, String> {
        Ok(match self.server {
            Server::Claw => Box::new(claw::Node::new(bench, places)),
            Server::Postgresql { synchronous_commit } => {
                Box::new(postgres::Database::new(places, synchronous_commit)?)
            }
            Server::Redis { appendfsync } => Box::new(redis::Server::new(places, appendfsync)?),
        })
    }
}

/// Where a server puts things.
#[derive(Clone, Copy, Debug)]
struct Places<'a> {
    /// What a cut is survived in.
    data: &'a Path,
    /// Words and sockets.
    beside: &'a Path,
}

/// Measures every row; what cannot be is named.
pub(super) fn measure(bench: &Bench, results: &mut Results) -> Result<()> {
    say(&format!("crash: seed {}, {} cuts a row", bench.seed, bench.cuts_count))?;
    for (number, plan) in (0..).zip(PLANS) {
        if !bench.wants(plan.system()) {
            continue;
        }
        let coin = ChaCha8Rng::seed_from_u64(bench.seed.wrapping_mul(1_000).wrapping_add(number));
        match Row::begin(bench, plan, coin)? {
            Ok(row) => results.crashes.push(row.run()?),
            Err(why) => results.missing.push(format!("{}: {why}", plan.name())),
        }
    }
    Ok(())
}

/// A row that is being measured.
struct Row<'a> {
    bench: &'a Bench,
    plan: Plan,
    coin: ChaCha8Rng,
    // Before the folders, so that it is gone before they go.
    system: Box<dyn System + 'a>,
    volatile: Option<Volatile>,
    _folders: [tempfile::TempDir; 2],
    ledger: Ledger,
    toll: Toll,
    again_ms: Vec<u64>,
    result: CrashRow,
}

impl<'a> Row<'a> {
    fn begin(bench: &'a Bench, plan: Plan, coin: ChaCha8Rng) -> Result<Result<Self, String>> {
        let folders = [bench.folder()?, bench.folder()?];
        let volatile = match mount(plan.cut, folders[0].path()) {
            Ok(volatile) => volatile,
            Err(why) => return Ok(Err(format!("{why:#}"))),
        };
        let places = Places { data: folders[0].path(), beside: folders[1].path() };
        let mut system = match plan.make(bench, places) {
            Ok(system) => system,
            Err(why) => return Ok(Err(why)),
        };
        say(&format!("{}: set up", plan.name()))?;
        let version = system.set_up().with_context(|| format!("set up {}", plan.name()))?;
        if let Some(volatile) = &volatile {
            volatile.settle();
        }
        let Plan { setting, loses_nothing, cut, .. } = plan;
        let result = CrashRow {
            name: plan.name(),
            system: plan.system().to_owned(),
            version,
            promise: Promise { setting, loses_nothing },
            cut,
            setting: Setting::of(bench),
            cuts_count: 0,
            acknowledged_count: 0,
            lost_count: 0,
            twice_count: 0,
            books_wrong: Vec::new(),
            refused_starts: Vec::new(),
            pages_survived_count: 0,
            pages_lost_count: 0,
            answers_again_ms: None,
        };
        Ok(Ok(Self {
            bench,
            plan,
            coin,
            system,
            volatile,
            _folders: folders,
            ledger: Ledger::default(),
            toll: Toll::default(),
            again_ms: Vec::new(),
            result,
        }))
    }

    /// All its cuts, or until there is nothing left to cut.
    fn run(mut self) -> Result<CrashRow> {
        while self.result.cuts_count < self.bench.cuts_count {
            self.result.cuts_count += 1;
            self.cut().with_context(|| format!("{}, cut {}", self.plan.name(), self.number()))?;
            let canary_is_dead = self.plan.cut == CutKind::PowerLying && self.result.is_damaged();
            if canary_is_dead || !self.result.refused_starts.is_empty() {
                break;
            }
        }
        self.system.kill()?;
        self.result.pages_survived_count = self.toll.survived_count;
        self.result.pages_lost_count = self.toll.lost_count;
        let times = std::mem::take(&mut self.again_ms);
        self.result.answers_again_ms = (!times.is_empty()).then(|| Spread::of(times));
        Ok(self.result)
    }

    const fn number(&self) -> u32 {
        self.result.cuts_count
    }

    fn cut(&mut self) -> Result<()> {
        let moment = load::Moment {
            answers_count: self.coin.random_range(1..=ANSWERS_BEFORE_CUT_MAX),
            delay: Duration::from_micros(self.coin.random_range(0..=DELAY_US_MAX)),
        };
        let process = self.system.process()?;
        load::run_until(moment, self.system.as_ref(), &mut self.ledger, || {
            if let Some(volatile) = &self.volatile {
                volatile.pull_plug();
            }
            process::kill_all(process)
        })?;
        self.system.kill()?;
        let mut toll = Toll::default();
        if let Some(volatile) = &mut self.volatile {
            toll = volatile.lose_power(&mut self.coin)?;
            self.toll.add(toll);
        }
        let began_at = Instant::now();
        if let Err(why) = self.system.start() {
            let why = format!("cut {}: it did not start again: {why:#}", self.number());
            say(&format!("{}: {why}", self.plan.name()))?;
            self.result.refused_starts.push(why);
            self.result.acknowledged_count = self.ledger.acknowledged_count();
            return Ok(());
        }
        self.again_ms.push(u64::try_from(began_at.elapsed().as_millis())?);
        self.check(toll)
    }

    fn check(&mut self, toll: Toll) -> Result<()> {
        let books = self.system.books(self.ledger.asked())?;
        let finding = self.ledger.judge(&books);
        self.result.acknowledged_count = self.ledger.acknowledged_count();
        self.result.lost_count += finding.lost_count;
        self.result.twice_count += finding.twice_count;
        if let Some(wrong) = &finding.books_wrong {
            self.result.books_wrong.push(format!("cut {}: {wrong}", self.number()));
        }
        say(&format!(
            "{}: cut {}: {} acknowledged so far; now {} lost, {} twice{}; {} of {} unflushed pages \
             lost",
            self.plan.name(),
            self.number(),
            self.ledger.acknowledged_count(),
            finding.lost_count,
            finding.twice_count,
            finding.books_wrong.map_or_else(String::new, |wrong| format!(", {wrong}")),
            toll.lost_count,
            toll.lost_count + toll.survived_count
        ))
    }
}

fn mount(cut: CutKind, path: &Path) -> Result<Option<Volatile>> {
    match cut {
        CutKind::Kill => Ok(None),
        CutKind::Power => Volatile::mount(path, Honesty::Honest).map(Some),
        CutKind::PowerLying => Volatile::mount(path, Honesty::Lying).map(Some),
    }
}
