//! Whole checkouts: reserved, authorised, confirmed, captured, placed, each step durable, and what
//! of the shard core that takes. PostgreSQL does the same steps beside it, in transactions.
//!
//! The gateway is `claw gateway`, which answers at once and moves no money; vault and gateway are
//! processes of their own on the cores the node gets, and their work is part of the rate, though
//! not of the shard core's time. PostgreSQL asks nobody for money: that is its advantage here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use claw_dataplane::simulate::client::{Protocol, system};
use claw_dataplane::simulate::node_process::{NodeCommand, NodeProcess};
use claw_dataplane::simulate::progress::{Progress, Style};
use claw_dataplane::simulate::recorder::Endpoint;
use claw_dataplane::simulate::report::Report;
use claw_dataplane::simulate::run::{Carrier, RunOptions, run};
use claw_sdk::{Client, Signer};

use super::hops::Hops;
use super::store::{HOT_SKU, Popularity, Store};
use crate::bench::Bench;
use crate::peers::postgres::{self, Database, Method};
use crate::report::Results;
use crate::row::{self, ALL_ON_ONE, Load, NOT_REPLICATED, Run, Subject};

/// Shoppers who buy one unit after the other, and wait for each.
const BEHAVIOUR: &str = "kind = \"checkout\"";
/// Connections of the closed loops.
const CONNECTIONS: [u32; 2] = [64, 256];
/// Of the rows.
const NAME: &str = "checkouts";

/// Measures both sides.
pub(super) fn measure(bench: &Bench, results: &mut Results) -> Result<()> {
    for &connections in bench.some(&CONNECTIONS) {
        let load = Load::closed(connections);
        results.rows.push(row::measure(bench, NAME, subject(), load, || run_once(bench, load))?);
    }
    match postgres::find() {
        Err(why) => results.missing.push(format!("PostgreSQL: {why}")),
        Ok(programs) => {
            let database = Database::start(bench, &programs)?;
            for &connections in bench.some(&CONNECTIONS) {
                let (method, load) = (Method::Checkout, Load::closed(connections));
                results.rows.push(row::measure(
                    bench,
                    NAME,
                    database.subject(method),
                    load,
                    || database.run_method(bench, method, load),
                )?);
            }
            database.end()?;
        }
    }
    Ok(())
}

fn subject() -> Subject {
    Subject {
        system: "claw, HTTP, hmac-sha256".to_owned(),
        version: String::new(),
        operation: "POST /v1/checkouts of one unit: reserved, authorised, confirmed, captured, \
                    placed; instant gateway"
            .to_owned(),
        hot_share: ALL_ON_ONE.to_owned(),
        durability: "group commit: each step flushed before the next".to_owned(),
        replication: NOT_REPLICATED,
        cores: "1 shard core with vault and gateway beside it, load on another".to_owned(),
    }
}

fn run_once(bench: &Bench, load: Load) -> Result<Run> {
    let store = Store::make(bench, 1, "local")?;
    let cpus = system::affinity()?;
    let arguments = Vec::new();
    let path = store.path;
    let command = NodeCommand { program: bench.claw.clone(), store: path.clone(), arguments };
    let node = NodeProcess::start(&command)?;
    let options = RunOptions {
        store: path,
        node_url: Some(format!("http://{}", node.address())),
        program: bench.claw.clone(),
        node_arguments: Vec::new(),
        carrier: Carrier::Plain,
        authorities: None,
        protocol: Protocol::Http,
        key: "storefront-hmac".to_owned(),
        token_audience: None,
        scenario: Popularity::Hot.scenario(NAME, BEHAVIOUR)?,
        users: load.connections,
        duration: Duration::from_secs(bench.seconds),
        rate: None,
        seed: bench.seed,
        endpoint: None,
    };
    let before = threads_ns(node.id())?;
    let (report, hops) = run_watched(bench, &options)?;
    let ran_ns = most_run_ns(&before, &threads_ns(node.id())?);
    node.stop()?;
    system::set_affinity(&cpus)?;
    let placed = report.orders_placed;
    let cancelled: u64 = report.orders_cancelled.values().sum();
    let excuse = if !report.clean {
        Some(format!("the audit failed: {:?}", report.audit.findings))
    } else if cancelled > 0 {
        Some(format!("orders were cancelled: {:?}", report.orders_cancelled))
    } else {
        (report.transport.errors() > 0).then(|| format!("errors: {:?}", report.transport))
    };
    let endpoint = Endpoint::Checkout;
    let mut latencies = report.recorder.by_endpoint().filter(|(found, _)| *found == endpoint);
    let (_, latencies) = latencies.next().context("checkouts were answered")?;
    let core_us = ran_ns / placed.max(1) / 1000;
    let remark = format!(
        "the busiest thread of the node, the shard core's, ran {core_us} us an order; {}",
        hops.in_words()
    );
    Ok(Run { excuse, remark, ..Run::new(placed / bench.seconds.max(1), latencies.clone()) })
}

/// The load, and one buyer beside it whose orders are looked at.
fn run_watched(bench: &Bench, options: &RunOptions) -> Result<(Report, Hops)> {
    let url = options.node_url.as_deref().context("a node of ours")?;
    let mut buyer = Client::new(url, Some(Signer::load(&options.store, "storefront")?))?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| Hops::watch(&mut buyer, HOT_SKU, &done));
        let report = run(options, &mut Progress::new(Style::Quiet, bench.seconds));
        done.store(true, Ordering::Relaxed);
        let hops = watching.join().expect("the buyer does not panic")?;
        Ok((report?, hops))
    })
}

/// How long each thread of a process ran, nanoseconds, by its id.
fn threads_ns(process: u32) -> Result<BTreeMap<OsString, u64>> {
    let mut threads = BTreeMap::new();
    for thread in fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
        // A thread may have ended since it was listed.
        let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
        let ran = text.split(' ').next().and_then(|ran| ran.parse().ok());
        threads.insert(thread.file_name(), ran.unwrap_or(0));
    }
    Ok(threads)
}

/// How long the thread ran that ran most between: another may have at the start.
fn most_run_ns(before: &BTreeMap<OsString, u64>, after: &BTreeMap<OsString, u64>) -> u64 {
    let ran = after.iter().map(|(id, ran)| ran.saturating_sub(*before.get(id).unwrap_or(&0)));
    ran.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_that_ran_most_between_counts_and_not_the_one_that_did_before() {
        let threads = |starter: u64, core: u64| -> BTreeMap<OsString, u64> {
            [("1".into(), starter), ("2".into(), core)].into()
        };
        assert_eq!(most_run_ns(&threads(900, 10), &threads(901, 310)), 300);
    }
}
