//! A node that is filled quickly: products and holds by the thousand over the wire protocol.
//!
//! Owns the node and its store, the two clients (the source's and a storefront's), and what can be
//! read of the node from outside: its resident memory, its log. Measures no rate: it fills.

use std::net::SocketAddrV4;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use claw_common::money::{Currency, Money};
use claw_dataplane::simulate::client::system;
use claw_dataplane::simulate::node_process::{NodeCommand, NodeProcess};
use claw_sdk::Signer;
use claw_sdk::wire::{Client, Command, Line, Options, Outcome};

use super::store::Store;
use crate::bench::Bench;

/// Longest start: a long log on a busy machine.
const READY_MAX: Duration = Duration::from_mins(15);
/// Commands that are made at once.
const BATCH_COUNT: u64 = 8_192;
/// Units of each product: more than any run holds.
const STOCK: i64 = 1_000_000_000;
/// Sessions of the holds.
const SESSIONS: [&str; 8] = ["s-0", "s-1", "s-2", "s-3", "s-4", "s-5", "s-6", "s-7"];

/// See the module.
pub(super) struct Filled {
    pub(super) node: NodeProcess,
    pub(super) store: Store,
    cpus: Vec<usize>,
}

impl Filled {
    /// Starts a node on its store, on the cores a node gets; this thread moves to the last.
    pub(super) fn start(bench: &Bench, store: Store) -> Result<Self> {
        let cpus = system::affinity()?;
        let node = start_node(bench, &store)?;
        Ok(Self { node, store, cpus })
    }

    /// Where the node listens.
    pub(super) const fn address(&self) -> SocketAddrV4 {
        self.node.address()
    }

    /// Makes products with stock.
    pub(super) fn make_products(&self, skus: &[String]) -> Result<()> {
        let mut source = self.client("source")?;
        let price =
            Money { amount: 1_000, currency: Currency::parse("EUR").context("a currency")? };
        for skus in skus.chunks(usize::try_from(BATCH_COUNT)?) {
            let products: Vec<Command<'_>> = skus
                .iter()
                .map(|sku| Command::PutProduct {
                    sku,
                    name: "Midnight runner",
                    price,
                    attributes: "",
                    version_expected: None,
                })
                .collect();
            ask(&mut source, &products)?;
            let stock: Vec<Command<'_>> = skus
                .iter()
                .map(|sku| Command::MoveStock { sku, delta: STOCK, reason: "first delivery" })
                .collect();
            ask(&mut source, &stock)?;
        }
        Ok(())
    }

    /// Makes holds of one unit of a product.
    pub(super) fn make_holds(&self, sku: &str, count: u64, ttl_ms: u64) -> Result<()> {
        let mut storefront = self.client("storefront-hmac")?;
        let lines = [Line { sku, quantity: 1 }];
        let holds: Vec<Command<'_>> = (0..BATCH_COUNT)
            .zip(SESSIONS.iter().cycle())
            .map(|(_, session)| Command::CreateHold {
                session,
                lines: &lines,
                ttl_ms: Some(ttl_ms),
            })
            .collect();
        let mut left = count;
        while left > 0 {
            let some = left.min(BATCH_COUNT);
            ask(&mut storefront, &holds[..usize::try_from(some)?])?;
            left -= some;
        }
        Ok(())
    }

    fn client(&self, key: &str) -> Result<Client> {
        let signer = Arc::new(Signer::load(&self.store.path, key)?);
        Ok(Client::connect(&self.address().to_string(), signer, Options::default())?)
    }

    /// Units of a product in live holds.
    pub(super) fn held(&self, sku: &str) -> Result<u64> {
        let mut source = self.client("source")?;
        let answer = source.call(&Command::ReadProduct { sku })?;
        match answer.outcome() {
            Some(Outcome::Product(product)) => Ok(product.held),
            _ => bail!("the node answered {} {:?}", answer.status, answer.problem()),
        }
    }

    /// Its resident memory.
    pub(super) fn resident_bytes(&self) -> Result<u64> {
        resident_bytes(self.node.id())
    }

    /// Ends the node in order; the store stays.
    pub(super) fn stop(self) -> Result<Store> {
        self.node.stop()?;
        system::set_affinity(&self.cpus)?;
        Ok(self.store)
    }
}

/// Starts a node; this thread moves to the last core.
pub(super) fn start_node(bench: &Bench, store: &Store) -> Result<NodeProcess> {
    let (program, store) = (bench.claw.clone(), store.path.clone());
    let command = NodeCommand { program, store, arguments: Vec::new() };
    Ok(NodeProcess::start_within(&command, READY_MAX)?)
}

/// Resident memory of a process.
pub(crate) fn resident_bytes(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("a size")?;
    Ok(kib.parse::<u64>()? * 1024)
}

/// What a stopped node's log holds, as `claw log stats` counts it.
pub(super) fn log_stats(bench: &Bench, store: &Store) -> Result<serde_json::Value> {
    let output = Process::new(&bench.claw)
        .args(["log", "stats", "--json", "--store"])
        .arg(&store.path)
        .output()
        .context("start claw log stats")?;
    let talk = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "claw log stats: {talk}");
    serde_json::from_slice(&output.stdout).context("read what claw log stats says")
}

fn ask(client: &mut Client, commands: &[Command<'_>]) -> Result<()> {
    let mut refused = None;
    client.batch(commands, |_, answer| {
        if !matches!(answer.status, 200 | 201) {
            refused.get_or_insert_with(|| format!("{} {:?}", answer.status, answer.problem()));
        }
    })?;
    ensure!(refused.is_none(), "the node answered {}", refused.unwrap_or_default());
    Ok(())
}
