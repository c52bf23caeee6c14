//! WebSockets of a core: who watches what, and the way of a notice to them.
//!
//! ```text
//!  effect Notify --> own sockets of the session
//!               \--> envelope to each core that has sockets --> theirs
//!  opening with a cursor: every shard is asked what changed behind it; until a shard has answered,
//!  its notices wait behind the answer, and those it covers are dropped
//! ```
//! Owns the table of sessions and the rule that nothing is told twice or left out: a socket is told
//! of a shard in the order of its sequences, and its cursor says how far. A reader that falls
//! behind is closed, and comes back with its cursor. Stock is looked at every few heartbeats for
//! all who watch it together: what changed in between is told once.
//!
//! Deliberately keeps no notice: what changed while nobody was there is read from the state.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use claw_common::id::{Session as SessionName, ShardId, shard_of_key};
use claw_common::limits::SOCKETS_PER_SESSION_MAX;
use claw_core::codec::{Decode as _, Reader};
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, Request};
use claw_core::outcome::Outcome;
use claw_core::shard::notice::Notice;

use crate::ingest::http;
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::socket::notices::{Told, write};
use crate::ingest::socket::{Cursor, Format, Session, Upgrade};
use crate::ingest::tickets::TicketQuestion;
use crate::ring::ConnectionId;
use crate::runtime::placement::CoreId;

use super::core::Core;
use super::envelope::Envelope;
use super::gate::Gate;
use super::peer::Peer;
use super::pending::{Asker, Pending, Stage};
use super::slab::SlabKey;
use super::work::Work;

/// With this much unsent a reader is behind.
const UNSENT_BYTES_MAX: usize = 128 * 1024;
/// Notices that wait for a shard's answer while a socket opens.
const WAITING_MAX: usize = 1024;
/// SKUs that are watched on one core.
const STOCK_WATCHED_MAX: usize = 4096;
/// Heartbeats of 5 ms between two looks at watched stock.
const STOCK_HEARTBEATS: u32 = 4;

/// A notice that waits: its sequence and its bytes.
type Waiting = (u64, Box<[u8]>);

/// A connection that watches.
#[derive(Debug)]
pub(super) struct Watcher {
    session: SessionName,
    format: Format,
    cursor: Cursor,
    stock: Vec<String>,
    /// Notices of shards that have not said yet what changed before.
    waiting: BTreeMap<ShardId, Vec<Waiting>>,
}

/// A product's stock, as last told.
#[derive(Debug, Default)]
struct StockTopic {
    watchers: Vec<ConnectionId>,
    available: Option<u64>,
    asked: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Sockets {
    by_session: HashMap<SessionName, Vec<ConnectionId>>,
    watchers: HashMap<ConnectionId, Watcher>,
    stock: HashMap<String, StockTopic>,
    /// Upgrades whose tickets are looked at.
    opening: HashMap<SlabKey, Box<Upgrade>>,
}

impl Sockets {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.watchers.len()
    }
}

impl Core {
    /// Looks at a request that opens a WebSocket.
    pub(super) fn open_socket(
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
        let shape = (self.placement.shards_count(), self.placement.cores_count());
        let upgrade = Upgrade::read(request, shape)?;
        let desk = CoreId(upgrade.ticket.core());
        if desk != self.id {
            let ticket = upgrade.ticket;
            let key = self.ask_desk(desk, TicketQuestion::Redeem(ticket), asker)?;
            self.sockets.opening.insert(key, Box::new(upgrade));
            return Ok(());
        }
        let session = self.tickets.redeem(upgrade.ticket, self.now_ms).map_err(Problem::from)?;
        let connection = peer.id;
        self.check_room(&session)?;
        let (place, _) = asker.over_http();
        peer.answers.complete(place, &mut peer.send, |out| upgrade.write_answer(out));
        peer.socket = Some(Box::new(upgrade.session(self.now_ms)));
        self.watch(connection, session, &upgrade, Some(peer));
        Ok(())
    }

