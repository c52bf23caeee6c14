//! The bare servers: accept, receive, cut, answer, on one ring and one thread.
//!
//! Owns the loop and what is on its way to each connection; what bytes mean is the protocol's.
//! Runs until its starter ends it.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use claw_common::time::UnixMs;
use claw_dataplane::ring::{ClaimedAddress, Completion, ConnectionId, CoreRing, RingShape};

use super::commit::{Asker, Log};
use super::http::Http;
use super::speech::Speech;
use super::wire::Wire;
use super::{Kind, Tongue};
use crate::greeting;

/// Longest sleep; what wakes it is a completion.
const SLEEP: Duration = Duration::from_millis(100);
/// Connections that may wait for being accepted.
const BACKLOG_COUNT: i32 = 4096;

/// Serves, after saying where on standard output.
pub(crate) fn serve(kind: Kind, tongue: &Tongue, folder: Option<&Path>) -> Result<()> {
    match tongue {
        Tongue::Http => serve_in(Http, kind, folder),
        Tongue::Wire { secret } => {
            let (_, keyring) = greeting::keys(secret)?;
            serve_in(Wire::new(keyring), kind, folder)
        }
    }
}

fn serve_in(speech: impl Speech, kind: Kind, folder: Option<&Path>) -> Result<()> {
    let shape = RingShape::default();
    let mut ring = CoreRing::new(shape)?;
    let log = match kind {
        Kind::Echo => None,
        Kind::Commit => {
            Some(Log::open(folder.context("a folder for the log is given")?, &mut ring)?)
        }
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let claimed = ClaimedAddress::claim(address)?;
    let address = claimed.address();
    for listener in claimed.listen(1, BACKLOG_COUNT)? {
        ring.listen(listener)?;
    }
    writeln!(std::io::stdout(), "{address}").context("say where it listens")?;
    let links = std::iter::repeat_with(|| None).take(shape.connections_max).collect();
    Server { ring, log, speech, links, now_ms: 0, touched: Vec::new(), numbers: Vec::new() }.run()
}

struct Server<S: Speech> {
    ring: CoreRing,
    log: Option<Log>,
    speech: S,
    /// By connection.
    links: Vec<Option<S::Link>>,
    now_ms: UnixMs,
    /// Those that may have something to be sent.
    touched: Vec<ConnectionId>,
    /// Of the requests in what was received last.
    numbers: Vec<u64>,
}

impl<S: Speech> Server<S> {
    fn run(mut self) -> Result<()> {
        loop {
            self.ring.wait(SLEEP)?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).context("read the time")?;
            self.now_ms = UnixMs::try_from(now.as_millis())?;
            while let Some(completion) = self.ring.pop()? {
                let foreign = match &mut self.log {
                    None => Some(completion),
                    Some(log) => log.complete(&mut self.ring, completion)?,
                };
                if let Some(completion) = foreign {
                    self.handle(completion)?;
                }
            }
            self.answer_durable()?;
            self.send()?;
            if let Some(log) = &mut self.log {
                log.write(&mut self.ring)?;
            }
        }
    }

    fn handle(&mut self, completion: Completion) -> Result<()> {
        match completion {
            Completion::Accepted { connection, .. } => {
                self.links[connection.index()] = Some(self.speech.open(self.now_ms));
                self.ring.receive(connection)?;
            }
            Completion::Received { connection, buffer } => self.receive(connection, &buffer)?,
            Completion::Sent { connection, mut buffer, result } => {
                if result.is_err() {
                    self.ring.close(connection)?;
                }
                buffer.clear();
                if let Some(link) = &mut self.links[connection.index()] {
                    let waiting = S::to_send(link);
                    if waiting.is_empty() {
                        *waiting = buffer;
                    } else {
                        self.touched.push(connection);
                    }
                }
            }
            Completion::ReceiveEnded { connection, .. } => {
                self.links[connection.index()] = None;
                self.ring.close(connection)?;
            }
            // A ring says much that does not concern a server without timers and neighbours.
            _ => {}
        }
        Ok(())
    }

    fn receive(&mut self, connection: ConnectionId, bytes: &[u8]) -> Result<()> {
        let mut numbers = std::mem::take(&mut self.numbers);
        let Self { speech, links, log, now_ms, .. } = self;
        let Some(link) = &mut links[connection.index()] else { return Ok(()) };
        speech.receive(link, (bytes, *now_ms), &mut |number, request| match log {
            None => numbers.push(number),
            Some(log) => log.append(request, Asker { connection, number }),
        })?;
        for number in numbers.drain(..) {
            speech.answer(link, number)?;
        }
        self.numbers = numbers;
        self.touched.push(connection);
        Ok(())
    }

    fn answer_durable(&mut self) -> Result<()> {
        while let Some(askers) = self.log.as_mut().and_then(Log::durable) {
            for Asker { connection, number } in askers {
                // A connection that is gone has nobody to answer.
                if let Some(link) = &mut self.links[connection.index()] {
                    self.speech.answer(link, number)?;
                    if self.touched.last() != Some(&connection) {
                        self.touched.push(connection);
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends what was written; what is written behind it waits for it.
    fn send(&mut self) -> Result<()> {
        while let Some(connection) = self.touched.pop() {
            let Some(link) = &mut self.links[connection.index()] else { continue };
            if self.ring.may_send(connection) {
                let waiting = S::to_send(link);
                if !waiting.is_empty() {
                    let bytes = std::mem::take(waiting);
                    self.ring.send(connection, bytes)?;
                }
            }
        }
        Ok(())
    }
}
