//! How soon a shopper's browser knows, and what an open WebSocket costs that says nothing.
//!
//! `--notices` opens many WebSockets, each of a session of its own, at one node. Then, one at a
//! time over one connection, carts of some of them are changed: the clock runs from the request to
//! the notice at that session's socket, and beside it to the answer, which both leave after the
//! same commit. `--idle-sockets` opens sockets and does nothing: what the node's memory grew by.
//!
//! Deliberately no load beside it, and the client is on the same host: what is measured is the way
//! of a notice, not a network's.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use claw_dataplane::simulate::client::CONNECTIONS_PER_SOURCE_MAX;
use claw_dataplane::simulate::client::system;
use claw_dataplane::simulate::environment::Environment;
use claw_dataplane::simulate::node_process::{NodeCommand, NodeProcess};
use claw_sdk::{Client, Signer};
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Value, json};

use super::filled;
use super::store::Store;
use crate::bench::Bench;
use crate::figure::Figure;
use crate::row::Spread;

/// Carts that are changed in turn, each of another session.
const CARTS_COUNT: usize = 100;
/// Changes of a run, at least this many and for as long as a run takes.
const CHANGES_MIN: usize = 200;
/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct NoticeResults {
    environment: Environment,
    durability: &'static str,
    operation: &'static str,
    cores: usize,
    sockets_count: usize,
    changes_count: u64,
    /// From the request to its session's notice, microseconds.
    notice_us: Quantiles,
    /// From the request to its answer, microseconds.
    answer_us: Quantiles,
    /// From the answer to the notice; 0 where the notice was there first.
    behind_answer_us: Quantiles,
    idle: Option<IdleResults>,
}

