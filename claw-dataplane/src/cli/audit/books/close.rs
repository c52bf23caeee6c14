//! The checks that need the whole history.

use std::collections::BTreeMap;

use claw_common::id::{ShardId, shard_of_key};
use claw_core::shard::message::{Part, PartKey};

use super::{Books, HoldEnd, MemberBook, OrderStage, OwnedLines, Phase};

impl Books {
    /// The checks that need all records. `quiet`: nothing is being written meanwhile.
    pub(in crate::cli::audit) fn close(&mut self, quiet: bool) {
        self.place = (ShardId(0), 0);
        self.count_held();
        if quiet {
            self.check_members();
        }
    }

    /// Every held unit has an owner, counted from the owners' side.
    fn count_held(&mut self) {
        let shards_count = self.shards_count;
        let add = |home: ShardId, lines: &OwnedLines, held: &mut BTreeMap<String, i64>| {
            for (sku, quantity) in lines {
                if shard_of_key(sku, shards_count) == home {
                    *held.entry(sku.clone()).or_default() += quantity;
                }
            }
        };
        let mut held = BTreeMap::new();
        for book in self.holds.values() {
            if matches!(book.end, HoldEnd::Reserving | HoldEnd::Active) {
                add(book.home, &book.lines, &mut held);
            }
        }
        for book in self.orders.values() {
            if book.held && book.hold.is_none() && book.stage <= OrderStage::Authorizing {
                add(book.home, &book.lines, &mut held);
            }
        }
        for ((member, _), book) in &self.members {
            if book.phase == Phase::Held {
                add(*member, &book.lines, &mut held);
            }
        }
        let wrong: Vec<String> = self
            .stocks
            .iter()
            .filter(|(sku, stock)| held.get(*sku).copied().unwrap_or(0) != stock.held)
            .map(|(sku, stock)| {
                let owned = held.get(sku).copied().unwrap_or(0);
                format!("at the end {sku} has {} held, its holders have {owned}", stock.held)
            })
            .collect();
        for what in wrong {
            self.find(what);
        }
    }

    /// A placed order is sold in every shard it has lines in.
    fn check_members(&mut self) {
        let mut wrong = Vec::new();
        for (order, book) in &self.orders {
            if !matches!(
                book.stage,
                OrderStage::Placed | OrderStage::Shipped | OrderStage::Refunded
            ) {
                continue;
            }
            let key = match book.hold {
                Some(id) => PartKey { id, part: Part::Hold },
                None => PartKey { id: *order, part: Part::Order },
            };
            for (sku, _) in &book.lines {
                let shard = shard_of_key(sku, self.shards_count);
                let settled = |member: &MemberBook| member.phase == Phase::Settled;
                if shard != book.home && !self.members.get(&(shard, key)).is_some_and(settled) {
                    wrong.push(format!("order {order} is placed, shard {shard} sold no {sku}"));
                }
            }
        }
        for what in wrong {
            self.find(what);
        }
    }
}
