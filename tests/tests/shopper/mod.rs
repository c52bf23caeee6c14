//! One shopper with books of their own: what was asked, with which key, and what was answered.
//!
//! A shopper asks one thing at a time. So after a kill at most the last thing asked is in doubt,
//! and asking again with the same key settles it. Every other shopper is a clerk, who also
//! receives stock.

pub(crate) mod market;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use claw_sdk::{Call, Client};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Enough to lie in several shards.
pub(crate) const SKUS: [&str; 4] = ["clog", "boot", "sandal", "slipper"];
pub(crate) const COUPON: &str = "TEN";
/// No hold expires while the test runs: expiry has tests of its own.
const HOLD_TTL_MS: u64 = 6 * 3600 * 1000;
/// Deeds between two kills: memory for orders is finite, however fast the machine.
const DEEDS_PER_ROUND_MAX: usize = 1_500;
/// Before asking again for what was refused for now.
const PAUSE: Duration = Duration::from_millis(5);
/// How long an order may take to be placed or cancelled after a start.
const ORDER_PATIENCE: Duration = Duration::from_secs(30);

/// Something asked of the node, and its answer once there is one.
#[derive(Debug)]
struct Deed {
    method: &'static str,
    target: String,
    body: String,
    key: String,
    answer: Option<(u16, Value)>,
}

#[derive(Debug)]
enum HoldState {
    Active,
    Released,
    Ordered { coupon: bool },
}

#[derive(Debug)]
struct Hold {
    lines: BTreeMap<&'static str, u64>,
    state: HoldState,
}

/// A shopper.
#[derive(Debug)]
pub(crate) struct Shopper {
    session: String,
    clerk: bool,
    rng: ChaCha8Rng,
    received: BTreeMap<&'static str, u64>,
    deeds: Vec<Deed>,
    /// Deeds before this one have been asked for again already.
    checked_count: usize,
    holds: BTreeMap<String, Hold>,
    active: Vec<String>,
    /// Orders that were not yet seen placed.
    open_orders: Vec<String>,
    /// What the deed in doubt, or the last one, does to the holds when it is answered.
    intent: Intent,
}

#[derive(Clone, Debug)]
enum Intent {
    Nothing,
    Hold(BTreeMap<&'static str, u64>),
    Release(String),
    Order {
        hold_id: String,
        coupon: bool,
    },
    /// An order of lines that nobody held before.
    Buy {
        lines: BTreeMap<&'static str, u64>,
        coupon: bool,
    },
    Receive {
        sku: &'static str,
        quantity: u64,
    },
}

impl Shopper {
    pub(crate) fn new(number: u64, seed: u64) -> Self {
        Self {
            session: format!("shopper-{number}"),
            clerk: number % 2 == 1,
            rng: ChaCha8Rng::seed_from_u64(seed),
            received: BTreeMap::new(),
            deeds: Vec::new(),
            checked_count: 0,
            holds: BTreeMap::new(),
            active: Vec::new(),
            open_orders: Vec::new(),
            intent: Intent::Nothing,
        }
    }

    /// The key that signs for them: one of each kind.
    pub(crate) fn key_name(&self) -> &'static str {
        if self.clerk { "operator" } else { "storefront-hmac" }
    }

    /// Ask for one thing after the other until the node no longer answers.
    pub(crate) fn shop(&mut self, mut client: Client, closing: &AtomicBool) {
        while !closing.load(Ordering::Relaxed) {
            if self.deeds.last().is_none_or(|deed| deed.answer.is_some()) {
                if self.deeds.len() - self.checked_count >= DEEDS_PER_ROUND_MAX {
                    std::thread::park_timeout(PAUSE);
                    continue;
                }
                self.intend();
            }
            if !self.carry_out(&mut client) {
                return;
            }
        }
    }

