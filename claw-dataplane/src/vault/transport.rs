//! How the gateway's client gets its bytes out: over connections that a [`Broker`] made.
//!
//! Owns the three parts that `ureq` lets a caller bring: a resolver that resolves nothing (the
//! broker knows the one address), a connector, and the transport over a socket. TLS stays with
//! `ureq`'s own connector behind it, inside the vault.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::broker::Broker;

/// Stands for the address that the broker knows.
#[derive(Debug)]
pub struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Ok(addresses)
    }
}

/// Asks the broker for every connection.
#[derive(Debug)]
pub struct BrokerConnector(pub Arc<Broker>);

impl Connector<()> for BrokerConnector {
    type Out = Handed;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Handed>, Error> {
        let timeout = details.timeout;
        let stream = self
            .0
            .connect(timeout.not_zero().map(|time| *time))
            .map_err(|error| told(error, timeout))?;
        stream.set_nodelay(true)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Handed { stream, buffers }))
    }
}

/// A connection that was made outside.
pub struct Handed {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl std::fmt::Debug for Handed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Buffers hold keys.
        f.debug_struct("Handed").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Transport for Handed {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_write_timeout(timeout.not_zero().map(|time| *time))?;
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output).map_err(|error| told(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(timeout.not_zero().map(|time| *time))?;
        let into = self.buffers.input_append_buf();
        let count = loop {
            match self.stream.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other.map_err(|error| told(error, timeout))?,
            }
        };
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    /// Whether nothing came that nobody asked for, the end included.
    fn is_open(&mut self) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        let peeked = self.stream.peek(&mut [0]);
        let silent = peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        silent && self.stream.set_nonblocking(false).is_ok()
    }
}

/// A socket says that its time is over in one of two ways.
fn told(error: std::io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Error::Timeout(timeout.reason),
        _ => Error::Io(error),
    }
}
