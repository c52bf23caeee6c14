//! Our node: holds over HTTP, each with an idempotency key made from its number.
//!
//! After a start every command is asked for again with its key and its body: what was acknowledged
//! must give its first answer, to the byte, and what was in doubt is carried out now at the latest.
//! So the units in holds are the commands ever asked, exactly.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use claw_dataplane::simulate::client::system;
use claw_dataplane::simulate::node_process::{NodeCommand, NodeProcess};
use claw_sdk::{Call, Client, Signer};
use serde_json::{Value, json};

use super::ledger::{Books, Command, Entry};
use super::{Buyer, Places, STOCK, System, process};
use crate::bench::Bench;
use crate::scenario::store::{self, HOT_SKU, Shape};

/// Snapshots and segments come often, so that cuts fall into both.
const SNAPSHOT_INTERVAL_S: u32 = 1;
const SEGMENT_MIB: u64 = 1;
/// No hold expires while the row runs.
const HOLD_TTL_MS: u64 = 3_600_000;
/// Connections that ask again at once.
const CONNECTIONS_COUNT: usize = 8;
/// Shoppers.
const SESSIONS_COUNT: u64 = 8;

/// See the module.
pub(super) struct Node<'a> {
    bench: &'a Bench,
    folder: PathBuf,
    store: PathBuf,
    process: Option<NodeProcess>,
}

impl<'a> Node<'a> {
    /// Not there yet.
    pub(super) fn new(bench: &'a Bench, places: Places<'_>) -> Self {
        let folder = places.data.to_owned();
        Self { bench, store: folder.join("store"), folder, process: None }
    }

    fn client(&self, key: &str) -> Result<Client> {
        let node = self.process.as_ref().context("the node runs")?;
        let signer = Signer::load(&self.store, key)?;
        Ok(Client::new(&format!("http://{}", node.address()), Some(signer))?)
    }

    fn ask_again(&self, asked: &[Command]) -> Result<Vec<(u64, Entry)>> {
        let mut buyer = Holder { client: self.client("storefront-hmac")? };
        let again = asked.iter().map(|command| {
            let answer = buyer.buy(command.number)?;
            Ok((command.number, Entry { times_count: 1, answer }))
        });
        again.collect()
    }
}

impl System for Node<'_> {
    fn set_up(&mut self) -> Result<String> {
        let shape = Shape {
            snapshot_interval_s: SNAPSHOT_INTERVAL_S,
            segment_mib: SEGMENT_MIB,
            ..Shape::default()
        };
        self.store = store::make_in(self.bench, &self.folder, shape)?;
        self.start()?;
        let mut source = self.client("source")?;
        let product = json!({"name": HOT_SKU, "price": {"amount": 1_000, "currency": "EUR"}});
        let target = format!("/v1/products/{HOT_SKU}");
        expect(&mut source, ("PUT", &target), &product)?;
        let delivery = json!({"delta": STOCK, "reason": "delivery"});
        expect(&mut source, ("POST", &format!("{target}/stock")), &delivery)?;
        Ok(String::new())
    }

    fn start(&mut self) -> Result<()> {
        let cpus = system::affinity()?;
        let (program, store) = (self.bench.claw.clone(), self.store.clone());
        let started = NodeProcess::start(&NodeCommand { program, store, arguments: Vec::new() });
        system::set_affinity(&cpus)?;
        self.process = Some(started?);
        Ok(())
    }

    fn process(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("the node runs")?.id())
    }

    fn kill(&mut self) -> Result<()> {
        // Dropped behind that: it takes the exit status.
        self.process.take().map_or(Ok(()), |node| process::kill_all(node.id()))
    }

    fn connect(&self, _number: u64) -> Result<Box<dyn Buyer>> {
        Ok(Box::new(Holder { client: self.client("storefront-hmac")? }))
    }

    fn books(&mut self, asked: &[Command]) -> Result<Books> {
        let node = &*self;
        let parts = asked.chunks(asked.len().div_ceil(CONNECTIONS_COUNT).max(1));
        let entries = std::thread::scope(|scope| {
            let asking: Vec<_> = parts.map(|part| scope.spawn(|| node.ask_again(part))).collect();
            let answers =
                asking.into_iter().map(|asking| asking.join().expect("it does not panic"));
            answers.collect::<Result<Vec<_>>>()
        })?;
        let target = format!("/v1/products/{HOT_SKU}");
        let product = expect(&mut self.client("source")?, ("GET", &target), &Value::Null)?;
        let count = |name: &str| {
            product[name].as_u64().with_context(|| format!("{target} counts {name}: {product}"))
        };
        Ok(Books {
            received: count("received")?,
            available: count("available")?,
            taken: count("held")? + count("sold")?,
            entries: entries.into_iter().flatten().collect(),
        })
    }
}

/// Makes holds of one unit.
struct Holder {
    client: Client,
}

impl Buyer for Holder {
    fn buy(&mut self, number: u64) -> Result<String> {
        let session = format!("s-{}", number % SESSIONS_COUNT);
        let items = json!([{"sku": HOT_SKU, "quantity": 1}]);
        let body = json!({"session": session, "items": items, "ttl_ms": HOLD_TTL_MS}).to_string();
        let key = format!("00000000-0000-4000-8000-{number:012x}");
        let answer = self.client.send(&Call {
            method: "POST",
            target: "/v1/holds",
            body: body.as_bytes(),
            idempotency_key: Some(&key),
            headers: &[],
        })?;
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status == 201, "the node answered {} {said}", answer.status);
        Ok(said)
    }
}

fn expect(client: &mut Client, (method, target): (&str, &str), body: &Value) -> Result<Value> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = client.request(method, target, body.as_bytes())?;
    let said = answer.json();
    ensure!(matches!(answer.status, 200 | 201), "{method} {target}: {} {said}", answer.status);
    Ok(said)
}
