//! A store with a node on it, a crowd of attackers, and the books that must agree afterwards.
//!
//! Owns the race (everybody is connected before anybody is let go) and the judgement: what clients
//! were told, what the node shows, what the gateway was paid and what the audit of the stopped
//! store says must be one. Deliberately knows no attack.

use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use claw_common::id::shard_of_key;
use claw_sdk::TokenClaims;
use claw_sdk::client::{Call, Client, Response, now_s};
use claw_tests::{Gateway, Node, Store};
use serde_json::{Value, json};

use crate::bodies::{coupon_path, eur, problem, product_path, stock_path};
use crate::books::{self, Stock, text};

/// Stores that each attack is tried on: everything with one writer, and spread over several.
pub(crate) const SHAPES: [u16; 2] = [1, SEVERAL];
/// The shape of stores in which an attack is tried once.
pub(crate) const SEVERAL: u16 = 4;
/// Attackers let go at once.
pub(crate) const CROWD: usize = 24;
/// Longest wait for what comes by itself: a busy machine, not a slow node.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// A means of payment that is accepted.
const CARD: &str = "pm_card_visa";

/// One who asks with one of the store's keys, over one connection.
#[derive(Debug)]
pub(crate) struct Attacker {
    client: Client,
    /// `Bearer TOKEN`, where it asks with a shopper's token.
    bearer: Option<String>,
}

impl Attacker {
    pub(crate) fn new(client: Client, bearer: Option<String>) -> Self {
        let mut attacker = Self { client, bearer };
        // Unsigned, and only there to have the connection before the race.
        assert_eq!(attacker.get("/v1/health").status, 200);
        attacker
    }

    /// Reserves these lines: the hold's id, or the name of the refusal.
    pub(crate) fn hold(&mut self, body: &Value) -> Result<String, String> {
        let answer = self.post("/v1/holds", body);
        match answer.status {
            201 => Ok(text(&answer.json()["hold_id"])),
            _ => Err(problem(&answer)),
        }
    }

    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.send(("GET", target), &Value::Null, &Call::default())
    }

    pub(crate) fn post(&mut self, target: &str, body: &Value) -> Response {
        self.send(("POST", target), body, &Call::default())
    }

    pub(crate) fn put(&mut self, target: &str, body: &Value) -> Response {
        self.send(("PUT", target), body, &Call::default())
    }

    pub(crate) fn delete(&mut self, target: &str) -> Response {
        self.send(("DELETE", target), &Value::Null, &Call::default())
    }

    /// The same with an idempotency key of its own choice.
    pub(crate) fn post_as(&mut self, target: &str, body: &Value, key: &str) -> Response {
        let call = Call { idempotency_key: Some(key), ..Call::default() };
        self.send(("POST", target), body, &call)
    }

    /// Buys: the order's id, or the name of the refusal.
    pub(crate) fn buy(&mut self, body: &Value) -> Result<String, String> {
        let call = Call { headers: &[("Prefer", "wait=10")], ..Call::default() };
        let answer = self.send(("POST", "/v1/checkouts"), body, &call);
        match answer.status {
            200 | 202 => Ok(text(&answer.json()["order_id"])),
            _ => Err(problem(&answer)),
        }
    }

    /// `null` stands for no body at all.
    fn send(&mut self, place: (&str, &str), body: &Value, call: &Call<'_>) -> Response {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let bearer = self.bearer.as_deref().map(|bearer| ("Authorization", bearer));
        let headers: Vec<_> = call.headers.iter().copied().chain(bearer).collect();
        let (method, target) = place;
        let call = Call { method, target, body: &body, headers: &headers, ..*call };
        self.client.send(&call).expect("the node answers")
    }
}

/// Lets everybody go at once; what each got, in their order.
pub(crate) fn at_once<T: Send>(
    crowd: &mut [Attacker],
    attack: impl Fn(usize, &mut Attacker) -> T + Sync,
) -> Vec<T> {
    let attack = &attack;
    let runs =
        crowd.iter_mut().enumerate().map(|(number, attacker)| move || attack(number, attacker));
    let_go(runs.collect())
}

/// The same for those who have not the same to do.
pub(crate) fn let_go<T: Send>(runs: Vec<impl FnOnce() -> T + Send>) -> Vec<T> {
    let barrier = Barrier::new(runs.len());
    thread::scope(|scope| {
        let barrier = &barrier;
        let mut threads = Vec::new();
        for run in runs {
            threads.push(scope.spawn(move || {
                barrier.wait();
                run()
            }));
        }
        threads.into_iter().map(|thread| thread.join().expect("it was answered")).collect()
    })
}

/// A store and its running node, and the gateway it is paid at where it is paid.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) store: Store,
    gateway: Option<Gateway>,
    shards: u16,
    /// Who looks.
    operator: Mutex<Attacker>,
}

impl World {
    /// A store in which nothing is paid for.
    pub(crate) fn open(shards: u16) -> Self {
        Self::start(fresh_store(shards), None, shards)
    }

    /// A store that is paid at a gateway which takes its time, so that a payment is under way while
    /// the attack goes on.
    pub(crate) fn open_paid(shards: u16) -> Self {
        let gateway = Gateway::start(&["--latency-ms", "2"]);
        let mut store = fresh_store(shards);
        store.pay_at(&gateway);
        Self::start(store, Some(gateway), shards)
    }

