//! The traffic engine: ten thousand keep-alive connections on one thread.
//!
//! One edge-triggered epoll set and non-blocking sockets; a request normally costs one send, one
//! receive and its share of a wait. An `io_uring` client was left aside: over loopback TCP itself
//! is most of the cost, and the client must not depend on what it measures. No allocation per
//! request: the bytes are written into one buffer, answers are parsed where they arrive, and only
//! what the kernel took or delivered in pieces is copied.
//!
//! Two loops. *Closed*: each shopper asks, reads, pauses as its behaviour says, and asks again.
//! *Open* (`rate`): arrivals come on a schedule whatever the node does; each takes the shopper
//! that has been idle longest, waits in line when all are busy, and is dropped and counted when
//! the line is full. In both, latency runs from the time a request was due, so a stall of the node
//! (or of this engine) is in the numbers of everything that had to wait for it.
//!
//! Over TLS each record costs this thread its share of encryption, which is in the numbers as the
//! node's is: such a run says what both ends together can do.
//!
//! Does not know what a good answer is (see [`super::user`]) nor judge the run
//! (see [`super::audit`]).

pub mod connection;
pub mod engine;
pub mod request;
pub mod response;
pub mod secure;
pub mod system;
#[cfg(test)]
mod tests;
mod traffic;
mod wire;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use claw_common::time::UnixMs;

use super::schedule::RunNs;
use secure::Tls;

/// Connections from one source address; below the usual range of 28,232 ephemeral ports, because
/// a reconnecting shopper needs a second one for a moment.
pub const CONNECTIONS_PER_SOURCE_MAX: u32 = 20_000;
/// Open files that a run needs beside one per shopper: epoll, logs, the set-up connection, and a
/// reconnecting shopper's second socket.
pub const FILES_SPARE: u64 = 64;

/// How shoppers and node talk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 and JSON, a connection for each shopper.
    #[default]
    Http,
    /// The wire protocol.
    Wire {
        /// Shoppers on each connection, at least 1: what they ask at one time is one frame.
        batch: u32,
    },
}

/// What a run of the engine is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node.
    pub target: SocketAddrV4,
    /// How connections are encrypted; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// How they talk.
    pub protocol: Protocol,
    /// The store's name, for which each shopper bears a token; `None`: the key signs.
    pub token_audience: Option<String>,
    /// Shoppers; over HTTP as many connections.
    pub users: u32,
    /// How long.
    pub duration: Duration,
    /// Arrivals a second: an open loop. Without it the loop is closed.
    pub rate: Option<u32>,
    /// Of every draw.
    pub seed: u64,
    /// Makes keys and sessions of this run its own.
    pub run_nonce: u128,
    /// A request without an answer for this long is lost.
    pub request_timeout: Duration,
}

impl Options {
    /// How the node is reached.
    pub fn url(&self) -> String {
        match &self.tls {
            None => format!("http://{}", self.target),
            Some(tls) => format!("https://{}:{}", tls.name.to_str(), self.target.port()),
        }
    }

    /// How many connections there are.
    pub const fn connections(&self) -> u32 {
        match self.protocol {
            Protocol::Http => self.users,
            Protocol::Wire { batch } => self.users.div_ceil(batch),
        }
    }

    /// The address of a connection's own end: only loopback has more than one to give.
    fn source(&self, connection: u32) -> Option<Ipv4Addr> {
        let number = connection / CONNECTIONS_PER_SOURCE_MAX;
        let last = u8::try_from(number + 1).ok()?;
        (self.target.ip().is_loopback() && self.connections() > CONNECTIONS_PER_SOURCE_MAX)
            .then_some(Ipv4Addr::new(127, 0, 1, last))
    }
}

/// Why the engine cannot run. A request that fails is not such a reason; it is counted.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not one connection could be made.
    #[error("no connection to {target}: is the node running there?")]
    NoConnection { target: SocketAddrV4 },
    /// Waiting for events failed.
    #[error("cannot {action}")]
    System { action: &'static str, source: std::io::Error },
    /// No tokens.
    #[error("cannot give shoppers tokens; use an Ed25519 key, such as --key storefront")]
    Token(#[from] claw_sdk::TokenError),
    /// Fewer files than shoppers.
    #[error(
        "{users} shoppers need {needed} open files and the hard limit is {limit}: raise it \
         (ulimit -Hn) or ask for fewer with --users"
    )]
    TooFewFiles { users: u32, needed: u64, limit: u64 },
    /// More connections than source ports.
    #[error(
        "{users} connections to {target} need more source ports than one address has: \
             ask for at most {CONNECTIONS_PER_SOURCE_MAX} with --users"
    )]
    TooFewPorts { users: u32, target: SocketAddrV4 },
}

/// Raises the limit of open files and checks that `options` fit this machine.
pub fn check_limits(options: &Options) -> Result<(), ClientError> {
    let limit = system::raise_open_files().map_err(|source| ClientError::System {
        action: "raise the limit of open files",
        source,
    })?;
    let needed = u64::from(options.connections()) + FILES_SPARE;
    if needed > limit {
        return Err(ClientError::TooFewFiles { users: options.users, needed, limit });
    }
    if options.connections() > CONNECTIONS_PER_SOURCE_MAX && !options.target.ip().is_loopback() {
        return Err(ClientError::TooFewPorts { users: options.users, target: options.target });
    }
    Ok(())
}

/// Time since the start of the run, and the wall clock that goes with it.
#[derive(Clone, Copy, Debug)]
struct RunClock {
    start: Instant,
    start_unix: Duration,
}

impl RunClock {
    fn start_now() -> Self {
        let start_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_unix }
    }

    fn now_ns(&self) -> RunNs {
        RunNs::try_from(self.start.elapsed().as_nanos()).unwrap_or(RunNs::MAX)
    }

    fn unix_ms(&self, now_ns: RunNs) -> UnixMs {
        let now = self.start_unix + Duration::from_nanos(now_ns);
        UnixMs::try_from(now.as_millis()).unwrap_or(UnixMs::MAX)
    }
}
