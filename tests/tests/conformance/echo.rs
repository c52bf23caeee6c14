//! An echo over the node's own opening and session of a WebSocket, for tests only.
//!
//! One connection after another, on a thread: the judge opens one a case. Text comes back as text
//! and binary as binary. Deliberately not here: tickets (any is taken), deadlines, and whatever
//! else a node has around its sessions.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use claw_dataplane::ingest::http::{Connection, Event, Flow, Timeouts};
use claw_dataplane::ingest::socket::{Session, Upgrade};

/// Longest wait for a client.
const PATIENCE: Duration = Duration::from_secs(30);
/// The time of everything: no deadline passes here.
const NOW_MS: u64 = 0;

/// Listens until it is dropped.
pub(super) struct Echo {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// One that reads at most so many bytes at a time.
    pub(super) fn start(read_bytes: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopped);
        let run = move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::Relaxed) {
                    break;
                }
                // A client that breaks off is its own judge.
                stream.and_then(|stream| serve(stream, &mut vec![0; read_bytes])).ok();
            }
        };
        let thread = Builder::new().name("echo".to_owned()).spawn(run).expect("a thread");
        Self { address, stopped, thread: Some(thread) }
    }

    /// Where it is opened, with something that reads as a ticket.
    pub(super) fn url(&self) -> String {
        format!("ws://{}/v1/ws?ticket={}", self.address, "A".repeat(44))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes it; what is not there any more needs no waking.
        TcpStream::connect(self.address).ok();
        self.thread.take().map(JoinHandle::join);
    }
}

fn serve(mut stream: TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut session = open(&mut stream, buffer)?;
    let mut out = Vec::new();
    while !session.ended() {
        let count = stream.read(buffer)?;
        if count == 0 {
            return Ok(());
        }
        session.receive_each(&buffer[..count], NOW_MS, &mut Some);
        session.take_output(&mut out);
        stream.write_all(&out)?;
        out.clear();
    }
    // The server ends the connection first (RFC 6455, section 7.1.1). To close with bytes unread
    // would reset it and might lose the close frame on its way.
    stream.shutdown(Shutdown::Write)?;
    while stream.read(buffer)? != 0 {}
    Ok(())
}

/// The opening handshake, with the node's own readers of requests.
fn open(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Session> {
    let mut connection = Connection::new(NOW_MS, Timeouts::default());
    let mut asked = None;
    while asked.is_none() {
        let count = stream.read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        connection.ingest(&buffer[..count], NOW_MS, &mut |event| {
            asked = Some(match event {
                Event::Request(request) => Upgrade::read(request, (1, 1)).ok(),
                Event::Continue | Event::Refused(_) => None,
            });
            Flow::Close
        });
    }
    let upgrade = asked.flatten().ok_or(io::ErrorKind::InvalidData)?;
    let mut answer = Vec::new();
    upgrade.write_answer(&mut answer);
    stream.write_all(&answer)?;
    Ok(upgrade.session(NOW_MS))
}
