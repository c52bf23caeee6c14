//! Connections on the ring: connect, receive, send, close.
//!
//! Owns the rules of a connection's life. A late completion of a closed connection is swallowed
//! here, so the caller sees nothing but `Closed` after [`CoreRing::close`].
//!
//! Deliberately absent: timeouts of slow peers (the caller's timers know better), `send_zc` (1.27
//! times the CPU for answers of our size, measured).

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::cqueue::buffer_select;
use io_uring::types::Fd;
use io_uring::{opcode, squeue};

use super::completion::{Completion, ConnectionId, ReceiveEnd};
use super::connection::{Connection, ReceiveState, Sending};
use super::core_ring::RawCompletion;
use super::listener::{SocketAddress, open_socket, set_option};
use super::setup::RECEIVE_GROUP;
use super::user_data::{Key, Kind, UserData};
use super::{CoreRing, RingError};
use crate::buffer::{ReceivePool, ReceivedBuffer};

impl CoreRing {
    /// Takes over a connected socket.
    pub fn adopt(&mut self, socket: OwnedFd) -> Result<ConnectionId, RingError> {
        let key = self.connections.insert(Connection::new(socket))?;
        Ok(ConnectionId(key))
    }

    /// Starts connecting; `Connected` tells how it went.
    pub fn connect(&mut self, address: SocketAddr) -> Result<ConnectionId, RingError> {
        let socket = open_socket(address).map_err(RingError::Socket)?;
        set_option(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY).map_err(RingError::Socket)?;
        let fd = Fd(socket.as_raw_fd());
        let address = Box::new(SocketAddress::from(address));
        let (start, length) = (address.as_ptr(), address.length());
        let mut connection = Connection::new(socket);
        connection.connecting = Some(address);
        let key = self.connections.insert(connection)?;
        let entry = opcode::Connect::new(fd, start, length).build();
        // SAFETY: the boxed address stays in the table until the completion.
        unsafe { self.push(&entry.user_data(UserData::pack(Kind::Connect, key).bits())) }?;
        Ok(ConnectionId(key))
    }

