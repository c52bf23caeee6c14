//! A store with its gateway, its node and its page.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use claw_sdk::client::Client;
use claw_tests::{Browser, Gateway, Node, Store, program};
use serde_json::{Value, json};

const SKU: &str = "runner";

pub(super) struct Shop {
    page: Child,
    url: String,
    pub(super) node: Node,
    store: Store,
    gateway: Gateway,
}

impl Shop {
    /// Sells one product, of which there are `units`.
    pub(super) fn open(units: u32, gateway_arguments: &[&str]) -> Self {
        let gateway = Gateway::start(gateway_arguments);
        let url = format!("http://127.0.0.1:{}", free_port());
        let mut store = Store::with("minimal", &[("http.cors_origins", &format!("[{url:?}]"))]);
        store.pay_at(&gateway);
        let node = Node::start(&store);
        let mut command = command(&node, &store, &url);
        let mut page = command.arg("--make").arg(units.to_string()).spawn().expect("claw starts");
        let mut line = String::new();
        let said = page.stdout.take().expect("it is piped");
        BufReader::new(said).read_line(&mut line).expect("it says where it listens");
        assert_eq!(line.trim(), format!("open {url}"));
        Self { page, url, node, store, gateway }
    }

    /// What one says whose node does not let its pages in.
    pub(super) fn refused() -> String {
        let store = Store::with("minimal", &[]);
        let node = Node::start(&store);
        let url = format!("http://127.0.0.1:{}", free_port());
        let mut command = command(&node, &store, &url);
        let mut page =
            command.args(["--make", "1"]).stderr(Stdio::piped()).spawn().expect("claw starts");
        assert_eq!(page.wait().expect("our own child").code(), Some(1));
        let mut said = String::new();
        page.stderr.take().expect("it is piped").read_to_string(&mut said).expect("text");
        said
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn restart_node(&mut self) {
        self.node.start_again(&self.store);
    }

    pub(super) fn stock(&self, delta: i64) {
        let body = json!({"delta": delta, "reason": "more of them"});
        self.ask("source", "POST", &format!("/v1/products/{SKU}/stock"), &body);
    }

    pub(super) fn ship(&self, order: &str) {
        self.ask("storefront", "POST", &format!("/v1/orders/{order}/ship"), &Value::Null);
    }

    pub(super) fn units_sold(&self) -> i64 {
        let shown = self.ask("operator", "GET", &format!("/v1/products/{SKU}"), &Value::Null);
        shown["sold"].as_i64().expect("a number")
    }

    /// The one order that the gateway was paid for.
    pub(super) fn only_order(&self) -> String {
        let payments = self.gateway.ledger();
        assert_eq!(payments.len(), 1, "{payments:?}");
        payments[0]["order_id"].as_str().expect("an id").to_owned()
    }

    fn ask(&self, key: &str, method: &str, target: &str, body: &Value) -> Value {
        let mut client: Client = self.node.client(&self.store, key);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = client.request(method, target, body.as_bytes()).expect("the node answers");
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.page.kill().ok();
        self.page.wait().ok();
    }
}

fn command(node: &Node, store: &Store, url: &str) -> Command {
    let mut command = program::claw();
    command.args(["demo-store", "--sku", SKU, "--node", node.url(), "--store"]);
    command.arg(store.path()).args(["--assets", &Browser::packages()]);
    command.args(["--listen", url.strip_prefix("http://").expect("made so")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// The node has to know the page's origin before the page is there.
fn free_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").expect("a port");
    probe.local_addr().expect("it is bound").port()
}
