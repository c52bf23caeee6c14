//! One run from start to verdict: node, set-up, traffic, audit.
//!
//! Owns the order of these steps and nothing of their inside. Used by `claw simulate` and by the
//! benchmarks, so that both judge a run in the same way.

use std::net::{SocketAddr, SocketAddrV4, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use claw_common::id::Id;
use claw_sdk::transport::server_name;
use claw_sdk::{Signer, Trust, TrustError};
use rustls::pki_types::ServerName;

use super::answer::OrderState;
use super::audit::{Company, Evidence, audit};
use super::client::engine::{Engine, RunResult};
use super::client::secure::Tls;
use super::client::{ClientError, Options, Protocol, system};
use super::environment::Environment;
use super::node_process::{NodeCommand, NodeProcess, NodeProcessError, free_address};
use super::progress::Progress;
use super::report::{OptionsUsed, Report};
use super::scenario::{HammerTarget, Scenario};
use super::setup::{Books, Clerk, SetupError, prepare};

/// Key of the shoppers' requests, unless another is asked for.
pub const STOREFRONT_KEY: &str = "storefront-hmac";
/// Key that makes products and stock.
const SOURCE_KEY: &str = "source";
/// Key that reads everything back.
const OPERATOR_KEY: &str = "operator";
/// A request without an answer for this long is lost.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A hold must be live for this much longer to count as "must be held": the books are read one SKU
/// after the other, and clocks differ.
const HELD_SLACK_MS: u64 = 1_000;

/// Why a run came to no verdict.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The URL is not one of ours.
    #[error("cannot use the node at {url}: expected http(s)://HOST:PORT with an IPv4 address")]
    Address { url: String },
    /// No certificate for a node of our own.
    #[error("cannot make a certificate for the node: {reason}")]
    Certificate { reason: String },
    /// The traffic engine could not run.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A key of the store is missing or broken.
    #[error("cannot sign requests; was the store made by claw init?")]
    Key(#[from] claw_sdk::KeyError),
    /// The node could not be started or stopped.
    #[error(transparent)]
    Node(#[from] NodeProcessError),
    /// No randomness from the system.
    #[error("cannot draw a number for this run")]
    Random(#[from] getrandom::Error),
    /// No certificates to trust.
    #[error("cannot decide whom to trust")]
    Trust(#[from] TrustError),
    /// Products could not be made or read back.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// What to run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The store; its keys sign the requests.
    pub store: PathBuf,
    /// A node that runs already; without it one is started.
    pub node_url: Option<String>,
    /// The claw binary to start.
    pub program: PathBuf,
    /// Further arguments for a node that is started.
    pub node_arguments: Vec<String>,
    /// Whether shoppers reach a node that is started over TLS. A URL says so itself.
    pub carrier: Carrier,
    /// Whom to trust on `https`; without it those the system trusts, or our own node's certificate.
    pub authorities: Option<PathBuf>,
    /// How shoppers and node talk.
    pub protocol: Protocol,
    /// Key of the shoppers' requests.
    pub key: String,
    /// The store's name, for which each shopper bears a token that the key signed; `None`: the key
    /// signs every request.
    pub token_audience: Option<String>,
    /// What happens.
    pub scenario: Scenario,
    /// Shoppers.
    pub users: u32,
    /// How long.
    pub duration: Duration,
    /// Arrivals a second; without it the loop is closed.
    pub rate: Option<u32>,
    /// Of every draw.
    pub seed: u64,
    /// Only this endpoint.
    pub endpoint: Option<HammerTarget>,
}

/// How shoppers reach a node that is started for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Carrier {
    /// Plain HTTP.
    #[default]
    Plain,
    /// HTTPS, with a certificate of the node's own.
    Tls,
}

/// Where shoppers go, and whom they trust there.
struct Destination {
    target: SocketAddrV4,
    secure: Option<Secured>,
}

/// Whom to believe there, and whose certificate it must be.
struct Secured {
    trust: Trust,
    name: ServerName<'static>,
}

impl Secured {
    fn tls(&self, protocol: Protocol) -> Tls {
        let config = match protocol {
            Protocol::Http => self.trust.client_config(),
            Protocol::Wire { .. } => self.trust.wire_client_config(),
        };
        Tls { config, name: self.name.clone() }
    }
}

/// Runs everything and judges it. What goes wrong with single requests is in the report.
pub fn run(options: &RunOptions, progress: &mut Progress) -> Result<Report, RunError> {
    let scenario = match options.endpoint {
        Some(target) => options.scenario.clone().hammering(target),
        None => options.scenario.clone(),
    };
    let _placement = Placement::keep();
    let mut node = None;
    let (destination, company) = if let Some(url) = &options.node_url {
        stay_on_last_core();
        (find(url, options.authorities.as_deref())?, Company::Shared)
    } else {
        let (started, destination) = start(options)?;
        node = Some(started);
        (destination, Company::Alone)
    };
    let client_options = Options {
        target: destination.target,
        tls: destination.secure.as_ref().map(|secure| secure.tls(options.protocol)),
        protocol: options.protocol,
        token_audience: options.token_audience.clone(),
        users: options.users,
        duration: options.duration,
        rate: options.rate,
        seed: options.seed,
        run_nonce: u128::from(getrandom::u64()?) << 64 | u128::from(getrandom::u64()?),
        request_timeout: REQUEST_TIMEOUT,
    };
    let trust = destination.secure.as_ref().map(|secure| &secure.trust);
    let people = People { store: &options.store, key: &options.key, trust };
    let outcome = shop(&people, &client_options, &scenario, progress);
    progress.finish();
    if let (Err(_), Some(node)) = (&outcome, &mut node) {
        // The node's own last words say more than a connection that broke.
        node.check_alive()?;
    }
    let (result, before, after) = outcome?;
    let held_at_least = result.ledger.held_beyond(after.read_ms + HELD_SLACK_MS);
    let found = audit(&Evidence {
        scenario: &scenario,
        before: &before,
        after: &after.books,
        ledger: &result.ledger,
        held_at_least: &held_at_least,
        orders: &after.orders,
        company,
    });
    if let Some(node) = node {
        node.stop()?;
    }
    let used = OptionsUsed::new(options, &client_options);
    Ok(Report::new(used, Environment::read(), result, found))
}

/// Gives the caller its cores back: a run moves to the last one, and the next run's node must get
/// the others.
struct Placement {
    cpus: Vec<usize>,
}

impl Placement {
    fn keep() -> Self {
        Self { cpus: system::affinity().unwrap_or_default() }
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        if let Err(error) = system::set_affinity(&self.cpus) {
            log::warn!("go back to every core: {error}");
        }
    }
}

struct ReadBack {
    books: Books,
    orders: Vec<(Id, Option<OrderState>)>,
    /// When the last of them was read.
    read_ms: u64,
}

/// Who asks, and whom they trust.
struct People<'a> {
    store: &'a Path,
    /// Key of the shoppers' requests.
    key: &'a str,
    trust: Option<&'a Trust>,
}

impl People<'_> {
    fn clerk(&self, url: &str, key_name: &str) -> Result<Clerk, RunError> {
        Ok(Clerk::new(url, Signer::load(self.store, key_name)?, self.trust)?)
    }
}

fn shop(
    people: &People<'_>,
    client_options: &Options,
    scenario: &Scenario,
    progress: &mut Progress,
) -> Result<(RunResult, Books, ReadBack), RunError> {
    super::client::check_limits(client_options)?;
    let url = client_options.url();
    let mut source = people.clerk(&url, SOURCE_KEY)?;
    let mut scenario = scenario.clone();
    if !source.takes_payments()? {
        scenario.payment.clear();
    }
    let scenario = &scenario;
    let products_count = scenario.products.len();
    let before = prepare(&mut source, scenario, |count| progress.preparing(count, products_count))?;
    let hot = before.products[..scenario.hot_count].iter().map(|product| product.available);
    let hot_stock = u64::try_from(hot.sum::<i64>()).unwrap_or(0);
    let signer = Signer::load(people.store, people.key)?;
    let result = Engine::new(client_options, scenario, signer, hot_stock)?.run(progress)?;
    let mut operator = people.clerk(&url, OPERATOR_KEY)?;
    let books = operator.books(scenario)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let read_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let mut orders = Vec::new();
    for &order in &result.ledger.orders_sampled {
        orders.push((order, operator.order(order)?));
    }
    Ok((result, before, ReadBack { books, orders, read_ms }))
}

/// The node was placed by somebody else; the last core is the one it is least likely to use.
fn stay_on_last_core() {
    let moved = system::affinity().and_then(|cpus| match cpus.last() {
        Some(last) => system::set_affinity(&[*last]),
        None => Ok(()),
    });
    if let Err(error) = moved {
        log::warn!("stay on one core: {error}");
    }
}

/// Starts a node and says how it is reached.
fn start(options: &RunOptions) -> Result<(NodeProcess, Destination), RunError> {
    let mut command = NodeCommand {
        program: options.program.clone(),
        store: options.store.clone(),
        arguments: options.node_arguments.clone(),
    };
    if options.carrier == Carrier::Plain {
        let node = NodeProcess::start(&command)?;
        let target = node.address();
        return Ok((node, Destination { target, secure: None }));
    }
    let certificate = options.store.join("keys/tls.crt");
    if !certificate.exists() {
        make_certificate(options)?;
    }
    let target = free_address()
        .map_err(|error| RunError::Certificate { reason: format!("find a free port: {error}") })?;
    let words = ["--tls-certificate", "keys/tls.crt", "--tls-key", "keys/tls.key", "--tls-listen"];
    command.arguments.extend(words.map(str::to_owned));
    command.arguments.push(target.to_string());
    let node = NodeProcess::start(&command)?;
    let authorities = options.authorities.as_ref().unwrap_or(&certificate);
    Ok((node, find(&format!("https://{target}"), Some(authorities))?))
}

fn make_certificate(options: &RunOptions) -> Result<(), RunError> {
    let mut command = Command::new(&options.program);
    let made = command.args(["keys", "tls", "--store"]).arg(&options.store).output();
    let reason = match made {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    Err(RunError::Certificate { reason })
}

/// Where a URL leads, and whom to trust there.
fn find(url: &str, authorities: Option<&Path>) -> Result<Destination, RunError> {
    let target = resolve(url)?;
    let Some(rest) = url.strip_prefix("https://") else {
        return Ok(Destination { target, secure: None });
    };
    let trust = authorities.map_or_else(Trust::system, Trust::file)?;
    let name = server_name(rest.trim_end_matches('/'));
    let name = name.ok_or_else(|| RunError::Address { url: url.to_owned() })?;
    Ok(Destination { target, secure: Some(Secured { trust, name }) })
}

fn resolve(url: &str) -> Result<SocketAddrV4, RunError> {
    let authority = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
    let authority = authority.unwrap_or(url).trim_end_matches('/');
    let found = authority.to_socket_addrs().ok().and_then(|mut addresses| {
        addresses.find_map(|address| match address {
            SocketAddr::V4(address) => Some(address),
            SocketAddr::V6(_) => None,
        })
    });
    found.ok_or_else(|| RunError::Address { url: url.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_urls_are_resolved_and_others_refused() {
        let expected: SocketAddrV4 = "127.0.0.1:7070".parse().unwrap();
        for url in [
            "http://127.0.0.1:7070",
            "http://127.0.0.1:7070/",
            "127.0.0.1:7070",
            "https://127.0.0.1:7070/",
        ] {
            assert_eq!(resolve(url).unwrap(), expected, "{url}");
        }
        for url in ["", "http://", "http://127.0.0.1", "ftp://127.0.0.1:7070"] {
            assert!(resolve(url).is_err(), "{url}");
        }
    }
}