    /// Choose the next deed and write it into the books before it is asked.
    fn intend(&mut self) {
        let active = self.active.last().cloned().filter(|_| self.rng.random_bool(0.6));
        let (intent, method, target, body) = match active {
            Some(hold_id) if self.rng.random_bool(0.3) => {
                let target = format!("/v1/holds/{hold_id}");
                (Intent::Release(hold_id), "DELETE", target, String::new())
            }
            Some(hold_id) => {
                let (coupon, body) = self.checkout("hold_id", json!(hold_id));
                let intent = Intent::Order { hold_id, coupon };
                (intent, "POST", "/v1/checkouts".to_owned(), body)
            }
            None if self.clerk && self.rng.random_bool(0.3) => {
                let sku = SKUS[self.rng.random_range(0..SKUS.len())];
                let quantity = self.rng.random_range(1..=9);
                let body = json!({"delta": quantity, "reason": "delivery"}).to_string();
                let target = format!("/v1/products/{sku}/stock");
                (Intent::Receive { sku, quantity }, "POST", target, body)
            }
            None => {
                let (lines, items) = self.choose_lines();
                if self.rng.random_bool(0.3) {
                    let (coupon, body) = self.checkout("items", items);
                    (Intent::Buy { lines, coupon }, "POST", "/v1/checkouts".to_owned(), body)
                } else {
                    let session = &self.session;
                    let body = json!({"session": session, "items": items, "ttl_ms": HOLD_TTL_MS});
                    (Intent::Hold(lines), "POST", "/v1/holds".to_owned(), body.to_string())
                }
            }
        };
        let key = uuid::Builder::from_random_bytes(self.rng.random()).into_uuid().to_string();
        self.deeds.push(Deed { method, target, body, key, answer: None });
        self.intent = intent;
    }

    fn choose_lines(&mut self) -> (BTreeMap<&'static str, u64>, Value) {
        let mut lines = BTreeMap::new();
        for _ in 0..self.rng.random_range(1..=3) {
            let sku = SKUS[self.rng.random_range(0..SKUS.len())];
            lines.insert(sku, self.rng.random_range(1..=3));
        }
        let items = lines.iter().map(|(sku, quantity)| json!({"sku": sku, "quantity": quantity}));
        let items = items.collect();
        (lines, items)
    }

    /// The body of a checkout, half of them with a coupon.
    fn checkout(&mut self, basket: &str, value: Value) -> (bool, String) {
        let coupon = self.rng.random_bool(0.5);
        let mut body = json!({"session": self.session});
        body[basket] = value;
        if coupon {
            body["coupon"] = json!(COUPON);
        }
        (coupon, body.to_string())
    }

    /// Ask for the last deed; `false` when there was no answer.
    fn carry_out(&mut self, client: &mut Client) -> bool {
        let deed = self.deeds.last_mut().expect("intended before");
        let Ok(answer) = client.send(&call(deed)) else { return false };
        let body = answer.json();
        match answer.status {
            // Not now. An earlier try of the same deed may have been carried out all the same, so
            // it stays in doubt and is asked for again.
            429 | 503 if !full(&body) => std::thread::park_timeout(PAUSE),
            status @ 200..=202 => {
                deed.answer = Some((status, body.clone()));
                self.settle(&body);
                self.intent = Intent::Nothing;
            }
            status => panic!("{} {}: {status} {body}", deed.method, deed.target),
        }
        true
    }

    fn settle(&mut self, answer: &Value) {
        let (hold_id, state) = match self.intent.clone() {
            Intent::Nothing => return,
            Intent::Hold(lines) => {
                let id = id_of(answer, "hold_id");
                self.active.push(id.clone());
                self.holds.insert(id, Hold { lines, state: HoldState::Active });
                return;
            }
            Intent::Release(hold_id) => (hold_id, HoldState::Released),
            Intent::Order { hold_id, coupon } => {
                self.open_orders.push(id_of(answer, "order_id"));
                (hold_id, HoldState::Ordered { coupon })
            }
            Intent::Buy { lines, coupon } => {
                let id = id_of(answer, "order_id");
                self.open_orders.push(id.clone());
                self.holds.insert(id, Hold { lines, state: HoldState::Ordered { coupon } });
                return;
            }
            Intent::Receive { sku, quantity } => {
                *self.received.entry(sku).or_default() += quantity;
                return;
            }
        };
        self.active.retain(|id| *id != hold_id);
        self.holds.get_mut(&hold_id).expect("one of ours").state = state;
    }

