//! The state of one connection and of one listening socket.
//!
//! Owns what the kernel may be using on their behalf: the descriptor, the bytes being sent, the
//! address being connected to. A connection leaves the table only when nothing is in flight.

use std::net::TcpListener;
use std::os::fd::OwnedFd;

use super::listener::SocketAddress;

/// Where receiving stands.
///
/// ```text
///  Idle --receive()--> Armed --no buffers--> Starved --replenished--> Armed
///   ^                   | \--pause()--> Pausing --ended--> Idle
///   |                   +--end of stream or error--> Ended
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReceiveState {
    /// Not asked for.
    Idle,
    /// A multishot receive is with the kernel.
    Armed,
    /// A multishot receive is with the kernel and being canceled.
    Pausing,
    /// Waiting for buffers.
    Starved,
    /// Nothing will ever arrive.
    Ended,
}

/// Bytes being sent.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) buffer: Vec<u8>,
    /// Bytes the kernel has taken.
    pub(super) taken_count: usize,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) fd: OwnedFd,
    pub(super) receive: ReceiveState,
    pub(super) sending: Option<Sending>,
    /// The address the kernel reads while connecting; boxed so that it stays in place.
    pub(super) connecting: Option<Box<SocketAddress>>,
    /// The owner has let go; the connection ends when nothing is in flight.
    pub(super) closing: bool,
}

impl Connection {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd, receive: ReceiveState::Idle, sending: None, connecting: None, closing: false }
    }

    /// Whether the kernel works on nothing for this connection.
    pub(super) fn quiet(&self) -> bool {
        let receiving = matches!(self.receive, ReceiveState::Armed | ReceiveState::Pausing);
        !receiving && self.sending.is_none() && self.connecting.is_none()
    }
}

/// One listening socket.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    /// The owner has let go; the socket closes when the accept has ended.
    pub(super) closing: bool,
}
