//! The audit: is anything oversold, negative or lost?

use super::Shard;
use crate::inventory::counter::Counter;
use crate::inventory::member::{Phase, Reserved};
use crate::inventory::product::Product;
use crate::outcome::HoldState;

/// One product's books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditLine<'a> {
    /// SKU.
    pub sku: &'a str,
    /// Its counter.
    pub stock: Counter,
}

/// All products' books, and holds counted on the other side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditTotals {
    /// Units received.
    pub received: u64,
    /// Units removed.
    pub removed: u64,
    /// Units that can be reserved.
    pub available: u64,
    /// Units held, as the products count them.
    pub held: u64,
    /// Units sold, net of returns.
    pub sold: u64,
    /// Units held, as holds, orders under way and reservations for other shards count them.
    pub held_by_owners: u64,
    /// Products whose books do not balance: oversold, negative or lost.
    pub unbalanced: u64,
}

impl AuditTotals {
    /// `received - removed = available + held + sold` for every product, and every held unit has
    /// an owner.
    pub const fn balances(&self) -> bool {
        let there = self.received - self.removed;
        self.unbalanced == 0
            && there == self.available + self.held + self.sold
            && self.held == self.held_by_owners
    }
}

impl Shard {
    /// Each product's books in SKU order.
    pub fn audit_lines(&self) -> impl Iterator<Item = AuditLine<'_>> + '_ {
        let line = |product: &Product| product.stock;
        self.state.products.iter().map(move |p| AuditLine { sku: p.sku.as_str(), stock: line(p) })
    }

    /// The books of all products, and the cross-check with those who hold.
    pub fn audit(&self) -> AuditTotals {
        let mut totals =
            AuditTotals { held_by_owners: self.held_by_owners(), ..Default::default() };
        for line in self.audit_lines() {
            let stock = &line.stock;
            if !stock.conserves() {
                totals.unbalanced += 1;
                continue;
            }
            totals.received += stock.received();
            totals.removed += stock.removed();
            totals.available += stock.available();
            totals.held += stock.held();
            totals.sold += stock.used();
        }
        totals
    }

    fn held_by_owners(&self) -> u64 {
        let placement = self.state.placement;
        let units =
            |lines| placement.local(lines).map(|line| u64::from(line.quantity)).sum::<u64>();
        let live = |state| matches!(state, HoldState::Reserving | HoldState::Active);
        let holds = self.state.holds.iter().filter(|(_, hold)| live(hold.state));
        let holds: u64 = holds.map(|(_, hold)| units(hold.lines.lines())).sum();
        let orders = self.state.orders.iter().map(|(_, order)| order);
        // An order made from a hold does not hold twice, and a confirmed one has sold.
        let orders =
            orders.filter(|order| order.held && order.hold.is_none() && order.is_reserved());
        let orders: u64 = orders.map(|order| units(order.lines.lines())).sum();
        let members = self.state.members.iter().map(|(_, member)| member);
        let members = members.filter(|member| member.phase == Phase::Held);
        let members: u64 = members
            .map(|member| match &member.reserved {
                Reserved::Lines(lines) => units(lines.lines()),
                Reserved::Coupon { .. } | Reserved::Nothing => 0,
            })
            .sum();
        holds + orders + members
    }
}
