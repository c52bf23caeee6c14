//! One shopper's connection: bytes out, bytes in, and where it stands.
//!
//! Owns the socket and what the kernel did not take or did not deliver whole; both buffers stay
//! empty (and unallocated) in the usual case, where a request leaves with one call and an answer
//! arrives with one call. Bytes pass through [`Secure`] where there is one. Does not know what they
//! mean.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use super::secure::Secure;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// There is none.
    Closed,
    /// On its way.
    Connecting,
    /// Connected and shaking hands.
    Securing,
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

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Bytes at the front of the buffer.
    pub count: usize,
    /// There may be more to read now.
    pub more: bool,
    /// The peer has ended its side.
    pub ended: bool,
}

/// A connection and its buffers.
#[derive(Debug)]
pub struct Connection {
    stream: Option<TcpStream>,
    secure: Option<Secure>,
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
            secure: None,
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

    /// Takes a socket whose connect has been started, to be encrypted by `secure` if at all.
    pub fn start(&mut self, stream: TcpStream, secure: Option<Secure>) {
        assert_eq!(self.link, Link::Closed, "one connection at a time");
        self.stream = Some(stream);
        self.secure = secure;
        self.link = Link::Connecting;
    }

    /// Whether it is on its way to being usable.
    pub const fn opening(&self) -> bool {
        matches!(self.link, Link::Connecting | Link::Securing)
    }

    /// The socket became writable: did the connect succeed?
    pub fn finish_connect(&mut self) -> io::Result<()> {
        let stream = self.stream.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        stream.peer_addr()?;
        self.link = if self.secure.is_some() { Link::Securing } else { Link::Open };
        Ok(())
    }

    /// Goes on with the handshake, as far as the peer lets it.
    pub fn shake_hands(&mut self) -> io::Result<()> {
        if let (Some(stream), Some(secure)) = (&mut self.stream, &mut self.secure)
            && secure.shake_hands(stream)?
        {
            self.link = Link::Open;
        }
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
        self.secure = None;
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
        if let Some(secure) = &mut self.secure {
            return secure.send(stream, bytes);
        }
        let sent = write_some(stream, bytes)?;
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// Sends what was kept.
    pub fn flush(&mut self) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        if let Some(secure) = &mut self.secure {
            // What was asked before the handshake was over.
            let waiting = std::mem::take(&mut self.unsent);
            return secure.send(stream, &waiting);
        }
        let sent = write_some(stream, &self.unsent)?;
        self.unsent.drain(..sent);
        Ok(())
    }

    /// Whether everything was sent.
    pub fn flushed(&self) -> bool {
        self.unsent.is_empty() && self.secure.as_ref().is_none_or(Secure::flushed)
    }

    /// Reads once into `buffer`; `None` when there is nothing now.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Read>> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        if let Some(secure) = &mut self.secure {
            let count = secure.take(buffer);
            if count > 0 {
                return Ok(Some(Read { count, more: true, ended: false }));
            }
        }
        loop {
            match stream.read(buffer) {
                Ok(count) => {
                    return match &mut self.secure {
                        Some(secure) => secure.open(buffer, count).map(Some),
                        None => {
                            Ok(Some(Read { count, more: count == buffer.len(), ended: count == 0 }))
                        }
                    };
                }
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
