//! A store of two shards with a product on each, and what tests ask of it.

use claw_common::wire::{MODE_SESSION, MODE_SIGNED};
use claw_sdk::Signer;
use claw_tests::frames::{Codec, Frames};
use claw_tests::{Node, Store};

/// A client's session of the tests.
pub(crate) const SESSION: [u8; 16] = [0x5e; 16];

/// A node with `A` and `B`, 100 of each.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) node: Node,
    pub(crate) storefront: Signer,
}

impl World {
    pub(crate) fn new() -> Self {
        let store = Store::with("minimal", &[("store.shards", "2")]);
        let node = Node::start(&store);
        let mut source = node.client(&store, "source");
        for sku in ["A", "B"] {
            let price = r#"{"name": "n", "price": {"amount": 900, "currency": "EUR"}}"#;
            let put = source.request("PUT", &format!("/v1/products/{sku}"), price.as_bytes());
            assert_eq!(put.unwrap().status, 201);
            let stock = br#"{"delta": 100, "reason": "test"}"#;
            let path = format!("/v1/products/{sku}/stock");
            assert_eq!(source.request("POST", &path, stock).unwrap().status, 200);
        }
        let storefront = store.signer("storefront-hmac");
        Self { store, node, storefront }
    }

    /// A connection of the storefront in a session.
    pub(crate) fn connect(&self) -> Frames<'_> {
        Frames::connect(&self.node, Codec::new(&self.storefront, MODE_SESSION, SESSION))
    }

    /// Every way to authenticate: key by mode.
    pub(crate) fn ways(&self) -> [(Signer, u8); 4] {
        let hmac = || self.store.signer("storefront-hmac");
        let ed25519 = || self.store.signer("storefront");
        [
            (hmac(), MODE_SIGNED),
            (hmac(), MODE_SESSION),
            (ed25519(), MODE_SIGNED),
            (ed25519(), MODE_SESSION),
        ]
    }

    /// Units of a SKU in live holds, as HTTP tells.
    pub(crate) fn held(&self, sku: &str) -> u64 {
        let mut client = self.node.client(&self.store, "operator");
        let answer = client.request("GET", &format!("/v1/products/{sku}"), b"").unwrap();
        let product: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        product["held"].as_u64().unwrap()
    }
}
