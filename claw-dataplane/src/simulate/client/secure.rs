//! A shopper's TLS: what is encrypted on the way out and opened on the way in.
//!
//! Owns the session; the socket stays the connection's. rustls' ordinary client, which shares no
//! line with how the node drives its side.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::connection::Read;

/// What every connection of a run needs to know.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whom to trust; remembers sessions.
    pub config: Arc<ClientConfig>,
    /// Whose certificate it must be.
    pub name: ServerName<'static>,
}

impl Tls {
    /// A session for a connection that begins.
    pub fn begin(&self) -> io::Result<Secure> {
        let session = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        let session = Box::new(session.map_err(io::Error::other)?);
        Ok(Secure { session, opened: Vec::new(), taken: 0 })
    }
}

/// One session.
#[derive(Debug)]
pub struct Secure {
    session: Box<ClientConnection>,
    /// Opened, and `taken` bytes of it handed out.
    opened: Vec<u8>,
    taken: usize,
}

impl Secure {
    /// Goes on with the handshake; `true` once it is over.
    pub fn shake_hands(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        while self.session.is_handshaking() {
            match self.session.complete_io(stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Encrypts `bytes` and sends what the kernel takes.
    pub fn send(&mut self, stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        self.session.writer().write_all(bytes)?;
        self.flush(stream)
    }

    /// Sends what waits.
    pub fn flush(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(stream) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether everything was sent.
    pub fn flushed(&self) -> bool {
        !self.session.wants_write()
    }

    /// Opens `buffer[..received_bytes]` and puts what was in it there instead. A record that came
    /// in parts opens to more than its last part: what does not fit is kept for [`Secure::take`].
    pub fn open(&mut self, buffer: &mut [u8], received_bytes: usize) -> io::Result<Read> {
        let mut ended = received_bytes == 0;
        let mut records = &buffer[..received_bytes];
        while !records.is_empty() {
            self.session.read_tls(&mut records)?;
            let state = self.session.process_new_packets().map_err(io::Error::other)?;
            ended |= state.peer_has_closed();
            let start = self.opened.len();
            self.opened.resize(start + state.plaintext_bytes_to_read(), 0);
            self.session.reader().read_exact(&mut self.opened[start..])?;
        }
        let count = self.take(buffer);
        let more = received_bytes == buffer.len() || self.taken < self.opened.len();
        Ok(Read { count, more, ended: ended && count == 0 })
    }

    /// Hands out what was opened and found no room; how much of it.
    pub fn take(&mut self, buffer: &mut [u8]) -> usize {
        let left = &self.opened[self.taken..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.taken += count;
        if self.taken == self.opened.len() {
            self.opened.clear();
            self.taken = 0;
        }
        count
    }
}