    /// Another core's desk has looked at a ticket.
    pub(super) fn socket_redeemed(&mut self, key: SlabKey, asker: &Asker, session: SessionName) {
        let Some(upgrade) = self.sockets.opening.remove(&key) else { return };
        let (place, context) = asker.over_http();
        let refused = self.check_room(&session).err();
        let now_ms = self.now_ms;
        let Some(peer) = self.peers.touch(asker.connection) else { return };
        if let Some(problem) = refused {
            let gate = self.gate.as_mut().expect("not in use while mail is taken");
            return gate.refuse(peer, place, context, &problem);
        }
        peer.answers.complete(place, &mut peer.send, |out| upgrade.write_answer(out));
        peer.socket = Some(Box::new(upgrade.session(now_ms)));
        self.watch(asker.connection, session, &upgrade, None);
    }

    /// A desk has refused a ticket.
    pub(super) fn socket_refused(&mut self, key: SlabKey) {
        self.sockets.opening.remove(&key);
    }

    fn check_room(&self, session: &SessionName) -> Result<(), Problem> {
        let open = self.sockets.by_session.get(session).map_or(0, Vec::len);
        if open < SOCKETS_PER_SESSION_MAX {
            return Ok(());
        }
        let detail = format!("a session has at most {SOCKETS_PER_SESSION_MAX} WebSockets");
        let problem = Problem::new(ProblemKind::RateLimited, detail);
        Err(problem.text("limit", "sockets of a session"))
    }

    fn watch(
        &mut self,
        connection: ConnectionId,
        session: SessionName,
        upgrade: &Upgrade,
        peer: Option<&mut Peer>,
    ) {
        let shards = (0..self.placement.shards_count()).map(ShardId);
        let now = shards.clone().map(|shard| self.shared.position(shard).unwrap_or(0)).collect();
        let cursor = upgrade.after.clone().unwrap_or_else(|| Cursor::at(now));
        let mut waiting = BTreeMap::new();
        if upgrade.after.is_some() {
            waiting.extend(shards.map(|shard| (shard, Vec::new())));
        }
        let (format, stock) = (upgrade.format, upgrade.stock.clone());
        for sku in &stock {
            if self.sockets.stock.len() < STOCK_WATCHED_MAX {
                let topic = self.sockets.stock.entry(sku.clone()).or_default();
                topic.watchers.push(connection);
                // The new one is told what there is.
                topic.available = None;
            }
        }
        let watcher = Watcher { session, format, cursor: cursor.clone(), stock, waiting };
        self.sockets.watchers.insert(connection, watcher);
        self.sockets.by_session.entry(session).or_default().push(connection);
        self.publish_sockets();
        let text = write(&Told::Open, format, &cursor.to_text());
        match peer {
            Some(peer) => say(peer, &text),
            None => self.say_to(connection, &text),
        }
        if upgrade.after.is_some() {
            for shard in (0..self.placement.shards_count()).map(ShardId) {
                self.ask_changes(connection, session, (shard, cursor.of(shard)));
            }
        }
    }

    fn publish_sockets(&self) {
        let count = u64::try_from(self.sockets.count()).unwrap_or(u64::MAX);
        self.counters().sockets_count.store(count, Ordering::Relaxed);
    }

    fn ask_changes(
        &mut self,
        connection: ConnectionId,
        session: SessionName,
        behind: (ShardId, u64),
    ) {
        let (shard, after) = behind;
        let stage = Stage::Changes { connection, shard };
        let command = Command::ReadSession { session: session.as_str(), after };
        if !self.ask_own(shard, &command, stage) {
            // Nothing is told of what cannot be asked: it comes back with its cursor.
            self.drop_socket(connection);
        }
    }

    /// Asks a shard for the node itself; false when too much is under way.
    fn ask_own(&mut self, shard: ShardId, command: &Command<'_>, stage: Stage) -> bool {
        let Ok(key) = self.pending.insert(Pending { asker: None, stage }) else { return false };
        let request = Request {
            command: *command,
            identity: CommandKey::default(),
            reply_to: self.reply_to(key),
            key: 0,
            auth_mode: AuthMode::default(),
            accepted: self.next_stamp(),
            entropy: 0,
            extra: b"",
            extra_type: ExtraType::default(),
            evidence: b"",
        };
        let request = super::deliver::encode_request(&request);
        let core = self.placement.core_of(shard);
        if core == self.id {
            self.inbox.push_back(Work::Request { shard, request });
        } else {
            self.mesh.send(core, Envelope::Request { shard, request });
        }
        true
    }

