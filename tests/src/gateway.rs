//! A real payment gateway process: `claw gateway`, started, asked for its ledger, killed.
//!
//! It keeps its ledger in a file, so that it can be killed too. The store under test is told of it
//! as of any gateway that speaks Stripe's API: by URL, key and webhook secret.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use claw_sdk::client::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::program;

/// What callers need, and what webhooks are signed with.
pub const API_KEY: &str = "sk_test_openclaw";
/// See [`API_KEY`].
pub const WEBHOOK_SECRET: &str = "whsec_openclaw";

/// A running `claw gateway`. Killed when dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    url: String,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Gateway {
    /// Starts one with these arguments.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("gateway-")
            .tempdir_in(program::scratch_folder())
            .expect("there is room");
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let (child, url) = spawn("127.0.0.1:0", &folder.path().join("ledger"), &arguments);
        Self { child, url, arguments, folder }
    }

    /// `kill -9`, and a start where it was.
    ///
    /// # Panics
    /// When it does not start again.
    pub fn kill_and_start_again(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
        let address = self.url.strip_prefix("http://").expect("made so").to_owned();
        let ledger = self.folder.path().join("ledger");
        (self.child, self.url) = spawn(&address, &ledger, &self.arguments);
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What a store is told of it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let told = [
            ("CLAW_PAYMENTS_KIND", "stripe"),
            ("CLAW_PAYMENTS_BASE_URL", self.url.as_str()),
            ("CLAW_PAYMENTS_API_KEY", API_KEY),
            ("CLAW_PAYMENTS_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ];
        told.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// Every payment it knows.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn ledger(&self) -> Vec<Value> {
        let mut client = Client::new(&self.url, None).expect("the gateway's own address");
        let answer = client.request("GET", "/ledger", b"").expect("the gateway answers");
        answer.json()["intents"].as_array().expect("a list").clone()
    }

    /// The payments of an order.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn payments_of(&self, order: &str) -> Vec<Value> {
        let mut all = self.ledger();
        all.retain(|intent| intent["order_id"] == order);
        all
    }

    /// The shopper acts on a payment that requires it.
    ///
    /// # Panics
    /// When the gateway refuses.
    pub fn act(&self, intent: &str) {
        let mut client = Client::new(&self.url, None).expect("the gateway's own address");
        let target = format!("/v1/payment_intents/{intent}/act");
        let answer = client.request("POST", &target, b"").expect("the gateway answers");
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(address: &str, ledger: &PathBuf, arguments: &Vec<String>) -> (Child, String) {
    let mut command = program::claw();
    command.args(["gateway", "--listen", address, "--state"]).arg(ledger).args(arguments);
    command.env("CLAW_GATEWAY_API_KEY", API_KEY);
    command.env("CLAW_GATEWAY_WEBHOOK_SECRET", WEBHOOK_SECRET);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("claw starts");
    let mut line = String::new();
    let said = child.stdout.take().expect("it is piped");
    BufReader::new(said).read_line(&mut line).expect("it says where it listens");
    let url = line.trim().strip_prefix("listening on ").expect("it listens").to_owned();
    (child, url)
}
