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
        Ok(Secure { session: Box::new(session.map_err(io::Error::other)?) })
    }
}

/// One session.
#[derive(Debug)]
pub struct Secure {
    session: Box<ClientConnection>,
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

    /// Opens `buffer[..received_bytes]` in place. Plaintext is shorter than what it came in, so
    /// it never overtakes the records still to be opened.
    pub fn open(&mut self, buffer: &mut [u8], received_bytes: usize) -> io::Result<Read> {
        let (mut opened, mut taken) = (0, 0);
        let mut ended = received_bytes == 0;
        while taken < received_bytes {
            let mut records = &buffer[taken..received_bytes];
            taken += self.session.read_tls(&mut records)?;
            self.session.process_new_packets().map_err(io::Error::other)?;
            loop {
                match self.session.reader().read(&mut buffer[opened..taken]) {
                    Ok(0) => {
                        // Closed, or no room left: then everything up to here was opened.
                        ended |= opened < taken;
                        break;
                    }
                    Ok(count) => opened += count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        let more = received_bytes == buffer.len();
        Ok(Read { count: opened, more, ended: ended && opened == 0 })
    }
}
