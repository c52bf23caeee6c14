//! A store that takes payments, with its gateway and its node.

use std::time::{Duration, Instant};

use claw_sdk::client::{Call, Client, Response, new_idempotency_key};
use claw_tests::{Gateway, Node, Store};
use serde_json::{Value, json};

/// Longest wait for a saga to come to its end.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

pub(super) const GOOD: &str = "pm_card_visa";
pub(super) const DECLINED: &str = "pm_card_chargeDeclined";
pub(super) const ACTS: &str = "pm_card_authenticationRequired";

pub(super) struct Shop {
    pub(super) store: Store,
    pub(super) node: Node,
    pub(super) gateway: Gateway,
}

impl Shop {
    pub(super) fn open(gateway_arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let gateway = Gateway::start(gateway_arguments);
        let mut store = Store::with("minimal", settings);
        store.pay_at(&gateway);
        let node = Node::start(&store);
        Self { store, node, gateway }
    }

    pub(super) fn client(&self, key: &str) -> Client {
        self.node.client(&self.store, key)
    }

    pub(super) fn stock(&self, sku: &str, units: i64, price: i64) {
        let mut source = self.client("source");
        let product = json!({"name": "A shoe", "price": {"amount": price, "currency": "EUR"}});
        expect(&ask(&mut source, "PUT", &format!("/v1/products/{sku}"), &product), 201);
        let delta = json!({"delta": units, "reason": "test"});
        expect(&ask(&mut source, "POST", &format!("/v1/products/{sku}/stock"), &delta), 200);
    }

    /// (held, sold, available).
    pub(super) fn places(&self, sku: &str) -> [i64; 3] {
        let mut operator = self.client("operator");
        let shown = get(&mut operator, &format!("/v1/products/{sku}"));
        ["held", "sold", "available"].map(|name| shown[name].as_i64().expect("a number"))
    }

    /// Checks one unit out and waits for what becomes of it.
    pub(super) fn buy(&self, sku: &str, token: &str) -> Value {
        let started = self.start(sku, token);
        self.settled(&started)
    }

    /// Checks one unit out; the order's id.
    pub(super) fn start(&self, sku: &str, token: &str) -> String {
        let mut storefront = self.client("storefront");
        let answer = ask(&mut storefront, "POST", "/v1/checkouts", &basket(sku, token));
        let started = expect(&answer, 202);
        started["order_id"].as_str().expect("an id").to_owned()
    }

    pub(super) fn order(&self, order: &str) -> Value {
        get(&mut self.client("storefront"), &format!("/v1/orders/{order}"))
    }

    /// The order once it has come to where somebody else must act.
    pub(super) fn settled(&self, order: &str) -> Value {
        let states = ["placed", "cancelled", "requires_action", "refunded"];
        until(|| {
            let shown = self.order(order);
            states.contains(&shown["state"].as_str().unwrap_or_default()).then_some(shown)
        })
    }

    pub(super) fn step(&self, order: &str, step: &str) -> Response {
        let mut storefront = self.client("storefront");
        ask(&mut storefront, "POST", &format!("/v1/orders/{order}/{step}"), &Value::Null)
    }

    pub(super) fn saga(&self, order: &str) -> Value {
        get(&mut self.client("operator"), &format!("/v1/sagas/{order}"))
    }

    /// Waits until no saga of any shard is under way.
    pub(super) fn rest(&self, shards: u16) {
        let mut operator = self.client("operator");
        for shard in 0..shards {
            until(|| {
                let page = get(&mut operator, &format!("/v1/shards/{shard}/sagas"));
                page["sagas"].as_array().expect("a list").is_empty().then_some(())
            });
        }
    }

    /// The one payment that the gateway has of an order.
    pub(super) fn payment(&self, order: &str) -> Value {
        let mut payments = self.gateway.payments_of(order);
        assert_eq!(payments.len(), 1, "{payments:?}");
        payments.remove(0)
    }
}

pub(super) fn basket(sku: &str, token: &str) -> Value {
    json!({"session": "s", "items": [{"sku": sku, "quantity": 1}], "payment": {"token": token}})
}

pub(super) fn ask(client: &mut Client, method: &str, target: &str, body: &Value) -> Response {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    client.request(method, target, &body).expect("the node answers")
}

pub(super) fn get(client: &mut Client, target: &str) -> Value {
    let answer = ask(client, "GET", target, &Value::Null);
    expect(&answer, 200)
}

pub(super) fn expect(answer: &Response, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.json());
    answer.json()
}

/// Looks until there is something to see.
pub(super) fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "it does not come to that");
        std::thread::park_timeout(LOOK_AGAIN);
    }
}

/// Sends until it is answered, under one key: connections may break at any moment.
pub(super) fn insist(client: &mut Client, target: &str, body: &Value) -> Response {
    let key = new_idempotency_key().expect("randomness");
    let body = body.to_string().into_bytes();
    until(|| {
        // As a shopper does who waits for what becomes of the order.
        let headers = &[("Prefer", "wait=10")];
        let mut call = Call { method: "POST", target, body: &body, headers, ..Call::default() };
        call.idempotency_key = Some(&key);
        let answer = client.send(&call).ok()?;
        (answer.status != 503 && answer.status != 429).then_some(answer)
    })
}
