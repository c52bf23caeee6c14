//! A store with a node on it, and short ways to ask and to check.

use std::fs;
use std::time::Duration;

use claw_common::id::shard_of_key;
use claw_sdk::TokenClaims;
use claw_sdk::client::{Call, Client, Response, now_s};
use claw_tests::{Node, Store};
use serde_json::{Value, json};

/// Shards of a store under test: enough that baskets lie across several.
pub(crate) const SHARDS: u16 = 4;
/// Between two looks at something that only time brings.
const LOOK_AGAIN: Duration = Duration::from_millis(7);

/// One who asks with one key.
#[derive(Debug)]
pub(crate) struct Asker {
    client: Client,
    /// `Bearer TOKEN`, where it asks with a token.
    bearer: Option<String>,
}

impl Asker {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, bearer: None }
    }

    /// One who asks with a token of the shop's.
    pub(crate) fn shopper(world: &World, session: &str, scope: &str) -> Self {
        let client = Client::new(world.node.url(), None).expect("its own address");
        let claims =
            TokenClaims { audience: "store", session, scope, issued_s: now_s(), life_s: 3600 };
        let token = world.store.signer("storefront").token(&claims).expect("a good token");
        Self { client, bearer: Some(format!("Bearer {token}")) }
    }

    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.request("GET", target, b"")
    }

    pub(crate) fn post(&mut self, target: &str, body: &Value) -> Response {
        self.request("POST", target, &bytes(body))
    }

    pub(crate) fn put(&mut self, target: &str, body: &Value) -> Response {
        self.request("PUT", target, &bytes(body))
    }

    pub(crate) fn delete(&mut self, target: &str) -> Response {
        self.request("DELETE", target, b"")
    }

    fn request(&mut self, method: &str, target: &str, body: &[u8]) -> Response {
        self.send(&Call { method, target, body, ..Call::default() })
    }

    pub(crate) fn send(&mut self, call: &Call<'_>) -> Response {
        let bearer = self.bearer.as_deref().map(|bearer| ("Authorization", bearer));
        let headers: Vec<_> = call.headers.iter().copied().chain(bearer).collect();
        let call = &Call { headers: &headers, ..*call };
        self.client.send(call).expect("the node answers")
    }
}

/// `null` stands for no body at all.
fn bytes(body: &Value) -> Vec<u8> {
    if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }
}

/// A store and its running node.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) store: Store,
    pub(crate) operator: Asker,
    pub(crate) source: Asker,
    pub(crate) storefront: Asker,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::start_on(fresh_store(&[]), &[])
    }

    pub(crate) fn start_on(store: Store, args: &[&str]) -> Self {
        let node = Node::start_with(&store, args);
        let asker = |name| Asker::new(node.client(&store, name));
        let (operator, source) = (asker("operator"), asker("source"));
        let storefront = asker("storefront-hmac");
        Self { node, store, operator, source, storefront }
    }

    /// A product with stock.
    pub(crate) fn stock(&mut self, sku: &str, units: i64, price: i64) {
        self.stock_in(sku, units, (price, "EUR"));
    }

    pub(crate) fn stock_in(&mut self, sku: &str, units: i64, price: (i64, &str)) {
        let body = json!({"name": sku, "price": {"amount": price.0, "currency": price.1}});
        done(&self.source.put(&product_path(sku), &body), 201);
        if units > 0 {
            let moved = json!({"delta": units, "reason": "delivery"});
            done(&self.source.post(&format!("/v1/products/{sku}/stock"), &moved), 200);
        }
    }

    /// Received, removed, on hand, held, sold, available.
    pub(crate) fn counts(&mut self, sku: &str) -> [i64; 6] {
        let product = done(&self.operator.get(&product_path(sku)), 200);
        ["received", "removed", "on_hand", "held", "sold", "available"]
            .map(|name| product[name].as_i64().expect("a number"))
    }

    /// Held, sold, available.
    pub(crate) fn places(&mut self, sku: &str) -> [i64; 3] {
        let [_, _, _, held, sold, available] = self.counts(sku);
        [held, sold, available]
    }

    pub(crate) fn hold(&mut self, session: &str, items: &[(&str, i64)]) -> String {
        let answer = self.storefront.post("/v1/holds", &hold_body(session, items));
        text(&done(&answer, 201)["hold_id"])
    }

    /// Buys and waits until the order is settled.
    pub(crate) fn buy(&mut self, body: &Value) -> Value {
        let answer = self.storefront.send(&Call {
            method: "POST",
            target: "/v1/checkouts",
            body: body.to_string().as_bytes(),
            headers: &[("Prefer", "wait=10")],
            ..Call::default()
        });
        done(&answer, 200)
    }
}