/// What sockets that say nothing cost the node.
#[derive(Debug, Serialize)]
struct IdleResults {
    cores: usize,
    sockets_count: usize,
    resident_bytes_before: u64,
    resident_bytes_after: u64,
    bytes_per_socket: u64,
    open_seconds: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Quantiles {
    p50: u64,
    p99: u64,
    max: u64,
}

impl Quantiles {
    fn of(times: &Histogram<u64>) -> Self {
        let at = |quantile| times.value_at_quantile(quantile);
        Self { p50: at(0.5), p99: at(0.99), max: times.max() }
    }
}

/// Measures both; `idle` sockets only where there are to be some.
pub(crate) fn measure(bench: &Bench) -> Result<NoticeResults> {
    let [sockets, idle] = bench.sockets;
    let cpus = system::affinity()?;
    let mut shop = Shop::open(bench, 1)?;
    let mut open = shop.sockets(sockets)?;
    let mut carts = Vec::new();
    for index in 0..CARTS_COUNT.min(sockets) {
        // Spread over all that are open.
        let index = index * (sockets / CARTS_COUNT.min(sockets));
        let made = shop.ask("POST", "/v1/carts", &json!({ "session": session(index) }))?;
        let cart = made["cart_id"].as_str().context("a cart has an id")?;
        carts.push((index, format!("/v1/carts/{cart}/items/clog")));
    }
    let [mut notice_us, mut answer_us, mut behind_us] = [(); 3].map(|()| histogram());
    let ends_at = Instant::now() + Duration::from_secs(bench.seconds);
    let mut changes_count = 0;
    while changes_count < CHANGES_MIN || Instant::now() < ends_at {
        let (index, target) = &carts[changes_count % carts.len()];
        let quantity = 1 + (changes_count / carts.len()) % 2;
        let asked_at = Instant::now();
        shop.ask("PUT", target, &json!({ "quantity": quantity }))?;
        let answered_at = Instant::now();
        open[*index].hear("cart")?;
        let told_at = Instant::now();
        for (times, from, to) in [
            (&mut answer_us, asked_at, answered_at),
            (&mut notice_us, asked_at, told_at),
            (&mut behind_us, answered_at, told_at),
        ] {
            times.record(u64::try_from((to - from).as_micros())?)?;
        }
        changes_count += 1;
    }
    drop(open);
    shop.close()?;
    // The next node is to have its share of them again.
    system::set_affinity(&cpus)?;
    let idle_cores = cpus.len().min(2);
    let idle = (idle > 0).then(|| measure_idle(bench, idle, idle_cores)).transpose()?;
    Ok(NoticeResults {
        environment: Environment::read(),
        durability: "group commit to the device before each answer and notice",
        operation: "PUT of a line of a cart, signed by ed25519, closed loop, one connection",
        cores: 1,
        sockets_count: sockets,
        changes_count: notice_us.len(),
        notice_us: Quantiles::of(&notice_us),
        answer_us: Quantiles::of(&answer_us),
        behind_answer_us: Quantiles::of(&behind_us),
        idle,
    })
}

/// On two cores where there are two: the tickets of one do not open 100,000.
fn measure_idle(bench: &Bench, count: usize, cores: usize) -> Result<IdleResults> {
    let mut shop = Shop::open(bench, cores)?;
    let before = shop.resident_bytes()?;
    let started_at = Instant::now();
    let open = shop.sockets(count)?;
    let open_seconds = started_at.elapsed().as_secs_f64();
    let after = shop.resident_bytes()?;
    let metric = shop.open_sockets()?;
    ensure!(metric == count, "the node counts {metric} sockets, not {count}");
    drop(open);
    shop.close()?;
    Ok(IdleResults {
        cores,
        sockets_count: count,
        resident_bytes_before: before,
        resident_bytes_after: after,
        bytes_per_socket: after.saturating_sub(before) / u64::try_from(count)?,
        open_seconds,
    })
}

impl NoticeResults {
    /// As they stand beside other figures.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let conditions = format!(
            "{} WebSockets, {} core; {} x {}",
            self.sockets_count, self.cores, self.changes_count, self.operation
        );
        let figure = |name: String, unit, conditions: String, value| {
            let value = Spread::of(vec![value]);
            Figure { scenario: "notices", name, unit, conditions, value }
        };
        let mut figures = Vec::new();
        for (name, times) in self.times() {
            for (quantile, value) in [("p50", times.p50), ("p99", times.p99), ("most", times.max)] {
                figures.push(figure(
                    format!("{name}, {quantile}"),
                    "us",
                    conditions.clone(),
                    value,
                ));
            }
        }
        if let Some(idle) = &self.idle {
            let conditions = format!("{} of them, {} core", idle.sockets_count, idle.cores);
            let name = "an idle WebSocket".to_owned();
            figures.push(figure(name, "bytes", conditions, idle.bytes_per_socket));
        }
        figures
    }

    const fn times(&self) -> [(&'static str, Quantiles); 3] {
        [
            ("request to answer", self.answer_us),
            ("request to notice", self.notice_us),
            ("answer to notice", self.behind_answer_us),
        ]
    }
}

/// Prints what was found.
pub(crate) fn write(out: &mut impl std::io::Write, results: &NoticeResults) -> Result<()> {
    let NoticeResults { sockets_count, changes_count, cores, operation, .. } = results;
    writeln!(out, "{sockets_count} WebSockets on {cores} core; {changes_count} x {operation}")?;
    writeln!(out, "{:<24}{:>10}{:>10}{:>10}", "microseconds", "p50", "p99", "max")?;
    for (name, times) in results.times() {
        writeln!(out, "{name:<24}{:>10}{:>10}{:>10}", times.p50, times.p99, times.max)?;
    }
    if let Some(idle) = &results.idle {
        let IdleResults { sockets_count, cores, bytes_per_socket, open_seconds, .. } = idle;
        writeln!(
            out,
            "{sockets_count} idle WebSockets on {cores} cores: {bytes_per_socket} bytes each of \
             the node's resident memory; opened in {open_seconds:.1} s"
        )?;
    }
    Ok(())
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits")
}

fn session(index: usize) -> String {
    format!("s-{index}")
}

