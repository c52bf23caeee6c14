//! `claw gateway`: a local payment gateway with Stripe's API, and with the manners of a bad day.
//!
//! ```text
//!  [`routes`]: HTTP --> [`ledger`]: what is held, taken, given back --> [`webhooks`]: told about
//! ```
//! A process of its own, for trying a store and for its tests: it declines, fails before or after
//! the deed, does what it is asked and never answers, asks the shopper, and sends webhooks twice,
//! late, out of order and forged ones in between. What it did is kept in a file where it is given
//! one, so that it can be killed too.
//!
//! Deliberately moves no money, knows no card, and is no model of Stripe beyond what api.md lists.

mod ledger;
mod routes;
mod webhooks;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, ensure};
use rand::rngs::SmallRng;
use rand::{RngCore as _, SeedableRng as _};

use ledger::Ledger;
use webhooks::Sender;

/// How it behaves.
#[derive(Clone, Debug, Default)]
pub struct Manners {
    /// Share of authorisations that are declined.
    pub decline: f64,
    /// Share of calls that are done and never answered.
    pub lose_answers: f64,
    /// Share of calls that are answered 500.
    pub fail: f64,
    /// Share of authorisations that the shopper must act on.
    pub require_action: f64,
    /// How long a call takes.
    pub latency_ms: u64,
    /// Share of webhooks sent twice.
    pub duplicate_webhooks: f64,
    /// Share of webhooks sent after later ones.
    pub reorder_webhooks: f64,
    /// Share of webhooks sent seconds late.
    pub late_webhooks: f64,
    /// Share of webhooks before which a forged one is sent.
    pub forge_webhooks: f64,
    /// Where webhooks are sent.
    pub webhook_url: Option<String>,
    /// The key that callers need; any where there is none.
    pub api_key: Option<String>,
    /// What webhooks are signed with.
    pub webhook_secret: String,
    /// What is drawn from.
    pub seed: Option<u64>,
}

/// What all calls share.
#[derive(Debug)]
struct Shared {
    manners: Manners,
    ledger: Mutex<Ledger>,
    random: Mutex<SmallRng>,
    webhooks: Sender,
}

/// Serves until the process ends; hands what is to be said on stdout, where it listens, to `say`.
pub fn run(
    manners: Manners,
    listen: SocketAddr,
    state: Option<&Path>,
    say: fn(&str) -> Result<()>,
) -> Result<()> {
    for share in [
        manners.decline,
        manners.lose_answers,
        manners.fail,
        manners.require_action,
        manners.duplicate_webhooks,
        manners.reorder_webhooks,
        manners.late_webhooks,
        manners.forge_webhooks,
    ] {
        ensure!((0.0..=1.0).contains(&share), "a share is 0 to 1, such as 0.2 for one in five");
    }
    let ledger = Ledger::open(state)?;
    let mut random = match manners.seed {
        Some(seed) => SmallRng::seed_from_u64(seed),
        None => SmallRng::from_seed(fresh_seed()?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let webhooks = Sender::start(&manners, random.next_u64());
        let random = Mutex::new(random);
        let shared = Arc::new(Shared { manners, ledger: Mutex::new(ledger), random, webhooks });
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .with_context(|| format!("listen on {listen}"))?;
        say(&format!("listening on http://{}", listener.local_addr()?))?;
        axum::serve(listener, routes::router(shared)).await.context("serve")
    })
}

fn fresh_seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("read randomness: {error}"))?;
    Ok(seed)
}
