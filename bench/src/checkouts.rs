//! Whole checkouts: reserved, authorised, confirmed, captured, placed, each step durable, and what
//! of the shard core that takes. PostgreSQL does the same steps beside it, in transactions.
//!
//! The gateway is `claw gateway`, which answers at once and moves no money; vault and gateway are
//! processes of their own on the cores the node gets, and their work is part of the rate, though
//! not of the shard core's time. PostgreSQL asks nobody for money: that is its advantage here.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use claw_dataplane::simulate::client::{Protocol, system};
use claw_dataplane::simulate::environment::Environment;
use claw_dataplane::simulate::node_process::{NodeCommand, NodeProcess};
use claw_dataplane::simulate::progress::{Progress, Style};
use claw_dataplane::simulate::run::{Carrier, RunOptions, run};
use serde::Serialize;

use crate::postgres::{self, Database, Method};
use crate::row::{Load, Row, Spread};
use crate::store::{Store, hot_scenario};
use crate::{Bench, say};

/// Shoppers who buy one unit after the other, and wait for each.
const BEHAVIOUR: &str = "kind = \"checkout\"";
/// Connections of the closed loops.
const CONNECTIONS: [u32; 2] = [64, 256];

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct CheckoutResults {
    environment: Environment,
    ours: Vec<OurRow>,
    postgres: Vec<Row>,
    missing: Option<String>,
}

/// Our side under one load.
#[derive(Debug, Serialize)]
struct OurRow {
    connections: u32,
    placed_per_second: Spread,
    /// From the request to the answer, which comes when the order is placed or cancelled.
    p50_us: Spread,
    p99_us: Spread,
    /// Time that the node's busiest thread ran, the shard core's, by orders placed.
    shard_core_ns_per_order: Spread,
    excuse: Option<String>,
}

#[derive(Debug)]
struct OurRun {
    placed_per_second: u64,
    p50_us: u64,
    p99_us: u64,
    shard_core_ns_per_order: u64,
    excuse: Option<String>,
}

/// Measures both sides.
pub(crate) fn measure(bench: &Bench) -> Result<CheckoutResults> {
    let mut ours = Vec::new();
    for connections in CONNECTIONS {
        let mut runs = Vec::new();
        for number in 1..=bench.runs_count {
            say(&format!("claw checkouts, {connections} connections, run {number}"))?;
            runs.push(run_once(bench, connections)?);
        }
        let spread = |number: fn(&OurRun) -> u64| Spread::of(runs.iter().map(number).collect());
        ours.push(OurRow {
            connections,
            placed_per_second: spread(|run| run.placed_per_second),
            p50_us: spread(|run| run.p50_us),
            p99_us: spread(|run| run.p99_us),
            shard_core_ns_per_order: spread(|run| run.shard_core_ns_per_order),
            excuse: runs.iter().find_map(|run| run.excuse.clone()),
        });
    }
    let mut rows = Vec::new();
    let missing = match postgres::find() {
        Err(why) => Some(format!("PostgreSQL: {why}")),
        Ok(programs) => {
            let database = Database::start(bench, &programs)?;
            for connections in CONNECTIONS {
                rows.push(database.measure(bench, Method::Checkout, Load::closed(connections))?);
            }
            database.stop()?;
            None
        }
    };
    Ok(CheckoutResults { environment: Environment::read(), ours, postgres: rows, missing })
}

fn run_once(bench: &Bench, connections: u32) -> Result<OurRun> {
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
        scenario: hot_scenario("checkouts", BEHAVIOUR)?,
        users: connections,
        duration: Duration::from_secs(bench.seconds),
        rate: None,
        seed: 1,
        endpoint: None,
    };
    let before_ns = busiest_thread_ns(node.id())?;
    let report = run(&options, &mut Progress::new(Style::Quiet, bench.seconds))?;
    let ran_ns = busiest_thread_ns(node.id())?.saturating_sub(before_ns);
    node.stop()?;
    system::set_affinity(&cpus)?;
    let placed = report.orders_placed;
    let latency = report.latency_by_endpoint.get("POST /v1/checkouts");
    let latency = latency.context("checkouts were answered")?;
    let cancelled: u64 = report.orders_cancelled.values().sum();
    let excuse = if !report.clean {
        Some(format!("the audit failed: {:?}", report.audit.findings))
    } else if cancelled > 0 {
        Some(format!("orders were cancelled: {:?}", report.orders_cancelled))
    } else {
        (report.transport.errors() > 0).then(|| format!("errors: {:?}", report.transport))
    };
    Ok(OurRun {
        placed_per_second: placed / bench.seconds.max(1),
        p50_us: latency.p50_ns / 1000,
        p99_us: latency.p99_ns / 1000,
        shard_core_ns_per_order: ran_ns / placed.max(1),
        excuse,
    })
}

/// How long the thread of a process ran that ran most, nanoseconds.
fn busiest_thread_ns(process: u32) -> Result<u64> {
    let mut most = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
        // A thread may have ended since it was listed.
        let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
        let ran = text.split(' ').next().and_then(|ran| ran.parse().ok());
        most = most.max(ran.unwrap_or(0));
    }
    Ok(most)
}

/// Prints what was found.
pub(crate) fn write(out: &mut impl std::io::Write, results: &CheckoutResults) -> Result<()> {
    writeln!(
        out,
        "claw: POST /v1/checkouts of one unit, hmac-sha256, closed loop, all on one SKU; reserved, \
         authorised, confirmed, captured and placed, each durable; instant gateway; 1 shard core"
    )?;
    writeln!(
        out,
        "{:>12}{:>14} {:<20}{:>10}{:>10}{:>22}",
        "connections", "placed/s", "(least - most)", "p50 us", "p99 us", "shard core us/order"
    )?;
    for row in &results.ours {
        let OurRow { connections, placed_per_second: rate, p50_us, p99_us, .. } = row;
        let spread = format!("({} - {})", rate.least, rate.most);
        let core_us = row.shard_core_ns_per_order.median / 1000;
        writeln!(
            out,
            "{connections:>12}{:>14} {spread:<20}{:>10}{:>10}{core_us:>22}",
            rate.median, p50_us.median, p99_us.median
        )?;
        if let Some(excuse) = &row.excuse {
            writeln!(out, "{:>12} does not count: {excuse}", "")?;
        }
    }
    for row in &results.postgres {
        let rate = row.per_second;
        if row.load.connections == CONNECTIONS[0] {
            writeln!(out, "\n{}: {}", row.subject.system, row.subject.operation)?;
        }
        let spread = format!("({} - {})", rate.least, rate.most);
        writeln!(
            out,
            "{:>12}{:>14} {spread:<20}{:>10}{:>10}",
            row.load.connections, rate.median, row.p50_us.median, row.p99_us.median
        )?;
        if let Some(excuse) = &row.excuse {
            writeln!(out, "{:>12} does not count: {excuse}", "")?;
        }
    }
    if let Some(missing) = &results.missing {
        writeln!(out, "missing: {missing}")?;
    }
    Ok(())
}