/// A node with one product, and who asks it.
struct Shop {
    node: NodeProcess,
    client: Client,
    _store: Store,
}

impl Shop {
    fn open(bench: &Bench, cores: usize) -> Result<Self> {
        let store = Store::make(bench, cores, "none")?;
        let (arguments, path) = (Vec::new(), store.path.clone());
        let command = NodeCommand { program: bench.claw.clone(), store: path.clone(), arguments };
        let node = NodeProcess::start(&command)?;
        let url = format!("http://{}", node.address());
        let mut source = Client::new(&url, Some(Signer::load(&path, "source")?))?;
        let product = json!({"name": "Clog", "price": {"amount": 4900, "currency": "EUR"}});
        ask(&mut source, "PUT", "/v1/products/clog", &product)?;
        let client = Client::new(&url, Some(Signer::load(&path, "storefront")?))?;
        Ok(Self { node, client, _store: store })
    }

    fn ask(&mut self, method: &str, target: &str, body: &Value) -> Result<Value> {
        ask(&mut self.client, method, target, body)
    }

    /// Opens a WebSocket for each of so many sessions.
    fn sockets(&mut self, count: usize) -> Result<Vec<Socket>> {
        let per_source = usize::try_from(CONNECTIONS_PER_SOURCE_MAX)?;
        let mut open = Vec::with_capacity(count);
        for index in 0..count {
            let made = self.ask("POST", "/v1/tickets", &json!({ "session": session(index) }))?;
            let ticket = made["ticket"].as_str().context("a ticket")?;
            // One loopback address has fewer ports than there may be sockets.
            let source = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(index / per_source)?);
            open.push(Socket::open(source, self.node.address(), ticket)?);
        }
        Ok(open)
    }

    fn resident_bytes(&self) -> Result<u64> {
        filled::resident_bytes(self.node.id())
    }

    fn open_sockets(&mut self) -> Result<usize> {
        let metrics = self.client.request("GET", "/metrics", b"")?;
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        let lines = text.lines().filter(|line| line.starts_with("claw_node_sockets{"));
        let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
        Ok(counts.sum())
    }

    fn close(self) -> Result<()> {
        Ok(self.node.stop()?)
    }
}

fn ask(client: &mut Client, method: &str, target: &str, body: &Value) -> Result<Value> {
    let answer = client.request(method, target, body.to_string().as_bytes())?;
    ensure!(matches!(answer.status, 200 | 201), "{method} {target}: {}", answer.json());
    Ok(answer.json())
}

/// A WebSocket's client as small as can be: it is told short texts.
struct Socket(TcpStream);

impl Socket {
    fn open(source: Ipv4Addr, node: SocketAddrV4, ticket: &str) -> Result<Self> {
        let mut stream = system::connect(Some(source), node).context("connect")?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        system::reset_on_close(&stream)?;
        write!(
            stream,
            "GET /v1/ws?ticket={ticket} HTTP/1.1\r\nHost: {node}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )?;
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).context("the answer to an upgrade")?;
            head.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&head);
        ensure!(text.starts_with("HTTP/1.1 101 "), "it does not open: {text}");
        let mut socket = Self(stream);
        socket.hear("open")?;
        Ok(socket)
    }

    /// Takes the next text, which has to be of this type. RFC 6455, section 5.2.
    fn hear(&mut self, kind: &str) -> Result<()> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).context("a notice")?;
        let mut payload = match head {
            [0x81, length @ 0..126] => vec![0; usize::from(length)],
            [0x81, 126] => {
                let mut length = [0; 2];
                self.0.read_exact(&mut length)?;
                vec![0; usize::from(length[0]) * 256 + usize::from(length[1])]
            }
            other => bail!("a frame that begins with {other:?}"),
        };
        self.0.read_exact(&mut payload)?;
        let told: Value = serde_json::from_slice(&payload)?;
        ensure!(told["type"] == kind, "told {told} instead of {kind}");
        Ok(())
    }
}
