//! The vault's connections: made by a process outside its network namespace, handed in.
//!
//! ```text
//!  vault, no network           broker, no keys, no store
//!    reply socket  ---------->   resolves and connects to the one address it was started with
//!    TCP socket    <----------   error number; with it the socket, where there is one
//! ```
//! Owns both sides' words over a Unix stream socket. The vault cannot name an address, so whoever
//! took it over reaches the gateway and nothing else; the broker sees bytes only where the gateway
//! speaks no TLS. The process itself is `runtime::vault_broker`.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// One error number: 0 where a socket comes with it.
const ANSWER_BYTES: usize = 4;

/// The vault's side.
#[derive(Debug)]
pub struct Broker {
    socket: Mutex<UnixStream>,
}

impl Broker {
    /// Over the socket whose other end a broker has.
    pub const fn new(socket: UnixStream) -> Self {
        Self { socket: Mutex::new(socket) }
    }

    /// A connection to the gateway.
    ///
    /// # Errors
    /// What kept the broker from connecting, or `BrokenPipe` where there is no broker any more.
    pub fn connect(&self, timeout: Option<Duration>) -> io::Result<TcpStream> {
        let (own, theirs) = UnixStream::pair()?;
        own.set_read_timeout(timeout)?;
        {
            let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
            send(&socket, &[0; ANSWER_BYTES], Some(theirs.as_fd()))?;
        }
        drop(theirs);
        let Some((answer, socket)) = receive(&own)? else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        match socket {
            Some(socket) => Ok(TcpStream::from(socket)),
            None => Err(io::Error::from_raw_os_error(i32::from_le_bytes(answer))),
        }
    }
}

/// Where the broker answers one question.
#[derive(Debug)]
pub struct Reply(UnixStream);

/// The broker's side: the next question; `None` once the vault is gone.
///
/// # Errors
/// When the socket cannot be read.
pub fn next_question(socket: &UnixStream) -> io::Result<Option<Reply>> {
    loop {
        match receive(socket)? {
            None => return Ok(None),
            Some((_, Some(reply))) => return Ok(Some(Reply(UnixStream::from(reply)))),
            // A question without a place for the answer is not one.
            Some((_, None)) => {}
        }
    }
}

impl Reply {
    /// Hands a connection over, or says why there is none.
    ///
    /// # Errors
    /// When the vault waits no longer.
    pub fn answer(&self, connected: io::Result<TcpStream>) -> io::Result<()> {
        match connected {
            Ok(stream) => send(&self.0, &[0; ANSWER_BYTES], Some(stream.as_fd())),
            Err(error) => {
                // A name that is not resolved has no number of the system.
                let number = error.raw_os_error().unwrap_or(libc::EHOSTUNREACH);
                send(&self.0, &number.to_le_bytes(), None)
            }
        }
    }
}

fn send(to: &UnixStream, bytes: &[u8], handed: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut messages = SendAncillaryBuffer::new(&mut space);
    let handed = handed.as_slice();
    if !handed.is_empty() {
        messages.push(SendAncillaryMessage::ScmRights(handed));
    }
    let sent = sendmsg(to, &[IoSlice::new(bytes)], &mut messages, SendFlags::NOSIGNAL)?;
    // So few bytes fit a Unix socket whole or not at all.
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// One message and what was handed over with it; `None` at the end.
fn receive(from: &UnixStream) -> io::Result<Option<([u8; ANSWER_BYTES], Option<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut messages = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; ANSWER_BYTES];
    let mut into = [IoSliceMut::new(&mut bytes)];
    let received = loop {
        match recvmsg(from, &mut into, &mut messages, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    let handed = messages.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut handed) => handed.next(),
        _ => None,
    });
    Ok((received.bytes == ANSWER_BYTES).then_some((bytes, handed)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Answers one question so.
    fn answer_one(connected: io::Result<TcpStream>) -> io::Result<TcpStream> {
        let (vault, broker) = UnixStream::pair().unwrap();
        std::thread::scope(|scope| {
            let asks = scope.spawn(move || Broker::new(vault).connect(None));
            next_question(&broker).unwrap().unwrap().answer(connected).unwrap();
            asks.join().unwrap()
        })
    }

    #[test]
    fn connection_that_was_made_outside_is_used_inside() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let outside = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut inside = answer_one(Ok(outside)).unwrap();
        let (mut gateway, _) = listener.accept().unwrap();
        inside.write_all(b"ask").unwrap();
        drop(inside);
        let mut heard = String::new();
        gateway.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "ask", "and nobody else has the socket, or it would not end here");
    }

    #[test]
    fn failure_is_told_by_its_number() {
        let refused = answer_one(Err(io::Error::from_raw_os_error(libc::ECONNREFUSED)));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let unresolved = answer_one(Err(io::Error::other("no such name")));
        assert_eq!(unresolved.unwrap_err().raw_os_error(), Some(libc::EHOSTUNREACH));
    }

    #[test]
    fn vault_without_a_broker_and_broker_without_a_vault_end() {
        let (vault, broker) = UnixStream::pair().unwrap();
        drop(broker);
        assert!(Broker::new(vault).connect(None).is_err());
        let (vault, broker) = UnixStream::pair().unwrap();
        drop(vault);
        assert!(next_question(&broker).unwrap().is_none());
    }
}
