//! An independent client: `wrk` sends holds that were signed beforehand, each once.
//!
//! Whoever doubts our own traffic engine finds another's figure beside ours. The requests are made
//! and signed by us into a file, all of one length, and sent within the life of their signatures by
//! a Lua script that does nothing but read. Afterwards the log is asked: it must hold a hold for
//! every answer that `wrk` counted, and none beyond those that were on their way at the end.

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use claw_common::id::Id;
use claw_dataplane::simulate::client::request::RequestWriter;
use claw_dataplane::simulate::ledger::{Line, Lines};
use claw_dataplane::simulate::user::{Manner, Operation, Request};
use claw_sdk::Signer;
use claw_sdk::client::now_s;
use claw_sdk::key::generate_secret;
use hdrhistogram::Histogram;

use super::filled::{Filled, log_stats};
use super::holds;
use super::store::{Popularity, Shape, Store};
use crate::bench::{Bench, say};
use crate::ceiling::{Kind, Server, Tongue};
use crate::greeting;
use crate::report::Results;
use crate::row::{self, Load, Row, Run, Subject, histogram};

/// The program, and what rows say.
const NAME: &str = "wrk";
const SCRIPT: &str = include_str!("wrk.lua");
const CONNECTIONS: [u32; 2] = [64, 256];
/// Requests made for each second of a run where nothing is known of the node's rate, and how many
/// more than known.
const RATE_DEFAULT: u64 = 120_000;
const RATE_MARGIN_PERCENT: u64 = 150;
/// Requests made for each second of a server that does nothing.
const BARE_RATE: u64 = 400_000;
/// They expire after a second, as our own engine's do.
const HOLD_TTL_MS: u64 = 1_000;
/// Shoppers, numbered so that every name is as long as another.
const SHOPPERS: std::ops::Range<u32> = 100_000..110_000;
/// How long `wrk` waits for an answer.
const TIMEOUT: &str = "10s";

/// Measures it, where it is installed.
pub(super) fn measure(bench: &Bench, results: &mut Results) -> Result<()> {
    if Command::new(NAME).arg("-v").output().is_err() {
        results.missing.push(format!("{NAME}: not installed: no {NAME} on the path"));
        return Ok(());
    }
    let ours = |row: &&Row| row.scenario == "http" && row.subject.system.starts_with("claw");
    let known = results.rows.iter().filter(ours).map(|row| row.per_second.most).max();
    let rate = known.map_or(RATE_DEFAULT, |rate| rate * RATE_MARGIN_PERCENT / 100);
    for &connections in bench.some(&CONNECTIONS) {
        let load = Load::closed(connections);
        let mut row = row::measure(bench, NAME, subject(), load, || run_once(bench, load, rate))?;
        let bare = row::measure(bench, NAME, bare_subject(), load, || run_bare(bench, load))?;
        row.ceiling_per_second = Some(bare.per_second.median);
        results.rows.extend([row, bare]);
    }
    Ok(())
}

fn subject() -> Subject {
    let ours = holds::subject(&holds::HTTP, Popularity::Hot);
    Subject {
        system: format!("{}, asked by wrk", ours.system),
        operation: "POST /v1/holds, signed beforehand, each sent once, with its expiry".to_owned(),
        ..ours
    }
}

fn bare_subject() -> Subject {
    let bare = Kind::Echo.subject(&holds::HTTP);
    Subject { system: format!("{}, asked by wrk", bare.system), ..bare }
}

fn run_once(bench: &Bench, load: Load, rate: u64) -> Result<Run> {
    let filled = Filled::start(bench, Store::shaped(bench, Shape::default())?)?;
    filled.make_products(&["HOT".to_owned()])?;
    let signer = Signer::load(&filled.store.path, holds::HTTP.key)?;
    let count = rate * (bench.seconds + 1);
    let told = ask(bench, load, &filled.address().to_string(), (signer, count))?;
    let store = filled.stop()?;
    let granted = log_stats(bench, &store)?["kinds"]["hold-granted"]["count"].as_u64();
    let granted = granted.context("claw log stats counts holds")?;
    let excuse = told.excuse(granted, u64::from(load.connections), count);
    Ok(Run { excuse, ..Run::new(told.per_second(), told.latencies) })
}

/// The same requests to a server that reads none of them: what `wrk` can do at most.
fn run_bare(bench: &Bench, load: Load) -> Result<Run> {
    let folder = bench.folder()?;
    let server = Server::start(Kind::Echo, &Tongue::Http, folder.path())?;
    let (signer, _) = greeting::keys(&generate_secret()?)?;
    let count = BARE_RATE * (bench.seconds + 1);
    let told =
        Bench::on_load_core(|| ask(bench, load, &server.address.to_string(), (signer, count)))??;
    let excuse = told.client_excuse(u64::from(load.connections), count);
    Ok(Run { excuse, ..Run::new(told.per_second(), told.latencies) })
}

/// Signs requests and has `wrk` send them.
fn ask(bench: &Bench, load: Load, address: &str, signed: (Signer, u64)) -> Result<Told> {
    let (signer, count) = signed;
    let folder = bench.folder()?;
    let requests = folder.path().join("requests");
    say(&format!("wrk: signing {count} requests"))?;
    let request_bytes = sign(signer, address, &requests, count)?;
    std::fs::write(folder.path().join("send.lua"), SCRIPT)?;
    let url = format!("http://{address}");
    // This thread is on the load's core, and so is what it starts.
    let output = Command::new(NAME)
        .args(["--threads=1", "--script=send.lua", &format!("--timeout={TIMEOUT}")])
        .arg(format!("--connections={}", load.connections))
        .arg(format!("--duration={}s", bench.seconds))
        .arg(url)
        .env("REQUESTS_FILE", &requests)
        .env("REQUEST_BYTES", request_bytes.to_string())
        .current_dir(folder.path())
        .output()
        .context("start wrk")?;
    let talk = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk: {talk}{}", String::from_utf8_lossy(&output.stderr));
    Told::read(&talk)
}