    /// Starts receiving, or starts it again after [`CoreRing::pause_receive`].
    pub fn receive(&mut self, connection: ConnectionId) -> Result<(), RingError> {
        let Some(state) = self.connections.find_mut(connection.0) else {
            return Ok(());
        };
        match state.receive {
            ReceiveState::Idle if !state.closing => self.arm_receive(connection),
            ReceiveState::Pausing => {
                // The cancellation is on its way; the end of the receive will arm the next one.
                state.receive = ReceiveState::Armed;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Stops receiving for a while, so that one connection cannot take every buffer. What the
    /// kernel has already received still arrives.
    pub fn pause_receive(&mut self, connection: ConnectionId) -> Result<(), RingError> {
        let Some(state) = self.connections.find_mut(connection.0) else {
            return Ok(());
        };
        match state.receive {
            ReceiveState::Armed => {
                state.receive = ReceiveState::Pausing;
                self.cancel(UserData::pack(Kind::Receive, connection.0))
            }
            ReceiveState::Starved => {
                state.receive = ReceiveState::Idle;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Sends every byte of the buffer; `Sent` gives it back. On a connection that is closing the
    /// bytes go nowhere and nothing is reported.
    pub fn send(&mut self, connection: ConnectionId, buffer: Vec<u8>) -> Result<(), RingError> {
        assert!(!buffer.is_empty(), "nothing to send");
        let Some(state) = self.connections.find_mut(connection.0) else {
            return Ok(());
        };
        if state.closing {
            return Ok(());
        }
        assert!(state.sending.is_none(), "one send in flight per connection");
        state.sending = Some(Sending { buffer, taken_count: 0 });
        self.push_send(connection.0)
    }

    /// Whether [`CoreRing::send`] may be called.
    pub fn may_send(&self, connection: ConnectionId) -> bool {
        self.connections
            .find(connection.0)
            .is_some_and(|state| state.sending.is_none() && !state.closing)
    }

    /// Says that we send no more; the peer sees the end of the stream. Receiving goes on.
    pub fn finish_sending(&self, connection: ConnectionId) {
        if let Some(state) = self.connections.find(connection.0) {
            shut_down(&state.fd, Shutdown::Write);
        }
    }

    /// Ends a connection once the send in flight is through; nothing more is reported but `Closed`.
    /// A peer that does not read can make that last for ever: see [`CoreRing::abort`]. Bytes that
    /// were received and not read turn the end into a reset, which may cost the peer our last
    /// answer: see [`CoreRing::finish_sending`].
    pub fn close(&mut self, connection: ConnectionId) -> Result<(), RingError> {
        let Some(state) = self.connections.find_mut(connection.0) else {
            return Ok(());
        };
        if state.closing {
            return Ok(());
        }
        state.closing = true;
        let connecting = state.connecting.is_some();
        let receiving = state.receive == ReceiveState::Armed;
        if receiving {
            self.cancel(UserData::pack(Kind::Receive, connection.0))?;
        }
        if connecting {
            self.cancel(UserData::pack(Kind::Connect, connection.0))?;
        }
        self.finish_close_when_quiet(connection);
        Ok(())
    }

    /// Ends a connection now, whatever is still to be sent; also one that is closing.
    pub fn abort(&mut self, connection: ConnectionId) -> Result<(), RingError> {
        if let Some(state) = self.connections.find(connection.0) {
            shut_down(&state.fd, Shutdown::Both);
        }
        self.close(connection)
    }

    /// Arms the receives that ended for want of buffers, once there are enough again.
    pub(super) fn resume_starved(&mut self) -> Result<(), RingError> {
        while !self.starved.is_empty() && self.pool.is_replenished() {
            let Some(connection) = self.starved.pop_front() else {
                break;
            };
            let state = self.connections.find(connection.0);
            if state.is_some_and(|state| state.receive == ReceiveState::Starved) {
                self.arm_receive(connection)?;
            }
        }
        Ok(())
    }

    pub(super) fn complete_connect(&mut self, key: Key, raw: RawCompletion) -> Option<Completion> {
        let connection = ConnectionId(key);
        let state = self.connections.find_mut(key).expect("a connect is owned");
        state.connecting = None;
        if state.closing {
            self.finish_close_when_quiet(connection);
            return None;
        }
        Some(Completion::Connected { connection, result: raw.io_result().map(drop) })
    }

    pub(super) fn complete_receive(
        &mut self,
        key: Key,
        raw: RawCompletion,
    ) -> Result<Option<Completion>, RingError> {
        let connection = ConnectionId(key);
        let buffer = self.received_buffer(raw);
        let state = self.connections.find_mut(key).expect("a receive is owned");
        let armed = state.receive == ReceiveState::Armed;
        if !raw.more() {
            state.receive = ReceiveState::Idle;
        }
        if state.closing {
            drop(buffer);
            self.finish_close_when_quiet(connection);
            return Ok(None);
        }
        match raw.io_result() {
            Ok(0) => Ok(Some(self.end_receive(connection, ReceiveEnd::Finished))),
            Ok(_) => {
                if !raw.more() && armed {
                    self.arm_receive(connection)?;
                }
                let buffer = buffer.expect("received bytes are in a buffer of the pool");
                Ok(Some(Completion::Received { connection, buffer }))
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                if armed {
                    self.starve(connection);
                }
                Ok(None)
            }
            Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => {
                if armed {
                    self.arm_receive(connection)?;
                }
                Ok(None)
            }
            Err(error) => Ok(Some(self.end_receive(connection, ReceiveEnd::Failed(error)))),
        }
    }

    pub(super) fn complete_send(
        &mut self,
        key: Key,
        raw: RawCompletion,
    ) -> Result<Option<Completion>, RingError> {
        let connection = ConnectionId(key);
        let state = self.connections.find_mut(key).expect("a send is owned");
        let sending = state.sending.as_mut().expect("a send has a buffer");
        let result = raw.io_result();
        if let Ok(count) = result {
            assert!(count > 0, "a send of some bytes takes some or fails");
            sending.taken_count += usize::try_from(count).expect("a 32-bit count fits");
            assert!(sending.taken_count <= sending.buffer.len());
            if sending.taken_count < sending.buffer.len() {
                self.push_send(key)?;
                return Ok(None);
            }
        }
        let buffer = state.sending.take().expect("checked above").buffer;
        if state.closing {
            drop(buffer);
            self.finish_close_when_quiet(connection);
            return Ok(None);
        }
        Ok(Some(Completion::Sent { connection, buffer, result: result.map(drop) }))
    }

    fn received_buffer(&self, raw: RawCompletion) -> Option<ReceivedBuffer> {
        let index = buffer_select(raw.flags)?;
        let length_bytes = u32::try_from(raw.result).unwrap_or(0);
        Some(ReceivePool::take(&self.pool, index, length_bytes))
    }

    fn starve(&mut self, connection: ConnectionId) {
        self.metrics.receives_starved_count += 1;
        if let Some(state) = self.connections.find_mut(connection.0) {
            state.receive = ReceiveState::Starved;
            self.starved.push_back(connection);
        }
    }

    fn end_receive(&mut self, connection: ConnectionId, end: ReceiveEnd) -> Completion {
        if let Some(state) = self.connections.find_mut(connection.0) {
            state.receive = ReceiveState::Ended;
        }
        Completion::ReceiveEnded { connection, end }
    }

    fn finish_close_when_quiet(&mut self, connection: ConnectionId) {
        let state = self.connections.find(connection.0);
        if state.is_some_and(Connection::quiet) {
            self.finish_close(connection);
        }
    }

    fn finish_close(&mut self, connection: ConnectionId) {
        let removed = self.connections.remove(connection.0);
        assert!(removed.is_some(), "closed once");
        self.synthesised.push_back(Completion::Closed { connection });
    }

    fn arm_receive(&mut self, connection: ConnectionId) -> Result<(), RingError> {
        let state = self.connections.find_mut(connection.0).expect("armed while it exists");
        state.receive = ReceiveState::Armed;
        let entry = opcode::RecvMulti::new(Fd(state.fd.as_raw_fd()), RECEIVE_GROUP).build();
        // SAFETY: the kernel writes to registered buffers only; the descriptor stays in the table
        // until the receive has ended.
        unsafe { self.push(&entry.user_data(UserData::pack(Kind::Receive, connection.0).bits())) }
    }

    fn push_send(&mut self, key: Key) -> Result<(), RingError> {
        let state = self.connections.find(key).expect("sends are owned");
        let sending = state.sending.as_ref().expect("there is a buffer");
        let rest = &sending.buffer[sending.taken_count..];
        // What exceeds 4 GiB goes with the next push.
        let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let entry: squeue::Entry =
            opcode::Send::new(Fd(state.fd.as_raw_fd()), rest.as_ptr(), length)
                .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
                .build();
        // SAFETY: the buffer stays in the table, unchanged, until the completion.
        unsafe { self.push(&entry.user_data(UserData::pack(Kind::Send, key).bits())) }
    }

    pub(super) fn cancel(&mut self, target: UserData) -> Result<(), RingError> {
        let entry = opcode::AsyncCancel::new(target.bits()).build();
        // SAFETY: no pointers.
        unsafe { self.push(&entry.user_data(UserData::pack(Kind::Cancel, Key::NONE).bits())) }
    }
}

/// Shuts a socket down. A socket that is not connected any more is as shut down as can be.
fn shut_down(socket: &OwnedFd, how: Shutdown) {
    let how = match how {
        Shutdown::Read => libc::SHUT_RD,
        Shutdown::Write => libc::SHUT_WR,
        Shutdown::Both => libc::SHUT_RDWR,
    };
    // SAFETY: the descriptor is open.
    if unsafe { libc::shutdown(socket.as_raw_fd(), how) } < 0 {
        log::trace!("shutting a socket down: {}", io::Error::last_os_error());
    }
}
