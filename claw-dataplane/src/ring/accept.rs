//! Listening sockets on the ring.
//!
//! Owns the multishot accept of each: armed until it is stopped, and tried again after a pause when
//! it fails, so that a process out of file descriptors does not spin. Connections beyond the
//! table's size are closed at once.
//!
//! Does not make sockets: see `listener`.

use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use io_uring::opcode;
use io_uring::types::{Fd, Timespec};

use super::completion::{Completion, ConnectionId, ListenerId};
use super::connection::{Connection, Listener};
use super::core_ring::RawCompletion;
use super::user_data::{Key, Kind, UserData};
use super::{CoreRing, RingError};

/// A failed accept is tried again after this long: without it a process out of descriptors spins.
static ACCEPT_RETRY: Timespec = Timespec::new().nsec(100_000_000);

impl CoreRing {
    /// Accepts connections from a listening socket until [`CoreRing::stop_listening`].
    pub fn listen(&mut self, socket: TcpListener) -> Result<ListenerId, RingError> {
        let key = self.listeners.insert(Listener { socket, closing: false })?;
        self.arm_accept(key)?;
        Ok(ListenerId(key))
    }

    /// Accepts no more; the socket closes. Connections stay.
    pub fn stop_listening(&mut self, listener: ListenerId) -> Result<(), RingError> {
        let Some(state) = self.listeners.find_mut(listener.0) else {
            return Ok(());
        };
        state.closing = true;
        self.cancel(UserData::pack(Kind::Accept, listener.0))
    }

    pub(super) fn complete_accept(
        &mut self,
        key: Key,
        raw: RawCompletion,
    ) -> Result<Option<Completion>, RingError> {
        let listener = ListenerId(key);
        let accepted = raw.io_result().map(|_| {
            // SAFETY: a successful accept gives a new descriptor that nobody else has.
            unsafe { OwnedFd::from_raw_fd(raw.result) }
        });
        let state = self.listeners.find(key).expect("an accept ends first");
        let closing = state.closing;
        if !raw.more() && closing {
            self.listeners.remove(key);
        }
        if closing {
            return Ok(None);
        }
        match accepted {
            Ok(socket) => {
                if !raw.more() {
                    self.arm_accept(key)?;
                }
                Ok(self.admit(listener, socket))
            }
            Err(error) => {
                self.arm_accept_retry(key)?;
                Ok(Some(Completion::AcceptFailed { listener, error }))
            }
        }
    }

    pub(super) fn complete_accept_retry(
        &mut self,
        key: Key,
    ) -> Result<Option<Completion>, RingError> {
        match self.listeners.find(key) {
            Some(state) if state.closing => {
                self.listeners.remove(key);
            }
            Some(_) => self.arm_accept(key)?,
            None => {}
        }
        Ok(None)
    }

    fn admit(&mut self, listener: ListenerId, socket: OwnedFd) -> Option<Completion> {
        if self.connections.is_full() {
            self.metrics.accepts_refused_count += 1;
            return None;
        }
        self.metrics.accepts_count += 1;
        let key = self.connections.insert(Connection::new(socket)).expect("checked above");
        Some(Completion::Accepted { listener, connection: ConnectionId(key) })
    }

    fn arm_accept(&mut self, key: Key) -> Result<(), RingError> {
        let state = self.listeners.find(key).expect("armed while it exists");
        let entry = opcode::AcceptMulti::new(Fd(state.socket.as_raw_fd()))
            .flags(libc::SOCK_CLOEXEC)
            .build();
        // SAFETY: no pointers; the socket stays in the table until the accept has ended.
        unsafe { self.push(&entry.user_data(UserData::pack(Kind::Accept, key).bits())) }
    }

    fn arm_accept_retry(&mut self, key: Key) -> Result<(), RingError> {
        let entry = opcode::Timeout::new(&raw const ACCEPT_RETRY).build();
        // SAFETY: the duration is a static.
        unsafe { self.push(&entry.user_data(UserData::pack(Kind::AcceptRetry, key).bits())) }
    }
}