/// Writes signed holds; gives the length of each.
fn sign(signer: Signer, address: &str, path: &Path, count: u64) -> Result<usize> {
    let mut writer = RequestWriter::new(address, "wrk-", Arc::new(signer));
    let scenario = Popularity::Hot.scenario(NAME, holds::BEHAVIOUR)?;
    let mut lines = Lines::default();
    lines.push(Line { product: 0, quantity: 1 });
    let file = std::fs::File::create(path).with_context(|| format!("write {}", path.display()))?;
    let mut file = BufWriter::new(file);
    let (mut bytes, mut request_bytes) = (Vec::new(), 0);
    for (number, shopper) in (0..count).zip(SHOPPERS.cycle()) {
        let request = Request {
            operation: Operation::Hold { lines, ttl_ms: Some(HOLD_TTL_MS) },
            key: Some(key(number)),
            manner: Manner::Kept,
        };
        writer.write(&mut bytes, &scenario, shopper, &request, now_s());
        ensure!(number == 0 || bytes.len() == request_bytes, "requests are of one length");
        request_bytes = bytes.len();
        file.write_all(&bytes)?;
    }
    file.flush().context("write the requests")?;
    Ok(request_bytes)
}

/// An idempotency key for each: version 4 as far as its form goes. Six bytes count far enough.
fn key(number: u64) -> Id {
    let [low @ .., _, _] = number.to_le_bytes();
    let mut bytes = [0; 16];
    bytes[..low.len()].copy_from_slice(&low);
    bytes[6] = 0x40;
    bytes[8] = 0x80;
    Id(bytes)
}

/// What `wrk` found.
struct Told {
    requests: u64,
    duration_us: u64,
    errors: u64,
    /// Nanoseconds.
    latencies: Histogram<u64>,
}

impl Told {
    fn read(talk: &str) -> Result<Self> {
        let mut told = Self { requests: 0, duration_us: 0, errors: 0, latencies: histogram() };
        let mut errors = None;
        for line in talk.lines() {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or("");
            let mut number = || {
                let word = words.next().with_context(|| format!("read {line:?}"))?;
                word.parse::<u64>().with_context(|| format!("read {line:?}"))
            };
            match name {
                "claw-requests" => (told.requests, told.duration_us) = (number()?, number()?),
                "claw-errors" => errors = Some(number()?),
                "claw-latency" => {
                    let (value_us, count) = (number()?, number()?);
                    told.latencies.saturating_record_n(value_us * 1_000, count);
                }
                _ => {}
            }
        }
        told.errors = errors.with_context(|| format!("wrk did not finish: {talk}"))?;
        Ok(told)
    }

    fn per_second(&self) -> u64 {
        let rate = u128::from(self.requests) * 1_000_000 / u128::from(self.duration_us.max(1));
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    /// Why the run does not count, as far as the client knows.
    fn client_excuse(&self, connections: u64, made: u64) -> Option<String> {
        if self.errors > 0 {
            Some(format!("wrk counted {} errors", self.errors))
        } else if self.requests + connections > made {
            Some(format!("{made} requests were too few: some were sent twice"))
        } else {
            None
        }
    }

    /// Why the run does not count: what the log has must be what was answered.
    fn excuse(&self, granted: u64, connections: u64, made: u64) -> Option<String> {
        let answered = self.requests;
        if let Some(excuse) = self.client_excuse(connections, made) {
            Some(excuse)
        } else if !(answered..=answered + connections).contains(&granted) {
            Some(format!("{answered} answers, but {granted} holds in the log"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TALK: &str = "Running 2s test @ http://127.0.0.1:1\n  1 threads and 64 connections\n\
        claw-requests 200 2000000\nclaw-errors 0\nclaw-latency 500 150\nclaw-latency 9000 50\n";

    #[test]
    fn rate_and_every_latency_are_read() {
        let told = Told::read(TALK).unwrap();
        assert_eq!(told.per_second(), 100);
        assert_eq!(told.latencies.len(), 200);
        assert!((9_000_000..9_010_000).contains(&told.latencies.max()), "{:?}", told.latencies);
    }

    #[test]
    fn every_request_has_a_key_of_its_own() {
        let mut keys: Vec<Id> = [0, 1, 255, 256, 65_536, 1 << 40].map(key).to_vec();
        keys.sort_by_key(|key| key.0);
        keys.dedup();
        assert_eq!(keys.len(), 6);
        assert!(keys.iter().all(|key| Id::parse(&key.to_string()) == Some(*key)));
    }

    #[test]
    fn wrk_that_says_nothing_is_an_error() {
        assert!(Told::read("Running 2s test\n").is_err());
        assert!(Told::read("claw-requests x 1\n").is_err());
    }

    #[test]
    fn log_must_hold_what_was_answered_and_nothing_twice() {
        let told = Told::read(TALK).unwrap();
        assert_eq!(told.excuse(200, 64, 1_000), None);
        assert_eq!(told.excuse(264, 64, 1_000), None);
        assert!(told.excuse(199, 64, 1_000).is_some(), "an answer without a hold");
        assert!(told.excuse(265, 64, 1_000).is_some(), "a hold that nobody asked for");
        assert!(told.excuse(200, 64, 250).is_some(), "the file was too short");
        let failed = Told { errors: 1, ..told };
        assert!(failed.excuse(200, 64, 1_000).is_some());
    }
}
