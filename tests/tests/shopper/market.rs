//! A few shoppers at once on one store, and their books held against the node's.

use std::sync::atomic::{AtomicBool, Ordering};

use claw_sdk::Client;
use claw_tests::{Node, Store};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{Books, COUPON, SKUS, Shopper};

const SHOPPERS_COUNT: u64 = 8;
/// After this many answers a fresh store: the memory for orders is finite, and full is 503.
pub(crate) const ANSWERS_PER_STORE: usize = 20_000;
const STOCK: u64 = 1_000_000;

/// Shoppers of one store.
#[derive(Debug)]
pub(crate) struct Market {
    shoppers: Vec<Shopper>,
}

/// A store for shoppers who ask as fast as they can, of which the log rolls over, is snapshotted
/// and archived all the time.
pub(crate) fn busy_store(shards: &str) -> Store {
    let settings = [
        ("store.shards", shards),
        ("log.snapshot_interval_s", "1"),
        ("limits.requests_per_second_per_session", "0"),
    ];
    Store::with("flash-drop", &settings)
}

impl Market {
    /// Puts products over several shards, and a coupon that nobody can use up, into the store.
    pub(crate) fn open(store: &Store, node: &Node, rng: &mut ChaCha8Rng) -> Self {
        let mut source = node.client(store, "source");
        for sku in SKUS {
            let product = json!({"name": sku, "price": {"amount": 4900, "currency": "EUR"}});
            let target = format!("/v1/products/{sku}");
            expect(&mut source, "PUT", &target, &product, 201);
            let delivery = json!({"delta": STOCK, "reason": "delivery"});
            expect(&mut source, "POST", &format!("{target}/stock"), &delivery, 200);
        }
        let coupon = json!({"kind": "percent", "value": 1000, "uses_max": STOCK});
        expect(&mut source, "PUT", &format!("/v1/coupons/{COUPON}"), &coupon, 201);
        let shoppers = (0..SHOPPERS_COUNT).map(|number| Shopper::new(number, rng.random()));
        Self { shoppers: shoppers.collect() }
    }

    /// Everybody shops until `stop` has stopped the node.
    pub(crate) fn shop_until(
        &mut self,
        store: &Store,
        node: &mut Node,
        stop: impl FnOnce(&mut Node),
    ) {
        let closing = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for shopper in &mut self.shoppers {
                let client = node.client(store, shopper.key_name());
                let closing = &closing;
                scope.spawn(move || shopper.shop(client, closing));
            }
            stop(node);
            closing.store(true, Ordering::Relaxed);
        });
    }

    /// After a start: everything acknowledged is asked for again and gets its first answer, what
    /// is in doubt is settled, and the node's counts are the shoppers' counts.
    pub(crate) fn settle(&mut self, store: &Store, node: &Node) -> Books {
        let mut books = Books::default();
        for shopper in &mut self.shoppers {
            shopper.ask_again(&mut node.client(store, shopper.key_name()));
            shopper.report(&mut books);
        }
        compare(&books, &mut node.client(store, "operator"));
        books
    }

    pub(crate) fn orders_count(&self) -> u64 {
        self.shoppers.iter().map(Shopper::orders_count).sum()
    }
}

/// With the node stopped: the log is whole and its books balance.
pub(crate) fn inspect(store: &Store) {
    let (code, said) = store.claw(&["audit"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("oversold: 0"), "{said}");
    let (code, said) = store.claw(&["log", "verify"]);
    assert_eq!(code, Some(0), "{said}");
}

fn expect(client: &mut Client, method: &str, target: &str, body: &Value, status: u16) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = client.request(method, target, body.as_bytes()).expect("the node answers");
    assert_eq!(answer.status, status, "{method} {target}: {}", answer.json());
    answer.json()
}

fn compare(books: &Books, operator: &mut Client) {
    for sku in SKUS {
        let product = expect(operator, "GET", &format!("/v1/products/{sku}"), &Value::Null, 200);
        let count = |name: &str| product[name].as_u64().expect("a count");
        let received = STOCK + books.received(sku);
        assert_eq!(count("received"), received, "{sku} received: {product}");
        assert_eq!(count("held"), books.held(sku), "{sku} held: {product}");
        assert_eq!(count("sold"), books.sold(sku), "{sku} sold: {product}");
        assert_eq!(count("available"), received - count("held") - count("sold"), "{product}");
    }
    let coupon = expect(operator, "GET", &format!("/v1/coupons/{COUPON}"), &Value::Null, 200);
    assert_eq!(coupon["uses"], books.coupon_uses(), "{coupon}");
}