    /// After a start: settle what is in doubt, and ask again for all that was answered since the
    /// last time.
    pub(crate) fn ask_again(&mut self, client: &mut Client) {
        let deadline = Instant::now() + ORDER_PATIENCE;
        while self.deeds.last().is_some_and(|deed| deed.answer.is_none()) {
            assert!(self.carry_out(client), "the node stopped answering");
            assert!(Instant::now() < deadline, "{:?} is never answered", self.deeds.last());
        }
        for deed in &self.deeds[self.checked_count..] {
            let (status, first) = deed.answer.as_ref().expect("settled above");
            let again = client.send(&call(deed)).expect("the node answers");
            let body = again.json();
            if deed.target == "/v1/checkouts" {
                // The same order, in its current state.
                assert_eq!(body["order_id"], first["order_id"], "{deed:?}: {body}");
            } else {
                assert_eq!((again.status, &body), (*status, first), "{deed:?}");
            }
        }
        self.checked_count = self.deeds.len();
        self.wait_for_orders(client, deadline);
    }

    fn wait_for_orders(&mut self, client: &mut Client, deadline: Instant) {
        for order_id in self.open_orders.drain(..) {
            loop {
                let order = client.request("GET", &format!("/v1/orders/{order_id}"), b"");
                let order = order.expect("the node answers").json();
                if order["state"] == "placed" {
                    break;
                }
                assert_ne!(order["state"], "cancelled", "there is stock for all: {order}");
                assert!(Instant::now() < deadline, "the order does not get on: {order}");
            }
        }
    }

    pub(crate) fn report(&self, books: &mut Books) {
        for hold in self.holds.values() {
            let counts = match &hold.state {
                HoldState::Active => &mut books.held,
                HoldState::Released => continue,
                HoldState::Ordered { coupon } => {
                    books.coupon_uses += u64::from(*coupon);
                    &mut books.sold
                }
            };
            for (sku, quantity) in &hold.lines {
                *counts.entry(sku).or_default() += quantity;
            }
        }
        for (sku, quantity) in &self.received {
            *books.received.entry(sku).or_default() += quantity;
        }
        books.deeds_count += self.deeds.len();
    }

    pub(crate) fn orders_count(&self) -> u64 {
        let ordered = |hold: &Hold| u64::from(matches!(hold.state, HoldState::Ordered { .. }));
        self.holds.values().map(ordered).sum()
    }
}

/// Waiting would not help: the run was too long for its store.
fn full(problem: &Value) -> bool {
    problem["type"] == "urn:openclaw:problem:capacity-full"
}

fn id_of(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_else(|| panic!("{member} of {answer}")).to_owned()
}

fn call(deed: &Deed) -> Call<'_> {
    Call {
        method: deed.method,
        target: &deed.target,
        body: deed.body.as_bytes(),
        idempotency_key: Some(&deed.key),
        headers: &[],
    }
}

/// What all shoppers together believe.
#[derive(Debug, Default)]
pub(crate) struct Books {
    received: BTreeMap<&'static str, u64>,
    held: BTreeMap<&'static str, u64>,
    sold: BTreeMap<&'static str, u64>,
    coupon_uses: u64,
    deeds_count: usize,
}

impl Books {
    pub(crate) fn answers_count(&self) -> usize {
        self.deeds_count
    }

    pub(crate) fn received(&self, sku: &str) -> u64 {
        self.received.get(sku).copied().unwrap_or_default()
    }

    pub(crate) fn held(&self, sku: &str) -> u64 {
        self.held.get(sku).copied().unwrap_or_default()
    }

    pub(crate) fn coupon_uses(&self) -> u64 {
        self.coupon_uses
    }

    pub(crate) fn sold(&self, sku: &str) -> u64 {
        self.sold.get(sku).copied().unwrap_or_default()
    }
}

impl fmt::Display for Books {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, sold): (u64, u64) = (self.held.values().sum(), self.sold.values().sum());
        let Self { deeds_count, coupon_uses, .. } = self;
        write!(formatter, "{deeds_count} answers, {held} held, {sold} sold, {coupon_uses} coupons")
    }
}