    fn start(store: Store, gateway: Option<Gateway>, shards: u16) -> Self {
        let node = Node::start(&store);
        let operator = Mutex::new(Attacker::new(node.client(&store, "operator"), None));
        Self { node, store, gateway, shards, operator }
    }

    /// So many with one key, each connected.
    pub(crate) fn crowd(&self, key: &str, count: usize) -> Vec<Attacker> {
        (0..count).map(|_| self.attacker(key)).collect()
    }

    pub(crate) fn attacker(&self, key: &str) -> Attacker {
        Attacker::new(self.node.client(&self.store, key), None)
    }

    /// One who bears a shopper's token of this session.
    pub(crate) fn shopper(&self, session: &str) -> Attacker {
        let scope = "cart checkout watch";
        let claims =
            TokenClaims { audience: "store", session, scope, issued_s: now_s(), life_s: 3600 };
        let token = self.store.signer("storefront").token(&claims).expect("a good token");
        let client = Client::new(self.node.url(), None).expect("its own address");
        Attacker::new(client, Some(format!("Bearer {token}")))
    }

    /// A product with stock.
    pub(crate) fn stock(&self, sku: &str, units: i64, price: i64) {
        let mut source = self.attacker("source");
        let product = json!({"name": sku, "price": eur(price)});
        assert_eq!(source.put(&product_path(sku), &product).status, 201);
        let delta = json!({"delta": units, "reason": "delivery"});
        assert_eq!(source.post(&stock_path(sku), &delta).status, 200);
    }

    /// Products with the same of each.
    pub(crate) fn stock_each(&self, skus: &[String], units: i64, price: i64) {
        for sku in skus {
            self.stock(sku, units, price);
        }
    }

    pub(crate) fn coupon(&self, code: &str, terms: &Value) {
        let answer = self.attacker("source").put(&coupon_path(code), terms);
        assert!(matches!(answer.status, 200 | 201), "{}", answer.json());
    }

    /// Uses of a coupon, those of orders under way included.
    pub(crate) fn uses(&self, code: &str) -> u64 {
        let shown = self.read(&coupon_path(code));
        shown["uses"].as_u64().expect("a number")
    }

    /// What a body must say of payment here.
    pub(crate) fn paid_with_card(&self, mut body: Value) -> Value {
        if self.gateway.is_some() {
            body["payment"] = json!({"token": CARD});
        }
        body
    }

    /// SKUs with this beginning, so many, each on the next shard.
    pub(crate) fn scattered_skus(&self, beginning: &str, count: u16) -> Vec<String> {
        let on = |shard: u16| {
            let mut names = (0..).map(|number: u32| format!("{beginning}-{shard}-{number}"));
            names.find(|sku| shard_of_key(sku, self.shards).0 == shard % self.shards)
        };
        (0..count).map(|shard| on(shard).expect("names are many")).collect()
    }

    pub(crate) fn read(&self, target: &str) -> Value {
        let answer = self.operator.lock().expect("nobody panicked").get(target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.json());
        answer.json()
    }

    pub(crate) fn stock_of(&self, sku: &str) -> Stock {
        Stock::read(&self.read(&product_path(sku)))
    }

    /// The orders as they are once nothing is under way any more.
    pub(crate) fn at_rest(&self, orders: &[String]) -> Vec<Value> {
        for shard in 0..self.shards {
            let target = format!("/v1/shards/{shard}/sagas");
            until("sagas are under way", || {
                let page = self.read(&target);
                page["sagas"].as_array().expect("a list").is_empty().then_some(())
            });
        }
        orders.iter().map(|order| self.read(&format!("/v1/orders/{order}"))).collect()
    }

    /// Waits until this is held and sold of a SKU: what one shard owes another comes by itself.
    pub(crate) fn expect_places(&self, sku: &str, held: i64, sold: i64) {
        until(&format!("{sku}: not {held} held and {sold} sold"), || {
            let stock = self.stock_of(sku);
            (stock.held == held && stock.sold == sold).then_some(())
        });
    }

    /// Ends it: the books of these SKUs, each with the units that live holds have of it, agree with
    /// the orders that anybody was told of; so do the gateway and the audit of the stopped store.
    pub(crate) fn close(mut self, places: &[(&str, i64)], orders: &[String]) {
        let orders = self.at_rest(orders);
        orders.iter().for_each(books::assert_priced);
        for (sku, held) in places {
            self.expect_places(sku, *held, books::units_sold(&orders, sku));
        }
        if let Some(gateway) = &self.gateway {
            books::assert_paid(&orders, &gateway.ledger());
        }
        assert!(self.node.terminate().success(), "{}", self.node.said());
        books::assert_audited(&self.store, &orders);
    }
}

fn fresh_store(shards: u16) -> Store {
    // No limit of rates: an attacker with many sessions would not meet it. Little memory, since
    // taking it is most of a start.
    let settings = [
        ("store.shards", shards.to_string()),
        ("node.memory", "\"128MiB\"".to_owned()),
        ("limits.requests_per_second_per_session", "0".to_owned()),
    ];
    let settings = settings.each_ref().map(|(setting, value)| (*setting, value.as_str()));
    Store::with("minimal", &settings)
}

/// Looks until there is something to see.
pub(crate) fn until<T>(missed: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "{missed}");
        thread::park_timeout(LOOK_AGAIN);
    }
}