    /// A shard has said what changed of a session behind a socket's cursor.
    pub(super) fn take_changes(
        &mut self,
        connection: ConnectionId,
        outcome: &[u8],
        at: (ShardId, u64),
    ) {
        let (shard, sequence) = at;
        let Ok(Outcome::SessionChanges { count, changes, more }) =
            Outcome::decode(&mut Reader::new(outcome))
        else {
            return self.drop_socket(connection);
        };
        let Some(watcher) = self.sockets.watchers.get_mut(&connection) else { return };
        let mut texts = Vec::new();
        let mut reader = Reader::new(changes);
        for _ in 0..count {
            let (Ok(changed_at), Ok(changed)) = (reader.u64(), Outcome::decode(&mut reader)) else {
                return self.drop_socket(connection);
            };
            watcher.cursor.advance(shard, changed_at);
            let cursor = watcher.cursor.to_text();
            texts.push(write(&Told::Changed(&changed), watcher.format, &cursor));
        }
        if more {
            texts.push(write(&Told::More, watcher.format, &watcher.cursor.to_text()));
        } else {
            watcher.cursor.advance(shard, sequence);
        }
        let waited = watcher.waiting.remove(&shard).unwrap_or_default();
        for text in &texts {
            self.say_to(connection, text);
        }
        if more {
            return self.drop_behind(connection);
        }
        for (sequence, notice) in waited {
            self.tell_one(connection, (shard, sequence), &notice);
        }
    }

    /// Tells a durable notice of one of this core's shards.
    pub(super) fn notify(&mut self, shard: ShardId, sequence: u64, encoded: &[u8]) {
        if let Ok(Notice::SagaParked { order, step }) = Notice::decode(&mut Reader::new(encoded)) {
            log::error!("the saga of order {order} is parked at {step}: see `claw saga list`");
            return;
        }
        let shared = Arc::clone(&self.shared);
        for (index, counters) in shared.cores().iter().enumerate() {
            if index != self.id.index() && counters.sockets_count.load(Ordering::Relaxed) > 0 {
                let core = CoreId(u8::try_from(index).expect("at most CORES_MAX"));
                let notice = encoded.into();
                self.mesh.send(core, Envelope::Notice { shard, sequence, notice });
            }
        }
        self.tell(shard, sequence, encoded);
    }

    /// Tells the sockets of this core.
    pub(super) fn tell(&mut self, shard: ShardId, sequence: u64, encoded: &[u8]) {
        if self.sockets.watchers.is_empty() {
            return;
        }
        let Ok(notice) = Notice::decode(&mut Reader::new(encoded)) else { return };
        let session = notice.session().and_then(SessionName::copy);
        let Some(session) = session else { return };
        let connections = self.sockets.by_session.get(&session).cloned().unwrap_or_default();
        for connection in connections {
            self.tell_one(connection, (shard, sequence), encoded);
        }
    }

    fn tell_one(&mut self, connection: ConnectionId, at: (ShardId, u64), encoded: &[u8]) {
        let (shard, sequence) = at;
        let Some(watcher) = self.sockets.watchers.get_mut(&connection) else { return };
        if let Some(waiting) = watcher.waiting.get_mut(&shard) {
            if waiting.len() >= WAITING_MAX {
                return self.drop_behind(connection);
            }
            return waiting.push((sequence, encoded.into()));
        }
        if sequence <= watcher.cursor.of(shard) {
            return;
        }
        let Ok(notice) = Notice::decode(&mut Reader::new(encoded)) else { return };
        watcher.cursor.advance(shard, sequence);
        let text = write(&Told::Notice(&notice), watcher.format, &watcher.cursor.to_text());
        self.say_to(connection, &text);
    }

    fn say_to(&mut self, connection: ConnectionId, text: &str) {
        let Some(peer) = self.peers.touch(connection) else { return };
        say(peer, text);
        if peer.send.len() > UNSENT_BYTES_MAX {
            self.drop_behind(connection);
        }
    }

