//! What TLS costs the shard core by itself: records of a request and its answer, and handshakes.
//!
//! The node's own session over memory; processor time of this thread, so that a busy machine does
//! not count, and the client's share does not either. The same bytes
//! in plain cost a swap of two buffers, so this is what HTTPS adds to HTTP but for the larger
//! messages; the whole rows say what is left of it beside TCP and the device.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use claw_dataplane::ingest::tls::{Identity, Session, identify};
use claw_dataplane::simulate::client::system::thread_cpu_time;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde::Serialize;

/// A signed hold and its answer.
const REQUEST_BYTES: usize = 629;
const ANSWER_BYTES: usize = 300;
/// Requests encrypted ahead by the client, so that its work stays outside the clock.
const AHEAD_COUNT: usize = 64;
/// Requests of one run.
const REQUESTS_COUNT: usize = 64 * 1024;
/// Handshakes of one run.
const HANDSHAKES_COUNT: usize = 400;
/// Runs; the least counts, as the others were disturbed.
const RUNS_COUNT: usize = 5;
/// Nothing here waits that long.
const DEADLINE_MS: u64 = u64::MAX;

/// Processor time of the server's side.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TlsFigures {
    pub(crate) cipher: String,
    pub(crate) request_bytes: usize,
    pub(crate) answer_bytes: usize,
    pub(crate) records_ns_per_request: u64,
    pub(crate) full_handshake_us: u64,
    pub(crate) resumed_handshake_us: u64,
}

/// Measures.
pub(crate) fn measure() -> Result<TlsFigures> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let identity = identify(chain.as_bytes(), key.as_bytes())?;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone())?;
    let mut client = ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()?
    .with_root_certificates(roots)
    .with_no_client_auth();
    client.resumption = Resumption::disabled();
    let full = least(|| handshakes(&client, &identity))?;
    client.resumption = Resumption::in_memory_sessions(8);
    // The first one fetches the ticket.
    let mut warm = Pair::new(&client, &identity)?;
    warm.shake_hands()?;
    let resumed = least(|| handshakes(&client, &identity))?;
    let mut pair = Pair::new(&client, &identity)?;
    pair.shake_hands()?;
    let cipher = pair.client.negotiated_cipher_suite().context("it was agreed on")?.suite();
    let records = least(|| pair.exchange(REQUESTS_COUNT))?;
    Ok(TlsFigures {
        cipher: format!("{cipher:?}"),
        request_bytes: REQUEST_BYTES,
        answer_bytes: ANSWER_BYTES,
        records_ns_per_request: per(records.as_nanos(), REQUESTS_COUNT)?,
        full_handshake_us: per(full.as_micros(), HANDSHAKES_COUNT)?,
        resumed_handshake_us: per(resumed.as_micros(), HANDSHAKES_COUNT)?,
    })
}

fn per(total: u128, count: usize) -> Result<u64> {
    Ok(u64::try_from(total)? / u64::try_from(count)?)
}

fn least(mut run: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    let mut least = Duration::MAX;
    for _ in 0..RUNS_COUNT {
        least = least.min(run()?);
    }
    Ok(least)
}

fn handshakes(client: &ClientConfig, identity: &Identity) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for _ in 0..HANDSHAKES_COUNT {
        let mut pair = Pair::new(client, identity)?;
        total += pair.shake_hands()?;
    }
    Ok(total)
}

struct Pair {
    client: ClientConnection,
    server: Session,
    sent: Vec<u8>,
}

impl Pair {
    fn new(client: &ClientConfig, identity: &Identity) -> Result<Self> {
        let name = ServerName::try_from("localhost")?;
        let client = ClientConnection::new(Arc::new(client.clone()), name)?;
        let server = Session::new(Arc::clone(identity), DEADLINE_MS);
        Ok(Self { client, server, sent: Vec::new() })
    }

    fn client_says(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// The server's time of a whole handshake, tickets included.
    fn shake_hands(&mut self) -> Result<Duration> {
        let mut spent = Duration::ZERO;
        let mut established = false;
        while !established {
            let mut bytes = self.client_says()?;
            ensure!(!bytes.is_empty(), "the handshake goes on");
            let start = thread_cpu_time()?;
            established = self.server.receive(&mut bytes, &mut |_| {}).established.is_some();
            self.sent.clear();
            self.server.seal(&mut Vec::new(), &mut self.sent);
            spent += thread_cpu_time()?.saturating_sub(start);
            let mut rest = self.sent.as_slice();
            while !rest.is_empty() {
                self.client.read_tls(&mut rest)?;
                self.client.process_new_packets()?;
            }
        }
        Ok(spent)
    }

    /// The server's time for `count` requests, each answered.
    fn exchange(&mut self, count: usize) -> Result<Duration> {
        let mut spent = Duration::ZERO;
        let (mut opened_bytes, mut answer) = (0, Vec::new());
        for _ in 0..count / AHEAD_COUNT {
            let mut requests = Vec::new();
            for _ in 0..AHEAD_COUNT {
                self.client.writer().write_all(&[7; REQUEST_BYTES])?;
                requests.push(self.client_says()?);
            }
            let start = thread_cpu_time()?;
            for request in &mut requests {
                self.server.receive(request, &mut |bytes| opened_bytes += bytes.len());
                answer.resize(ANSWER_BYTES, 7);
                self.sent.clear();
                self.server.seal(&mut answer, &mut self.sent);
            }
            spent += thread_cpu_time()?.saturating_sub(start);
        }
        ensure!(opened_bytes == count * REQUEST_BYTES, "every request was read");
        Ok(spent)
    }
}
