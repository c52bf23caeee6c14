//! Our side: `POST /v1/holds`, all on one SKU, durable, on one shard core.
//!
//! Each run has a fresh store and a fresh node. The traffic engine and the audit are those of
//! `claw simulate`. The per-session limit is switched off, because 64 sessions cannot be ten
//! thousand shoppers; nothing else differs from a store as `claw init` makes it, but memory for
//! the answers that must be remembered.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use claw_dataplane::simulate::progress::{Progress, Style};
use claw_dataplane::simulate::report::Report;
use claw_dataplane::simulate::run::{Carrier, RunOptions, run};
use claw_dataplane::simulate::scenario::{HammerTarget, Scenario};

use crate::row::{Load, Row, Run, Subject};
use crate::{Bench, say};

/// One SKU, more stock than any run can hold. The holds expire after a second, so that the live
/// ones stay few and each costs its expiry too.
const SCENARIO: &str = r#"
about = "holds of one SKU"
users = 64
duration = "10s"
[[product]]
sku = "HOT"
price = { amount = 1000, currency = "EUR" }
stock = 1000000000
hot = true
[popularity]
hot_share = 1.0
[[behaviour]]
kind = "hold"
weight = 1
ttl_ms = 1000
abandon = 1.0
"#;

/// What the node may take: room for every answer of a run.
const MEMORY: &str = "4GiB";

/// Measures one load.
pub(crate) fn measure(bench: &Bench, carrier: Carrier, load: Load) -> Result<Row> {
    let mut runs = Vec::new();
    for number in 1..=bench.runs_count {
        say(&format!(
            "claw holds over {}, {} connections, {}, run {number}",
            in_words(carrier),
            load.connections,
            load.in_words()
        ))?;
        runs.push(run_once(bench, carrier, load)?);
    }
    let subject = Subject {
        system: format!("claw, {}", in_words(carrier)),
        operation: "POST /v1/holds, signed (hmac-sha256), with its expiry",
        hot_share: "all on one SKU",
        durability: "group commit to the device before each answer".to_owned(),
        cores: "1 shard core, load on another".to_owned(),
    };
    Ok(Row::new(subject, load, runs))
}

const fn in_words(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Plain => "HTTP",
        Carrier::Tls => "HTTPS",
    }
}

fn run_once(bench: &Bench, carrier: Carrier, load: Load) -> Result<Run> {
    let folder = tempfile::tempdir_in(&bench.scratch)
        .with_context(|| format!("make a folder in {}", bench.scratch.display()))?;
    let made = Command::new(&bench.claw)
        .args(["init", "store", "--template=minimal"])
        .current_dir(folder.path())
        .output()
        .with_context(|| format!("start {}", bench.claw.display()))?;
    ensure!(made.status.success(), "claw init: {}", String::from_utf8_lossy(&made.stderr));
    let store = folder.path().join("store");
    configure(&store.join("store.toml"))?;
    let options = RunOptions {
        store,
        node_url: None,
        program: bench.claw.clone(),
        node_arguments: Vec::new(),
        carrier,
        authorities: None,
        scenario: Scenario::parse("holds", "holds.toml", SCENARIO)?,
        users: load.connections,
        duration: Duration::from_secs(bench.seconds),
        rate: load.rate,
        seed: 1,
        endpoint: Some(HammerTarget::Holds),
    };
    let report = run(&options, &mut Progress::new(Style::Quiet, bench.seconds))?;
    Ok(Run {
        per_second: per_second(&report),
        latency: report.latency_total,
        excuse: excuse(&report).or_else(|| load.excuse(per_second(&report))),
        remark: format!("the load used {:.0} % of its core", 100.0 * report.engine_cpu_share),
    })
}

/// One core, no limit per session, memory for the answers.
fn configure(path: &Path) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let mut table: toml::Table = text.parse()?;
    let changes: [(&str, &str, toml::Value); 4] = [
        ("store", "shards", 1.into()),
        ("node", "cores", 1.into()),
        ("node", "memory", MEMORY.into()),
        ("limits", "requests_per_second_per_session", 0.into()),
    ];
    for (section, key, value) in changes {
        let section =
            table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let section = section.as_table_mut().context("store.toml has sections")?;
        section.insert(key.to_owned(), value);
    }
    std::fs::write(path, toml::to_string(&table)?)
        .with_context(|| format!("write {}", path.display()))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive and far below 2^53"
)]
const fn per_second(report: &Report) -> u64 {
    report.answers_per_s as u64
}

fn excuse(report: &Report) -> Option<String> {
    let others: u64 =
        report.outcomes.iter().filter(|found| found.status != 201).map(|found| found.count).sum();
    let lost = report.transport.errors() + u64::from(report.unanswered);
    let dropped = report.transport.arrivals_dropped;
    if !report.clean {
        Some(format!("the audit failed: {:?}", report.audit.findings))
    } else if others > 0 {
        Some(format!("{others} answers were no hold: {:?}", report.outcomes))
    } else if lost > 0 {
        Some(format!("{lost} requests got no answer: {:?}", report.transport))
    } else if dropped > 0 {
        Some(format!("{dropped} arrivals were dropped: the rate is too high"))
    } else {
        None
    }
}
