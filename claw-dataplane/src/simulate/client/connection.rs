//! One shopper's connection: bytes out, bytes in, and where it stands.
//!
//! Owns the socket and what the kernel did not take or did not deliver whole; both buffers stay
//! empty (and unallocated) in the usual case, where a request leaves with one call and an answer
//! arrives with one call. Does not know what the bytes mean.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// There is none.
    Closed,
    /// On its way.
    Connecting,
    /// Usable.
    Open,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order; the peer may still read what was sent.
    Orderly,
    /// With a reset, which leaves no port waiting.
    Reset,
}

/// A connection and its buffers.
#[derive(Debug)]
pub struct Connection {
    stream: Option<TcpStream>,
    link: Link,
    /// Counts connections, so that an event of a former one is known as such.
    generation: u32,
    unsent: Vec<u8>,
    unread: Vec<u8>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            stream: None,
            link: Link::Closed,
            generation: 0,
            unsent: Vec::new(),
            unread: Vec::new(),
        }
    }
}

impl Connection {
    /// Where it stands.
    pub const fn link(&self) -> Link {
        self.link
    }

    /// Which connection of this shopper it is.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Takes a socket whose connect has been started.
    pub fn start(&mut self, stream: TcpStream) {
        assert_eq!(self.link, Link::Closed, "one connection at a time");
        self.stream = Some(stream);
        self.link = Link::Connecting;
    }

    /// The socket became writable: did the connect succeed?
    pub fn finish_connect(&mut self) -> io::Result<()> {
        let stream = self.stream.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        stream.peer_addr()?;
        self.link = Link::Open;
        Ok(())
    }

    /// Ends the connection, if there is one, and forgets its bytes.
    pub fn close(&mut self, ending: Ending) {
        if let Some(stream) = self.stream.take()
            && ending == Ending::Reset
            && let Err(error) = super::system::reset_on_close(&stream)
        {
            log::debug!("close with a reset: {error}");
        }
        self.link = Link::Closed;
        self.generation = self.generation.wrapping_add(1);
        self.unsent.clear();
        self.unread.clear();
    }

    /// Sends `bytes`, or keeps what the kernel does not take until [`Connection::flush`].
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.link != Link::Open || !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let sent = write_some(stream, bytes)?;
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// Sends what was kept.
    pub fn flush(&mut self) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let sent = write_some(stream, &self.unsent)?;
        self.unsent.drain(..sent);
        Ok(())
    }

    /// Whether everything was sent.
    pub const fn flushed(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Reads once into `buffer`; `Ok(None)` when there is nothing now, `Ok(Some(0))` at the end.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        loop {
            match stream.read(buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The bytes of an answer that is not whole yet; lent so that a parse can borrow them.
    pub fn take_unread(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unread)
    }

    /// Gives the buffer back, with the bytes that are still to be parsed.
    pub fn keep_unread(&mut self, bytes: Vec<u8>) {
        self.unread = bytes;
    }
}

fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
