//! The drop of `claw simulate` as a row: ten thousand shoppers, hot products that sell out.
//!
//! The shoppers think between two requests, so the rate says little about the limit of the node:
//! what counts is that everybody was answered in time and nothing was oversold. Deliberately the
//! scenario that ships with the command, unchanged.

use std::time::Duration;

use anyhow::Result;
use claw_dataplane::simulate::client::Protocol;
use claw_dataplane::simulate::progress::{Progress, Style};
use claw_dataplane::simulate::run::{Carrier, RunOptions, STOREFRONT_KEY, run};
use claw_dataplane::simulate::scenario::Scenario;

use super::store::{Shape, Store};
use crate::bench::Bench;
use crate::report::Results;
use crate::row::{self, Load, NOT_REPLICATED, Run, Subject};

const NAME: &str = "drop";
const USERS_COUNT: u32 = 10_000;
/// For a moment.
const SMOKE_USERS_COUNT: u32 = 500;

/// Measures it.
pub(super) fn measure(bench: &Bench, results: &mut Results) -> Result<()> {
    let users = if bench.smoke { SMOKE_USERS_COUNT } else { USERS_COUNT };
    let load = Load::closed(users);
    let subject = Subject {
        system: "claw, HTTP, hmac-sha256".to_owned(),
        version: String::new(),
        operation: "shoppers who think: browse, hold, buy, retry storms, bots (simulate drop)"
            .to_owned(),
        hot_share: "90 % on 3 hot SKUs that sell out, the rest Zipf over 40".to_owned(),
        durability: "group commit: flushed before each answer".to_owned(),
        replication: NOT_REPLICATED,
        cores: "1 shard core, load on another".to_owned(),
    };
    let row = row::measure(bench, NAME, subject, load, || run_once(bench, load))?;
    results.rows.push(row);
    Ok(())
}

fn run_once(bench: &Bench, load: Load) -> Result<Run> {
    let store = Store::shaped(bench, Shape::default())?;
    let options = RunOptions {
        scenario: Scenario::find(&store.path, NAME)?,
        store: store.path,
        node_url: None,
        program: bench.claw.clone(),
        node_arguments: Vec::new(),
        carrier: Carrier::Plain,
        authorities: None,
        protocol: Protocol::Http,
        key: STOREFRONT_KEY.to_owned(),
        token_audience: None,
        users: load.connections,
        duration: Duration::from_secs(bench.seconds),
        rate: None,
        seed: bench.seed,
        endpoint: None,
    };
    let report = run(&options, &mut Progress::new(Style::Quiet, bench.seconds))?;
    let lost = report.transport.errors() + u64::from(report.unanswered);
    let excuse = if report.clean {
        (lost > 0).then(|| format!("{lost} requests got no answer: {:?}", report.transport))
    } else {
        Some(format!("the audit failed: {:?}", report.audit.findings))
    };
    let remark = format!(
        "{} of {} hot units sold, {} orders placed, oversold {}",
        report.hot_sold, report.hot_stock, report.orders_placed, report.audit.oversold
    );
    let millis = Duration::from_secs_f64(report.elapsed_s).as_millis();
    let per_second = report.answers * 1_000 / u64::try_from(millis)?.max(1);
    Ok(Run { excuse, remark, ..Run::new(per_second, report.recorder.total) })
}
