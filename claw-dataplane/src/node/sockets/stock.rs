//! Watched stock: looked at every few heartbeats, for all who watch a product together. What
//! changed in between is told once.

use claw_common::id::shard_of_key;
use claw_core::codec::{Decode as _, Reader};
use claw_core::command::Command;
use claw_core::outcome::Outcome;

use crate::ingest::socket::notices::{Told, write};
use crate::ring::ConnectionId;

use crate::node::core::Core;
use crate::node::pending::Stage;

/// Heartbeats of 5 ms between two looks at watched stock.
const STOCK_HEARTBEATS: u32 = 4;

/// A product's stock, as last told.
#[derive(Debug, Default)]
pub(super) struct StockTopic {
    watchers: Vec<ConnectionId>,
    /// Of them, those who were told nothing yet.
    new: Vec<ConnectionId>,
    available: Option<u64>,
    asked: bool,
}

impl StockTopic {
    pub(super) fn gain(&mut self, connection: ConnectionId) {
        self.watchers.push(connection);
        self.new.push(connection);
    }

    /// Whether nobody watches it any more.
    pub(super) fn lose(&mut self, connection: ConnectionId) -> bool {
        for list in [&mut self.watchers, &mut self.new] {
            list.retain(|other| *other != connection);
        }
        self.watchers.is_empty()
    }

    /// It was read: who is to be told.
    fn take(&mut self, available: u64) -> Vec<ConnectionId> {
        let new = std::mem::take(&mut self.new);
        let changed = self.available.replace(available) != Some(available);
        if changed { self.watchers.clone() } else { new }
    }
}

impl Core {
    /// Looks at watched stock, now and then.
    pub(in crate::node) fn look_at_stock(&mut self) {
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
    pub(in crate::node) fn take_stock(&mut self, sku: &str, outcome: &[u8]) {
        let Some(topic) = self.sockets.stock.get_mut(sku) else { return };
        topic.asked = false;
        let Ok(Outcome::Product(view)) = Outcome::decode(&mut Reader::new(outcome)) else { return };
        let available = view.available();
        for connection in topic.take(available) {
            let Some(watcher) = self.sockets.watchers.get(&connection) else { continue };
            let told = Told::Stock { sku, available };
            let text = write(&told, watcher.format, &watcher.cursor.to_text());
            self.say_to(connection, &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_is_new_is_told_what_there_is_and_the_others_what_changed() {
        let [ada, eve] = [1, 2].map(ConnectionId::for_test);
        let mut topic = StockTopic::default();
        topic.gain(ada);
        assert_eq!(topic.take(5), [ada]);
        assert_eq!(topic.take(5), []);
        topic.gain(eve);
        assert_eq!(topic.take(5), [eve], "ada knows");
        assert_eq!(topic.take(4), [ada, eve]);
        assert!(!topic.lose(ada));
        assert!(topic.lose(eve));
    }
}