    fn drop_behind(&mut self, connection: ConnectionId) {
        self.end_socket(connection, Session::close_behind);
    }

    fn drop_socket(&mut self, connection: ConnectionId) {
        self.end_socket(connection, Session::close_away);
    }

    fn end_socket(&mut self, connection: ConnectionId, close: fn(&mut Session)) {
        if let Some(peer) = self.peers.touch(connection) {
            let Peer { socket, send, .. } = peer;
            if let Some(socket) = socket {
                close(socket);
                socket.take_output(send);
            }
            peer.end();
        }
        self.forget_socket(connection);
    }

    /// A connection is gone.
    pub(super) fn forget_socket(&mut self, connection: ConnectionId) {
        let Some(watcher) = self.sockets.watchers.remove(&connection) else { return };
        if let Some(list) = self.sockets.by_session.get_mut(&watcher.session) {
            list.retain(|other| *other != connection);
            if list.is_empty() {
                self.sockets.by_session.remove(&watcher.session);
            }
        }
        for sku in &watcher.stock {
            if let Some(topic) = self.sockets.stock.get_mut(sku) {
                topic.watchers.retain(|other| *other != connection);
                if topic.watchers.is_empty() {
                    self.sockets.stock.remove(sku);
                }
            }
        }
        self.publish_sockets();
    }

    /// Takes bytes of an open WebSocket.
    pub(super) fn serve_socket(&mut self, peer: &mut Peer, bytes: &[u8]) {
        let Peer { socket: Some(socket), send, .. } = peer else { return };
        socket.receive(bytes, self.now_ms);
        socket.take_output(send);
        if socket.ended() {
            peer.end();
            self.forget_socket(peer.id);
        }
    }

    /// Acts on the passed deadline of a WebSocket.
    pub(super) fn expire_socket(&mut self, peer: &mut Peer) {
        let Peer { socket: Some(socket), send, .. } = peer else { return };
        socket.expire(self.now_ms);
        socket.take_output(send);
        if socket.ended() {
            peer.end();
            self.forget_socket(peer.id);
        }
    }

    /// Ends every WebSocket: the node stops.
    pub(super) fn end_sockets(&mut self) {
        let all: Vec<_> = self.sockets.watchers.keys().copied().collect();
        for connection in all {
            self.drop_socket(connection);
        }
    }

    /// Looks at watched stock, now and then.
    pub(super) fn look_at_stock(&mut self) {
        if self.sockets.stock.is_empty() || !self.heartbeats.is_multiple_of(STOCK_HEARTBEATS) {
            return;
        }
        let shards_count = self.placement.shards_count();
        let open = self.sockets.stock.iter().filter(|(_, topic)| !topic.asked);
        let skus: Vec<String> = open.map(|(sku, _)| sku.clone()).collect();
        for sku in skus {
            let shard = shard_of_key(&sku, shards_count);
            let stage = Stage::Stock { sku: sku.clone() };
            let asked = self.ask_own(shard, &Command::ReadProduct { sku: &sku }, stage);
            if let Some(topic) = self.sockets.stock.get_mut(&sku) {
                topic.asked = asked;
            }
        }
    }

    /// A product has been read for those who watch its stock.
    pub(super) fn take_stock(&mut self, sku: &str, outcome: &[u8]) {
        let Some(topic) = self.sockets.stock.get_mut(sku) else { return };
        topic.asked = false;
        let Ok(Outcome::Product(view)) = Outcome::decode(&mut Reader::new(outcome)) else { return };
        let available = view.available();
        if topic.available.replace(available) == Some(available) {
            return;
        }
        for connection in topic.watchers.clone() {
            let Some(watcher) = self.sockets.watchers.get(&connection) else { continue };
            let told = Told::Stock { sku, available };
            let text = write(&told, watcher.format, &watcher.cursor.to_text());
            self.say_to(connection, &text);
        }
    }
}

fn say(peer: &mut Peer, text: &str) {
    let Peer { socket, send, .. } = peer;
    if let Some(socket) = socket {
        socket.say(text);
        socket.take_output(send);
    }
}
