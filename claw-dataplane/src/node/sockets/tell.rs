//! What sockets are told: notices of this core's shards and of the others'.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use claw_common::id::{Session as SessionName, ShardId};
use claw_common::limits::{SOCKET_UNSENT_BYTES_MAX, SOCKET_WAITING_MAX};
use claw_core::codec::{Decode as _, Reader};
use claw_core::effect::NoticePlace;
use claw_core::shard::notice::Notice;

use crate::ingest::socket::notices::{Told, write};
use crate::ring::ConnectionId;
use crate::runtime::placement::CoreId;

use crate::node::core::Core;
use crate::node::envelope::Envelope;
use crate::node::peer::Peer;

impl Core {
    /// Tells a durable notice of one of this core's shards.
    pub(in crate::node) fn notify(&mut self, shard: ShardId, place: NoticePlace, encoded: &[u8]) {
        if let Ok(Notice::SagaParked { order, step }) = Notice::decode(&mut Reader::new(encoded)) {
            log::error!("the saga of order {order} is parked at {step}: see `claw saga list`");
            return;
        }
        let shared = Arc::clone(&self.shared);
        if shared.cores().len() > 1 {
            // See `watch`: the shard's position was published before.
            fence(Ordering::SeqCst);
        }
        for (index, counters) in shared.cores().iter().enumerate() {
            if index != self.id.index() && counters.sockets_count.load(Ordering::Relaxed) > 0 {
                let core = CoreId(u8::try_from(index).expect("at most CORES_MAX"));
                self.notify_core(core, Envelope::Notice { shard, place, notice: encoded.into() });
            }
        }
        self.tell(shard, place, encoded);
    }

    /// Hands a notice to another core. One that is behind is told so instead, once: what waits for
    /// it stays bounded, and its sockets come back with their cursors.
    fn notify_core(&mut self, core: CoreId, notice: Envelope) {
        let behind = &mut self.sockets.behind;
        if self.mesh.try_send(core, notice).is_ok() {
            behind.retain(|other| *other != core);
        } else if !behind.contains(&core) {
            behind.push(core);
            self.mesh.send(core, Envelope::NoticesMissed);
        }
    }

    /// Tells the sockets of this core.
    pub(in crate::node) fn tell(&mut self, shard: ShardId, place: NoticePlace, encoded: &[u8]) {
        if self.sockets.watchers.is_empty() {
            return;
        }
        let Ok(notice) = Notice::decode(&mut Reader::new(encoded)) else { return };
        let session = notice.session().and_then(SessionName::copy);
        let Some(session) = session else { return };
        let connections = self.sockets.by_session.get(&session).cloned().unwrap_or_default();
        for connection in connections {
            self.tell_one(connection, (shard, place), encoded);
        }
    }

    pub(super) fn tell_one(
        &mut self,
        connection: ConnectionId,
        at: (ShardId, NoticePlace),
        encoded: &[u8],
    ) {
        let (shard, place) = at;
        let Some(watcher) = self.sockets.watchers.get_mut(&connection) else { return };
        if let Some(waiting) = watcher.waiting.get_mut(&shard) {
            if waiting.len() >= SOCKET_WAITING_MAX {
                return self.drop_behind(connection);
            }
            return waiting.push((place, encoded.into()));
        }
        if place.sequence <= watcher.cursor.of(shard) {
            return;
        }
        let Ok(notice) = Notice::decode(&mut Reader::new(encoded)) else { return };
        watcher.cursor.advance(shard, place.told_to);
        let text = write(&Told::Notice(&notice), watcher.format, &watcher.cursor.to_text());
        self.say_to(connection, &text);
    }

    pub(super) fn say_to(&mut self, connection: ConnectionId, text: &str) {
        let Some(peer) = self.peers.touch(connection) else { return };
        say(peer, text);
        if peer.send.len() > SOCKET_UNSENT_BYTES_MAX {
            self.drop_behind(connection);
        }
    }
}

/// Says a text to a socket.
pub(super) fn say(peer: &mut Peer, text: &str) {
    let Peer { socket, send, .. } = peer;
    if let Some(socket) = socket {
        socket.say(text);
        socket.take_output(send);
    }
}