/// A minimal store with lines of its `store.toml` changed, each found by its key.
pub(crate) fn fresh_store(changes: &[(&str, &str)]) -> Store {
    let store = Store::create("minimal");
    configure(&store, &[("shards", &SHARDS.to_string()), ("segment_bytes", "\"4MiB\"")]);
    configure(&store, changes);
    store
}

pub(crate) fn configure(store: &Store, changes: &[(&str, &str)]) {
    let path = store.path().join("store.toml");
    let text = fs::read_to_string(&path).expect("claw init wrote it");
    let change = |line: &str| {
        let key = line.trim_start_matches('#').split_once(" = ").map(|(key, _)| key);
        let found = changes.iter().find(|change| Some(change.0) == key);
        found.map_or_else(|| format!("{line}\n"), |(key, value)| format!("{key} = {value}\n"))
    };
    let changed: String = text.lines().map(change).collect();
    fs::write(&path, changed).expect("the disk has room");
}

pub(crate) fn product_path(sku: &str) -> String {
    format!("/v1/products/{sku}")
}

pub(crate) fn items(items: &[(&str, i64)]) -> Value {
    items.iter().map(|(sku, quantity)| json!({"sku": sku, "quantity": quantity})).collect()
}

pub(crate) fn hold_body(session: &str, lines: &[(&str, i64)]) -> Value {
    json!({"session": session, "items": items(lines)})
}

/// SKUs of which each lies in another shard, in the order of their names.
pub(crate) fn scattered_skus(prefix: &str) -> Vec<String> {
    let mut found: Vec<(u16, String)> = Vec::new();
    for number in 100.. {
        let sku = format!("{prefix}-{number}");
        let shard = shard_of_key(&sku, SHARDS).0;
        if found.iter().all(|(taken, _)| *taken != shard) {
            found.push((shard, sku));
        }
        if found.len() == usize::from(SHARDS) {
            break;
        }
    }
    found.into_iter().map(|(_, sku)| sku).collect()
}

/// The answer's body, which is no problem.
pub(crate) fn done(answer: &Response, status: u16) -> Value {
    let said = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{said}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{said}");
    answer.json()
}

/// The problem of this name, with all that every problem has.
pub(crate) fn refused(answer: &Response, status: u16, name: &str) -> Value {
    let said = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{said}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{said}");
    let problem = answer.json();
    assert_eq!(problem["type"], format!("urn:openclaw:problem:{name}"), "{said}");
    assert_eq!(problem["status"], status, "{said}");
    for member in ["title", "detail"] {
        assert!(!problem[member].as_str().unwrap_or_default().is_empty(), "{said}");
    }
    assert_eq!(answer.header("retry-after").is_some(), matches!(status, 429 | 503), "{said}");
    problem
}

/// Refused by the State-Schema, at this member.
pub(crate) fn refused_at(answer: &Response, path: &str) {
    let problem = refused(answer, 422, "schema");
    assert_eq!(problem["path"], path, "{problem}");
}

/// Names of an object's members, sorted.
pub(crate) fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().expect("an object").keys().collect();
    names.sort();
    names.into_iter().map(String::as_str).collect()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

pub(crate) fn eur(amount: i64) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn assert_time(value: &Value) {
    let text = text(value);
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{text}");
}

/// A UUID of version 7.
pub(crate) fn assert_id(value: &Value) {
    let id: uuid::Uuid = text(value).parse().expect("a UUID");
    assert_eq!(id.get_version_num(), 7, "{id}");
}

/// Looks again until `look` finds something.
pub(crate) fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::park_timeout(LOOK_AGAIN);
    }
    panic!("waited too long");
}
