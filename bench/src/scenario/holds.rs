//! Our side: holds, durable, on one shard core, over each protocol we speak.
//!
//! Each run has a fresh store and a fresh node. The traffic engine and the audit are those of
//! `claw simulate`; what differs from a store as `claw init` makes it is in [`super::store`].

use std::time::Duration;

use anyhow::Result;
use claw_dataplane::simulate::client::Protocol;
use claw_dataplane::simulate::progress::{Progress, Style};
use claw_dataplane::simulate::report::Report;
use claw_dataplane::simulate::run::{Carrier, RunOptions, run};
use claw_dataplane::simulate::scenario::HammerTarget;

use super::store::{Popularity, Store};
use crate::bench::Bench;
use crate::row::{self, Load, NOT_REPLICATED, Row, Run, Subject};

/// They expire after a second, so that the live ones stay few and each costs its expiry too.
pub(crate) const BEHAVIOUR: &str = "kind = \"hold\"\nttl_ms = 1000\nabandon = 1.0";

/// As `claw init store` names it.
const STORE_NAME: &str = "store";

/// A way to ask for a hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// For a table.
    pub(crate) name: &'static str,
    carrier: Carrier,
    pub(crate) protocol: Protocol,
    pub(crate) key: &'static str,
    /// Whether each shopper bears a token that the key signed.
    token: bool,
    pub(crate) operation: &'static str,
    /// Connections of the closed loops.
    pub(crate) connections: &'static [u32],
}

/// The one that others are compared with: no encryption, no pipelining, the cheaper signature.
pub(crate) const HTTP: Way = Way {
    name: "HTTP, hmac-sha256",
    carrier: Carrier::Plain,
    protocol: Protocol::Http,
    key: "storefront-hmac",
    token: false,
    operation: "POST /v1/holds, signed, with its expiry; keep-alive, no pipelining",
    connections: &[64, 256, 10_000],
};

/// The same over other ways of HTTP.
pub(crate) const CARRIERS: [Way; 3] = [
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
];

/// The wire protocol, a hold in a frame and many.
pub(crate) const WIRES: [Way; 2] = [
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
    /// Whether its key is an ed25519 one, as `claw init` makes it.
    pub(crate) fn signs_ed25519(&self) -> bool {
        self.key == "storefront"
    }

    /// The store for which each shopper bears a token.
    pub(crate) fn token_audience(&self) -> Option<String> {
        self.token.then(|| STORE_NAME.to_owned())
    }

    /// Whether it is encrypted.
    pub(crate) const fn encrypted(&self) -> bool {
        matches!(self.carrier, Carrier::Tls)
    }

    /// Shoppers on so many connections.
    pub(crate) const fn users(&self, connections: u32) -> u32 {
        match self.protocol {
            Protocol::Http => connections,
            Protocol::Wire { batch } => connections * batch,
        }
    }
}

/// What a row says of a way.
pub(crate) fn subject(way: &Way, popularity: Popularity) -> Subject {
    Subject {
        system: format!("claw, {}", way.name),
        version: String::new(),
        operation: way.operation.to_owned(),
        hot_share: popularity.in_words().to_owned(),
        durability: "group commit: flushed before each answer".to_owned(),
        replication: NOT_REPLICATED,
        cores: cores_in_words(1),
    }
}

fn cores_in_words(cores: usize) -> String {
    let plural = if cores == 1 { "" } else { "s" };
    format!("{cores} shard core{plural}, load on another")
}

/// Measures one load.
pub(crate) fn measure(
    bench: &Bench,
    scenario: &'static str,
    (way, popularity): (&Way, Popularity),
    load: Load,
) -> Result<Row> {
    measure_on(bench, scenario, 1, (way, popularity), load)
}

/// Measures one load on so many shard cores.
pub(super) fn measure_on(
    bench: &Bench,
    scenario: &'static str,
    cores: usize,
    (way, popularity): (&Way, Popularity),
    load: Load,
) -> Result<Row> {
    let subject = Subject { cores: cores_in_words(cores), ..subject(way, popularity) };
    row::measure(bench, scenario, subject, load, || run_once(bench, cores, (way, popularity), load))
}

fn run_once(
    bench: &Bench,
    cores: usize,
    (way, popularity): (&Way, Popularity),
    load: Load,
) -> Result<Run> {
    // No hold is paid for, and no vault is to run beside the node.
    let store = Store::make(bench, cores, "none")?;
    let options = RunOptions {
        store: store.path,
        node_url: None,
        program: bench.claw.clone(),
        node_arguments: Vec::new(),
        carrier: way.carrier,
        authorities: None,
        protocol: way.protocol,
        key: way.key.to_owned(),
        token_audience: way.token_audience(),
        scenario: popularity.scenario("holds", BEHAVIOUR)?,
        users: way.users(load.connections),
        duration: Duration::from_secs(bench.seconds),
        rate: load.rate,
        seed: bench.seed,
        endpoint: Some(HammerTarget::Holds),
    };
    let report = run(&options, &mut Progress::new(Style::Quiet, bench.seconds))?;
    let per_second = per_second(&report);
    let excuse = excuse(&report).or_else(|| load.excuse(per_second, bench.seconds));
    let remark = format!("the load used {:.0} % of its core", 100.0 * report.engine_cpu_share);
    Ok(Run { excuse, remark, ..Run::new(per_second, report.recorder.total) })
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
