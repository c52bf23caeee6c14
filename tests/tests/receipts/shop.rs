//! A store with an order in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use claw_sdk::client::{Call, Client, Response};
use claw_tests::{Node, Store, program};
use serde_json::{Value, json};

/// Between two checkpoints: short, so that tests need not wait.
const INTERVAL: (&str, &str) = ("log.checkpoint_interval_ms", "20");

/// A running shop.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) node: Node,
    pub(crate) store: Store,
    pub(crate) storefront: Client,
}

impl Shop {
    /// With one product, `clog`, of which there are a hundred.
    pub(crate) fn open(settings: &[(&str, &str)]) -> Self {
        let store = Store::with("minimal", &[&[INTERVAL], settings].concat());
        Self::reopen(store).stocked()
    }

    pub(crate) fn reopen(store: Store) -> Self {
        let node = Node::start(&store);
        let storefront = node.client(&store, "storefront");
        Self { node, store, storefront }
    }

    fn stocked(self) -> Self {
        let mut source = self.node.client(&self.store, "source");
        let product = json!({"name": "Clog", "price": {"amount": 4900, "currency": "EUR"}});
        let put = source.request("PUT", "/v1/products/clog", product.to_string().as_bytes());
        assert_eq!(put.unwrap().status, 201);
        let stock = json!({"delta": 100, "reason": "delivery"}).to_string();
        let moved = source.request("POST", "/v1/products/clog/stock", stock.as_bytes());
        assert_eq!(moved.unwrap().status, 200);
        self
    }

    /// An order made from a hold, placed.
    pub(crate) fn order(&mut self, session: &str) -> String {
        let items = json!([{"sku": "clog", "quantity": 2}]);
        let hold = json!({"session": session, "items": items}).to_string();
        let held = self.storefront.request("POST", "/v1/holds", hold.as_bytes()).unwrap();
        assert_eq!(held.status, 201);
        let body = json!({"session": session, "hold_id": held.json()["hold_id"]}).to_string();
        let placed = self.storefront.send(&Call {
            method: "POST",
            target: "/v1/checkouts",
            body: body.as_bytes(),
            headers: &[("Prefer", "wait=10")],
            ..Call::default()
        });
        let placed = placed.unwrap();
        assert_eq!(placed.status, 200, "{}", String::from_utf8_lossy(&placed.body));
        placed.json()["order_id"].as_str().unwrap().to_owned()
    }

    /// Asks until the next checkpoint has come.
    pub(crate) fn receipt(&mut self, order: &str) -> Value {
        loop {
            let answer = self.ask_receipt(order);
            if answer.status == 200 {
                return answer.json();
            }
            assert_eq!(answer.status, 404);
            assert_eq!(answer.json()["type"], "urn:openclaw:problem:receipt-not-yet");
            assert_eq!(answer.header("retry-after"), Some("1"));
            std::thread::yield_now();
        }
    }

    pub(crate) fn ask_receipt(&mut self, order: &str) -> Response {
        let target = format!("/v1/orders/{order}/receipt");
        self.storefront.request("GET", &target, b"").unwrap()
    }

    pub(crate) fn node_key(&self) -> PathBuf {
        self.store.path().join("keys/node.pub")
    }

    /// Writes a document beside the store and verifies it.
    pub(crate) fn verify(&self, document: &Value, more: &[&str]) -> (Option<i32>, String) {
        let path = self.store.path().join("document.json");
        fs::write(&path, document.to_string()).unwrap();
        let node_key = self.node_key();
        let fixed = [path.as_os_str(), "--node-key".as_ref(), node_key.as_os_str()];
        let mut command = program::claw();
        command.arg("verify").args(fixed).args(more);
        said(&command.output().unwrap())
    }
}

/// Exit code and all that was said.
pub(crate) fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A committed document.
pub(crate) fn vector(name: &str) -> PathBuf {
    root().join("tests/vectors").join(name)
}
