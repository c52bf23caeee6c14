//! Our side: holds, all on one SKU, durable, on one shard core, over each protocol we speak.
//!
//! Each run has a fresh store and a fresh node. The traffic engine and the audit are those of
//! `claw simulate`. The per-session limit is switched off, because 64 sessions cannot be ten
//! thousand shoppers; nothing else differs from a store as `claw init` makes it, but memory for
//! the answers that must be remembered.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use claw_dataplane::simulate::client::Protocol;
use claw_dataplane::simulate::progress::{Progress, Style};
use claw_dataplane::simulate::report::Report;
use claw_dataplane::simulate::run::{Carrier, RunOptions, run};
use claw_dataplane::simulate::scenario::{HammerTarget, Scenario};

use crate::row::{Load, Row, Run, Subject};
use crate::{Bench, say};

/// One SKU, more stock than any run can hold. The holds expire after a second, so that the live
/// ones stay few and each costs its expiry too.
/// More than any row opens.
const CONNECTIONS_MAX: i64 = 120_000;

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

/// As `claw init store` names it.
const STORE_NAME: &str = "store";

/// What the node may take: room for every answer of a run.
const MEMORY: &str = "4GiB";

/// A way to ask for a hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// For a table.
    pub(crate) name: &'static str,
    carrier: Carrier,
    protocol: Protocol,
    key: &'static str,
    /// Whether each shopper bears a token that the key signed.
    token: bool,
    operation: &'static str,
    /// Connections of the closed loops.
    pub(crate) connections: &'static [u32],
}

/// Every way, side by side.
pub(crate) const WAYS: [Way; 6] = [
    Way {
        name: "HTTP, hmac-sha256",
        carrier: Carrier::Plain,
        protocol: Protocol::Http,
        key: "storefront-hmac",
        token: false,
        operation: "POST /v1/holds, signed, with its expiry",
        connections: &[64, 256],
    },
    Way {
        name: "HTTPS, hmac-sha256",
        carrier: Carrier::Tls,
        protocol: Protocol::Http,
        key: "storefront-hmac",
        token: false,
        operation: "POST /v1/holds, signed, over TLS 1.3, with its expiry",
        connections: &[64, 256],
    },
    Way {
        name: "HTTP, ed25519",
        carrier: Carrier::Plain,
        protocol: Protocol::Http,
        key: "storefront",
        token: false,
        operation: "POST /v1/holds, signed, with its expiry",
        connections: &[64, 256],
    },
    Way {
        name: "HTTP, token",
        carrier: Carrier::Plain,
        protocol: Protocol::Http,
        key: "storefront",
        token: true,
        operation: "POST /v1/holds, with a shopper's token, with its expiry",
        connections: &[64, 256],
    },
    Way {
        name: "wire",
        carrier: Carrier::Plain,
        protocol: Protocol::Wire { batch: 1 },
        key: "storefront-hmac",
        token: false,
        operation: "a hold in a frame of its own, tagged by its session, with its expiry",
        connections: &[64, 256],
    },
    Way {
        name: "wire, batched",
        carrier: Carrier::Plain,
        protocol: Protocol::Wire { batch: 64 },
        key: "storefront-hmac",
        token: false,
        operation: "up to 64 holds in a frame, tagged by its session, with their expiry",
        connections: &[4, 16, 64],
    },
];

impl Way {
    /// Shoppers on so many connections.
    const fn users(&self, connections: u32) -> u32 {
        match self.protocol {
            Protocol::Http => connections,
            Protocol::Wire { batch } => connections * batch,
        }
    }
}

/// Measures one load.
pub(crate) fn measure(bench: &Bench, way: &Way, load: Load) -> Result<Row> {
    let mut runs = Vec::new();
    for number in 1..=bench.runs_count {
        say(&format!(
            "claw holds over {}, {} connections, {}, run {number}",
            way.name,
            load.connections,
            load.in_words()
        ))?;
        runs.push(run_once(bench, way, load)?);
    }
    let subject = Subject {
        system: format!("claw, {}", way.name),
        operation: way.operation,
        hot_share: "all on one SKU",
        durability: "group commit to the device before each answer".to_owned(),
        cores: "1 shard core, load on another".to_owned(),
    };
    Ok(Row::new(subject, load, runs))
}

fn run_once(bench: &Bench, way: &Way, load: Load) -> Result<Run> {
    let folder = tempfile::tempdir_in(&bench.scratch)
        .with_context(|| format!("make a folder in {}", bench.scratch.display()))?;
    let made = Command::new(&bench.claw)
        .args(["init", "store", "--template=minimal"])
        .current_dir(folder.path())
        .output()
        .with_context(|| format!("start {}", bench.claw.display()))?;
    ensure!(made.status.success(), "claw init: {}", String::from_utf8_lossy(&made.stderr));
    let store = folder.path().join("store");
    configure(&store.join("store.toml"), 1)?;
    let options = RunOptions {
        store,
        node_url: None,
        program: bench.claw.clone(),
        node_arguments: Vec::new(),
        carrier: way.carrier,
        authorities: None,
        protocol: way.protocol,
        key: way.key.to_owned(),
        token_audience: way.token.then(|| STORE_NAME.to_owned()),
        scenario: Scenario::parse("holds", "holds.toml", SCENARIO)?,
        users: way.users(load.connections),
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

/// One shard for each of so many cores, no limit per session, memory for the answers.
pub(crate) fn configure(path: &Path, cores: usize) -> Result<()> {
    let cores = i64::try_from(cores)?;
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let mut table: toml::Table = text.parse()?;
    let changes: [(&str, &str, toml::Value); 6] = [
        ("store", "shards", cores.into()),
        ("node", "cores", cores.into()),
        ("limits", "connections_max", CONNECTIONS_MAX.into()),
        ("node", "memory", MEMORY.into()),
        ("limits", "requests_per_second_per_session", 0.into()),
        // No hold is paid for, and no vault is to run beside the node.
        ("payments", "kind", "none".into()),
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
