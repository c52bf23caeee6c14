//! The end of a WebSocket, and what its client sends until then.
//!
//! One that is ended is sent why, and has a short while to take it: a client that does not read
//! must not keep its connection, nor what waits for it.

use claw_common::limits::SOCKET_UNSENT_BYTES_MAX;

use crate::ingest::socket::Session;
use crate::ring::ConnectionId;

use crate::node::core::Core;
use crate::node::peer::Peer;

impl Core {
    /// Ends one that cannot be told all: it comes back with its cursor.
    pub(super) fn drop_behind(&mut self, connection: ConnectionId) {
        self.end_socket(connection, Session::close_behind);
    }

    /// The same, of one whose peer is at hand.
    pub(super) fn end_behind(&mut self, peer: &mut Peer) {
        end(peer, |socket| socket.close_behind(self.now_ms));
        self.forget_socket(peer.id);
    }

    fn end_socket(&mut self, connection: ConnectionId, close: fn(&mut Session, u64)) {
        let now_ms = self.now_ms;
        if let Some(peer) = self.peers.touch(connection) {
            end(peer, |socket| close(socket, now_ms));
        }
        self.forget_socket(connection);
    }

    /// Another core could not hand its notices to this one.
    pub(in crate::node) fn miss_notices(&mut self) {
        log::warn!("this core is behind with notices: its WebSockets are asked to come back");
        self.end_all(Session::close_behind);
    }

    /// Ends every WebSocket: the node stops.
    pub(in crate::node) fn end_sockets(&mut self) {
        self.end_all(Session::close_away);
    }

    fn end_all(&mut self, close: fn(&mut Session, u64)) {
        let all: Vec<_> = self.sockets.watchers.keys().copied().collect();
        for connection in all {
            self.end_socket(connection, close);
        }
    }

    /// A connection is gone.
    pub(in crate::node) fn forget_socket(&mut self, connection: ConnectionId) {
        let before = self.sockets.count();
        self.sockets.forget(connection);
        if self.sockets.count() != before {
            self.publish_sockets();
        }
    }

    /// Takes bytes of an open WebSocket.
    pub(in crate::node) fn serve_socket(&mut self, peer: &mut Peer, bytes: &[u8]) {
        let Peer { socket: Some(socket), send, .. } = peer else { return };
        socket.receive(bytes, self.now_ms);
        socket.take_output(send);
        if socket.ended() {
            self.forget_socket(peer.id);
        } else if send.len() > SOCKET_UNSENT_BYTES_MAX {
            // Answers to its own pings, which it does not read.
            self.end_behind(peer);
        }
    }

    /// Acts on the passed deadline of a WebSocket. True: its connection is not waited for.
    pub(in crate::node) fn expire_socket(&mut self, peer: &mut Peer) -> bool {
        let Peer { socket: Some(socket), send, .. } = peer else { return false };
        let gone = socket.expire(self.now_ms);
        socket.take_output(send);
        if gone {
            self.forget_socket(peer.id);
        }
        gone
    }
}

fn end(peer: &mut Peer, close: impl FnOnce(&mut Session)) {
    let Peer { socket, send, .. } = peer;
    if let Some(socket) = socket {
        close(socket);
        socket.take_output(send);
    }
}
