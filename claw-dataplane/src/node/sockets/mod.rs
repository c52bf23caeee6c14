//! WebSockets of a core: who watches what, and the way of a notice to them.
//!
//! ```text
//!  effect Notify --> own sockets of the session
//!               \--> envelope to each core that has sockets --> theirs
//!  opening with a cursor: every shard is asked what changed behind it; until a shard has answered,
//!  its notices wait behind the answer, and those it covers are dropped
//! ```
//! Owns the table of sessions and the rule that nothing is told twice or left out: a socket is told
//! of a shard in the order of its sequences, and its cursor says how far. [`open`] has their
//! beginning, [`changes`] what is read for one that comes back, [`tell`] what it is told, [`stock`]
//! the products it looks at, [`end`] its end. A reader that falls behind is closed, and comes back
//! with its cursor; so are the sockets of a core that does not keep up with another's notices.
//!
//! Deliberately keeps no notice: what changed while nobody was there is read from the state.

mod changes;
mod end;
mod open;
mod stock;
mod tell;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;

use claw_common::id::{Session as SessionName, ShardId};
use claw_core::effect::NoticePlace;

use crate::ingest::socket::{Cursor, Format, Upgrade};
use crate::ring::ConnectionId;
use crate::runtime::placement::CoreId;

use super::core::Core;
use super::slab::SlabKey;

use stock::StockTopic;

/// A notice that waits: its place and its bytes.
type Waiting = (NoticePlace, Box<[u8]>);

/// A connection that watches.
#[derive(Debug)]
struct Watcher {
    session: SessionName,
    format: Format,
    cursor: Cursor,
    stock: Vec<String>,
    /// Notices of shards that have not said yet what changed before.
    waiting: BTreeMap<ShardId, Vec<Waiting>>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Sockets {
    by_session: HashMap<SessionName, Vec<ConnectionId>>,
    watchers: HashMap<ConnectionId, Watcher>,
    stock: HashMap<String, StockTopic>,
    /// Upgrades whose tickets are looked at.
    opening: HashMap<SlabKey, Box<Upgrade>>,
    /// Cores that were told that they have missed notices, until they take some again.
    behind: Vec<CoreId>,
}

impl Sockets {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.watchers.len()
    }

    fn forget(&mut self, connection: ConnectionId) {
        let Some(watcher) = self.watchers.remove(&connection) else { return };
        if let Some(list) = self.by_session.get_mut(&watcher.session) {
            list.retain(|other| *other != connection);
            if list.is_empty() {
                self.by_session.remove(&watcher.session);
            }
        }
        for sku in &watcher.stock {
            if let Some(topic) = self.stock.get_mut(sku)
                && topic.lose(connection)
            {
                self.stock.remove(sku);
            }
        }
    }
}

impl Core {
    /// Says to the other cores how many there are here.
    fn publish_sockets(&self) {
        let count = u64::try_from(self.sockets.count()).unwrap_or(u64::MAX);
        self.counters().sockets_count.store(count, Ordering::Relaxed);
    }
}
