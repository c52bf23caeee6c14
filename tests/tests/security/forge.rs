//! A shop under attack, and the means of the attacker: tokens and requests that say anything.

use claw_dataplane::ingest::routes::{ROUTES, RouteSpec};
use claw_sdk::client::{Response, new_idempotency_key, now_s};
use claw_sdk::{Signer, TokenClaims};
use claw_tests::{Draft, Node, Store, Wire};
use serde_json::{Value, json};

/// The name that `claw init` gave the store: what tokens must be for.
pub(crate) const STORE: &str = "store";
/// Every scope there is.
pub(crate) const ALL_SCOPES: &str = "cart checkout watch";

/// A store with a node on it and something to buy.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) store: Store,
    pub(crate) node: Node,
}

impl Shop {
    pub(crate) fn open() -> Self {
        let store = Store::with("minimal", &[("store.shards", "4")]);
        let node = Node::start(&store);
        let shop = Self { store, node };
        let price = json!({"amount": 1999, "currency": "EUR"});
        let shirt = json!({"name": "Shirt", "price": price});
        assert_eq!(shop.sign("source", ("PUT", "/v1/products/shirt"), &shirt).status, 201);
        let stock = json!({"delta": 1000, "reason": "delivery"});
        let moved = shop.sign("source", ("POST", "/v1/products/shirt/stock"), &stock);
        assert_eq!(moved.status, 200, "{}", moved.json());
        shop
    }

    /// A good request of a key; `null` for no body.
    pub(crate) fn sign(&self, key: &str, place: (&str, &str), body: &Value) -> Response {
        let signer = self.store.signer(key);
        let (method, target) = place;
        let body = bytes(body);
        let identity = new_idempotency_key().expect("randomness");
        let identity = (method != "GET").then_some(identity.as_str());
        let draft =
            Draft { idempotency_key: identity, ..Draft::new(&signer, method, target, &body) };
        self.send(&draft.bytes(&self.node))
    }

    /// A token as the shop would make it.
    pub(crate) fn token(&self, session: &str, scope: &str) -> String {
        let claims =
            TokenClaims { audience: STORE, session, scope, issued_s: now_s(), life_s: 600 };
        self.store.signer("storefront").token(&claims).expect("a good token")
    }

    /// A good request with a token; `null` for no body.
    pub(crate) fn bear(&self, token: &str, place: (&str, &str), body: &Value) -> Response {
        self.send(&self.borne(token, place, body))
    }

    /// Its bytes.
    pub(crate) fn borne(&self, token: &str, place: (&str, &str), body: &Value) -> Vec<u8> {
        let (method, target) = place;
        let body = bytes(body);
        let identity = new_idempotency_key().expect("randomness");
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n",
            self.node.authority()
        );
        if method != "GET" {
            let length = body.len();
            let fields = format!("Idempotency-Key: {identity}\r\nContent-Length: {length}\r\n");
            head.push_str(&fields);
        }
        [head.as_bytes(), b"\r\n", &body].concat()
    }

    /// What the node says to these bytes on a connection of their own.
    pub(crate) fn send(&self, bytes: &[u8]) -> Response {
        let mut wire = Wire::connect(&self.node);
        wire.send(bytes);
        wire.answer()
    }

    /// A product as the operator sees it: what anything done to stock would change.
    pub(crate) fn shirt(&self) -> Value {
        let answer = self.sign("operator", ("GET", "/v1/products/shirt"), &Value::Null);
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }

    /// Runs an attack and asserts that the log is as long as before.
    pub(crate) fn unmoved(&self, attack: impl FnOnce()) {
        let before = self.node.positions();
        attack();
        assert_eq!(self.node.positions(), before, "something was logged");
    }
}

/// The header of a token of the storefront's.
pub(crate) fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "JWT", "kid": "storefront"})
}

/// The claims of a token that would be good.
pub(crate) fn claims() -> Value {
    let now_s = now_s();
    json!({"aud": STORE, "sub": "ada", "iat": now_s, "exp": now_s + 600, "scope": ALL_SCOPES})
}

/// Signs whatever it is.
pub(crate) fn forged(signer: &Signer, header: &Value, claims: &Value) -> String {
    signer.compact_jws(&header.to_string(), &claims.to_string())
}

pub(crate) fn bytes(body: &Value) -> Vec<u8> {
    if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }
}

/// Refused with this status and name, and the challenge of a 401.
pub(crate) fn refused(answer: &Response, wanted: (u16, &str), about: &str) {
    let said = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, wanted.0, "{about}: {said}");
    let name = format!("urn:openclaw:problem:{}", wanted.1);
    assert_eq!(answer.json()["type"], name, "{about}: {said}");
    if answer.status == 401 {
        assert!(answer.header("www-authenticate").is_some(), "{about}");
    }
}

/// The row of every route that `wanted` chooses: a table that lacks one fails here.
pub(crate) fn rows_of<'t, T>(
    table: &'t [(&str, T)],
    wanted: impl Fn(&RouteSpec) -> bool,
) -> Vec<(&'static RouteSpec, &'t T)> {
    let rows: Vec<_> = ROUTES
        .iter()
        .filter(|spec| wanted(spec))
        .map(|spec| {
            let name = format!("{} {}", spec.method, spec.template);
            let row = table.iter().find(|row| row.0 == name);
            (spec, &row.unwrap_or_else(|| panic!("{name} has no row in this test")).1)
        })
        .collect();
    assert_eq!(rows.len(), table.len(), "a row for a route that is not there");
    rows
}
