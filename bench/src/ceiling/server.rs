//! The bare servers: accept, receive, frame, answer, on one ring and one thread.
//!
//! Owns the loop and, of each connection, the bytes of a request that is not whole yet. Answers are
//! one constant. Runs until its starter ends it.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use claw_dataplane::ring::{ClaimedAddress, Completion, ConnectionId, CoreRing, RingShape};

use super::Kind;
use super::commit::Log;
use super::framing::{ANSWER, request_bytes};

/// Longest sleep; what wakes it is a completion.
const SLEEP: Duration = Duration::from_millis(100);
/// Connections that may wait for being accepted.
const BACKLOG_COUNT: i32 = 4096;

/// Serves, after saying where on standard output.
pub(crate) fn serve(kind: Kind, folder: Option<&Path>) -> Result<()> {
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
    let unread = std::iter::repeat_with(Vec::new).take(shape.connections_max).collect();
    Server { ring, log, unread, answers: Vec::new() }.run()
}

struct Server {
    ring: CoreRing,
    log: Option<Log>,
    /// By connection.
    unread: Vec<Vec<u8>>,
    /// Buffers that were sent, to be sent again.
    answers: Vec<Vec<u8>>,
}

impl Server {
    fn run(mut self) -> Result<()> {
        loop {
            self.ring.wait(SLEEP)?;
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
            if let Some(log) = &mut self.log {
                log.write(&mut self.ring)?;
            }
        }
    }

    fn handle(&mut self, completion: Completion) -> Result<()> {
        match completion {
            Completion::Accepted { connection, .. } => {
                self.unread[connection.index()].clear();
                self.ring.receive(connection)?;
            }
            Completion::Received { connection, buffer } => self.receive(connection, &buffer)?,
            Completion::Sent { connection, buffer, result } => {
                self.answers.push(buffer);
                if result.is_err() {
                    self.ring.close(connection)?;
                }
            }
            Completion::ReceiveEnded { connection, .. } => self.ring.close(connection)?,
            // A ring says much that does not concern a server without timers and neighbours.
            _ => {}
        }
        Ok(())
    }

    fn receive(&mut self, connection: ConnectionId, bytes: &[u8]) -> Result<()> {
        let unread = &mut self.unread[connection.index()];
        if unread.is_empty() && request_bytes(bytes) == Some(bytes.len()) {
            return self.take(connection, bytes);
        }
        unread.extend_from_slice(bytes);
        if let Some(length) = request_bytes(unread) {
            let mut request = std::mem::take(unread);
            self.take(connection, &request[..length])?;
            request.drain(..length);
            self.unread[connection.index()] = request;
        }
        Ok(())
    }

    fn take(&mut self, connection: ConnectionId, request: &[u8]) -> Result<()> {
        match &mut self.log {
            None => self.answer(connection),
            Some(log) => {
                log.append(request, connection);
                Ok(())
            }
        }
    }

    fn answer_durable(&mut self) -> Result<()> {
        while let Some(askers) = self.log.as_mut().and_then(Log::durable) {
            for connection in askers {
                self.answer(connection)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, connection: ConnectionId) -> Result<()> {
        // A connection that is gone has nobody to answer.
        if self.ring.may_send(connection) {
            let answer = self.answers.pop().unwrap_or_else(|| ANSWER.to_vec());
            self.ring.send(connection, answer)?;
        }
        Ok(())
    }
}
