//! The beginning of a WebSocket: its ticket, the room for it, and where it starts.
//!
//! A ticket opens once: one that was looked at is used up, whether or not there was room.

use std::collections::BTreeMap;
use std::sync::atomic::{Ordering, fence};

use claw_common::id::{Session as SessionName, ShardId};
use claw_common::limits::{SOCKETS_PER_SESSION_MAX, STOCK_WATCHED_MAX};

use crate::ingest::http;
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::socket::notices::{Told, write};
use crate::ingest::socket::{Cursor, Upgrade};
use crate::ingest::tickets::TicketQuestion;
use crate::runtime::placement::CoreId;

use super::Watcher;
use super::tell::say;
use crate::node::core::Core;
use crate::node::gate::Gate;
use crate::node::peer::Peer;
use crate::node::pending::Asker;
use crate::node::slab::SlabKey;

impl Core {
    /// Looks at a request that opens a WebSocket.
    pub(in crate::node) fn open_socket(
        &mut self,
        ends: (&mut Gate, &mut Peer),
        asker: Asker,
        request: &http::Request<'_>,
    ) -> Result<(), Problem> {
        let (gate, peer) = ends;
        if request.fields.origin.is_some() && !gate.lets_in(request.fields.origin) {
            let detail = "pages of that origin may not: see http.cors_origins in store.toml";
            return Err(Problem::new(ProblemKind::Forbidden, detail));
        }
        if peer.answers.len() > 1 {
            let detail = "a connection with unanswered requests opens no WebSocket: wait for them";
            return Err(Problem::malformed(detail));
        }
        let shape = (self.placement.shards_count(), self.placement.cores_count());
        let upgrade = Upgrade::read(request, shape)?;
        self.check_stock_room(&upgrade)?;
        let desk = CoreId(upgrade.ticket.core());
        if desk != self.id {
            let ticket = upgrade.ticket;
            let key = self.ask_desk(desk, TicketQuestion::Redeem(ticket), asker)?;
            self.sockets.opening.insert(key, Box::new(upgrade));
            return Ok(());
        }
        let session = self.tickets.redeem(upgrade.ticket, self.now_ms).map_err(Problem::from)?;
        self.check_session_room(&session)?;
        let (place, _) = asker.over_http();
        self.watch((peer, place), session, &upgrade);
        Ok(())
    }

    /// Another core's desk has looked at a ticket.
    pub(in crate::node) fn socket_redeemed(
        &mut self,
        key: SlabKey,
        asker: &Asker,
        session: SessionName,
    ) {
        let Some(upgrade) = self.sockets.opening.remove(&key) else { return };
        let (place, context) = asker.over_http();
        let room = self.check_session_room(&session);
        let Some(mut peer) = self.peers.take(asker.connection) else { return };
        match room {
            Ok(()) => self.watch((&mut peer, place), session, &upgrade),
            Err(problem) => {
                let gate = self.gate.as_mut().expect("not in use while mail is taken");
                gate.refuse(&mut peer, place, context, &problem);
            }
        }
        self.peers.put_back(peer);
    }

    /// A desk has refused a ticket.
    pub(in crate::node) fn socket_refused(&mut self, key: SlabKey) {
        self.sockets.opening.remove(&key);
    }

    fn check_session_room(&self, session: &SessionName) -> Result<(), Problem> {
        let open = self.sockets.by_session.get(session).map_or(0, Vec::len);
        if open < SOCKETS_PER_SESSION_MAX {
            return Ok(());
        }
        let detail = format!("a session has at most {SOCKETS_PER_SESSION_MAX} WebSockets");
        let problem = Problem::new(ProblemKind::RateLimited, detail);
        Err(problem.text("limit", "sockets of a session"))
    }

    fn check_stock_room(&self, upgrade: &Upgrade) -> Result<(), Problem> {
        let watched = &self.sockets.stock;
        let new = upgrade.stock.iter().filter(|sku| !watched.contains_key(*sku)).count();
        if watched.len() + new <= STOCK_WATCHED_MAX {
            return Ok(());
        }
        let detail = format!("at most {STOCK_WATCHED_MAX} products are watched on a core at once");
        let problem = Problem::new(ProblemKind::RateLimited, detail);
        Err(problem.text("limit", "watched products"))
    }

    /// Answers the request, and watches from here on.
    fn watch(&mut self, at: (&mut Peer, http::Ticket), session: SessionName, upgrade: &Upgrade) {
        let (peer, place) = at;
        let connection = peer.id;
        peer.answers.complete(place, &mut peer.send, |out| upgrade.write_answer(out));
        peer.open_socket(upgrade.session(self.now_ms));
        for sku in &upgrade.stock {
            self.sockets.stock.entry(sku.clone()).or_default().gain(connection);
        }
        let shards = (0..self.placement.shards_count()).map(ShardId);
        let mut waiting = BTreeMap::new();
        if upgrade.after.is_some() {
            waiting.extend(shards.clone().map(|shard| (shard, Vec::new())));
        }
        let watcher = Watcher {
            session,
            format: upgrade.format,
            cursor: Cursor::at(Vec::new()),
            stock: upgrade.stock.clone(),
            waiting,
        };
        self.sockets.watchers.insert(connection, watcher);
        self.sockets.by_session.entry(session).or_default().push(connection);
        self.publish_sockets();
        // Another core publishes its shard's position before it looks whether there are sockets
        // here: so what is not in the positions read now is told.
        fence(Ordering::SeqCst);
        let now = shards.clone().map(|shard| self.shared.position(shard).unwrap_or(0)).collect();
        let cursor = upgrade.after.clone().unwrap_or_else(|| Cursor::at(now));
        say(peer, &write(&Told::Open, upgrade.format, &cursor.to_text()));
        if let Some(watcher) = self.sockets.watchers.get_mut(&connection) {
            watcher.cursor = cursor.clone();
        }
        if upgrade.after.is_none() {
            return;
        }
        for shard in shards {
            if !self.ask_changes(connection, session, (shard, cursor.of(shard))) {
                // Nothing is told of what cannot be asked: it comes back with its cursor.
                return self.end_behind(peer);
            }
        }
    }
}
