//! A second bookkeeping, from the events alone.
//!
//! Owns the rules of what an event does to stock, holds, orders and coupons, written a second time
//! on purpose: where the shards' code and this differ, one of them is wrong, and the audit says so.
//! Slow and simple: signed numbers that may go wrong and be seen, maps that never forget.
//!
//! A finding never stops the audit.

mod answers;
mod close;
mod holds;
mod orders;

use std::collections::BTreeMap;
use std::fmt;

use claw_common::id::{Id, ShardId, shard_of_key};
use claw_core::lines::Lines;
use claw_core::shard::event::Event;
use claw_core::shard::message::PartKey;

/// Findings that are kept; the count is always whole.
const FINDINGS_SHOWN_MAX: usize = 20;

/// One SKU's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli::audit) struct Stock {
    pub(in crate::cli::audit) received: i64,
    pub(in crate::cli::audit) removed: i64,
    pub(in crate::cli::audit) held: i64,
    pub(in crate::cli::audit) sold: i64,
}

impl Stock {
    pub(in crate::cli::audit) const fn available(&self) -> i64 {
        self.received - self.removed - self.held - self.sold
    }

    /// Units promised beyond what there was.
    const fn oversold(&self) -> i64 {
        let available = self.available();
        if available < 0 { -available } else { 0 }
    }

    const fn sound(&self) -> bool {
        self.available() >= 0 && self.held >= 0 && self.sold >= 0 && self.removed >= 0
    }
}

/// Where a unit goes.
#[derive(Clone, Copy, Debug)]
enum Move {
    Hold,
    Release,
    Settle,
    GiveBack,
}

impl Move {
    const fn apply(self, stock: &mut Stock, quantity: i64) {
        match self {
            Self::Hold => stock.held += quantity,
            Self::Release => stock.held -= quantity,
            Self::Settle => {
                stock.held -= quantity;
                stock.sold += quantity;
            }
            Self::GiveBack => stock.sold -= quantity,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HoldEnd {
    Reserving,
    Waiting,
    Active,
    Released,
    Expired,
    Sold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OrderStage {
    Reserving,
    Authorizing,
    Confirming,
    Capturing,
    Placed,
    Shipped,
    Cancelled,
    Refunded,
}

type OwnedLines = Vec<(String, i64)>;

#[derive(Debug)]
struct HoldBook {
    home: ShardId,
    end: HoldEnd,
    lines: OwnedLines,
}

#[derive(Debug)]
struct OrderBook {
    home: ShardId,
    stage: OrderStage,
    hold: Option<Id>,
    held: bool,
    coupon: Option<String>,
    lines: OwnedLines,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Held,
    Settled,
    Undone,
}

#[derive(Debug)]
struct MemberBook {
    phase: Phase,
    lines: OwnedLines,
    coupon: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct CouponBook {
    uses_max: i64,
    held: i64,
    used: i64,
}

/// See the module.
#[derive(Debug)]
pub(in crate::cli::audit) struct Books {
    shards_count: u16,
    stocks: BTreeMap<String, Stock>,
    coupons: BTreeMap<String, CouponBook>,
    holds: BTreeMap<Id, HoldBook>,
    orders: BTreeMap<Id, OrderBook>,
    members: BTreeMap<(ShardId, PartKey), MemberBook>,
    /// The most a SKU was ever oversold, summed over SKUs at the end.
    oversold: BTreeMap<String, i64>,
    findings: Vec<String>,
    findings_count: usize,
    /// Where the record being taken is.
    place: (ShardId, u64),
}

impl Books {
    pub(in crate::cli::audit) fn new(shards_count: u16) -> Self {
        Self {
            shards_count,
            stocks: BTreeMap::new(),
            coupons: BTreeMap::new(),
            holds: BTreeMap::new(),
            orders: BTreeMap::new(),
            members: BTreeMap::new(),
            oversold: BTreeMap::new(),
            findings: Vec::new(),
            findings_count: 0,
            place: (ShardId(0), 0),
        }
    }

    /// Takes a shard's next event.
    pub(in crate::cli::audit) fn take(&mut self, shard: ShardId, sequence: u64, event: &Event<'_>) {
        self.place = (shard, sequence);
        match *event {
            Event::ProductPut { sku, .. } => {
                self.stocks.entry(sku.to_owned()).or_default();
            }
            Event::StockMoved { sku, delta, .. } => self.move_stock(sku, delta),
            Event::CouponPut { code, terms } => {
                let coupon = self.coupons.entry(code.to_owned()).or_default();
                coupon.uses_max = i64::try_from(terms.uses_max).unwrap_or(i64::MAX);
            }
            Event::HoldReserving { hold, lines, .. } => {
                self.begin_hold(hold, lines, HoldEnd::Reserving);
            }
            Event::HoldGranted { hold, lines, .. } => self.grant_hold(hold, lines),
            Event::HoldWaiting { hold, lines, .. } => self.join_line(hold, lines),
            Event::HoldReleased { hold } => self.end_hold(hold, HoldEnd::Released),
            Event::HoldExpired { hold } => self.end_hold(hold, HoldEnd::Expired),
            Event::HoldRefused { hold, .. } => self.refuse_hold(hold),
            Event::MemberHeld { key, lines, .. } => {
                let lines = owned(lines);
                self.move_lines(&lines, Move::Hold);
                self.begin_member(key, MemberBook { phase: Phase::Held, lines, coupon: None });
            }
            Event::MemberCouponHeld { key, code, .. } => {
                self.use_coupon(code, Move::Hold);
                let coupon = Some(code.to_owned());
                let lines = Vec::new();
                self.begin_member(key, MemberBook { phase: Phase::Held, lines, coupon });
            }
            Event::MemberSettled { key } => self.settle_member(key),
            Event::MemberUndone { key, .. } => self.undo_member(key),
            Event::OrderCreated(ref created) => self.create_order(created),
            Event::OrderPartHeld { order } => self.hold_order(order),
            Event::OrderAuthorizing { order, lines, .. } => self.authorize_order(order, lines),
            Event::OrderConfirming { order, lines, .. } => self.confirm_order(order, lines),
            Event::OrderCapturing { order } => {
                self.step_order(order, &[OrderStage::Confirming], OrderStage::Capturing);
            }
            Event::OrderPlaced { order } => {
                let before = [OrderStage::Confirming, OrderStage::Capturing];
                self.step_order(order, &before, OrderStage::Placed);
            }
            Event::OrderCancelled { order, .. } => self.cancel_order(order),
            Event::OrderShipped { order } => {
                self.step_order(order, &[OrderStage::Placed], OrderStage::Shipped);
            }
            Event::OrderRefunded { order } => {
                let before = [OrderStage::Placed, OrderStage::Shipped];
                self.step_order(order, &before, OrderStage::Refunded);
            }
            Event::PriceChanged { .. }
            | Event::CartCreated { .. }
            | Event::CartChanged { .. }
            | Event::HoldExtended { .. }
            | Event::MemberAcknowledged { .. }
            | Event::CheckoutFailed(_)
            | Event::PaymentAnswered { .. }
            | Event::SagaParked { .. }
            | Event::SagaRetried { .. }
            | Event::CommandRefused
            | Event::CommandUnchanged
            | Event::KeyChanged(_)
            | Event::StoreEvent { .. }
            | Event::SubjectForgotten(_) => {}
        }
    }

    fn find(&mut self, what: impl fmt::Display) {
        let (shard, sequence) = self.place;
        self.findings_count += 1;
        if self.findings.len() < FINDINGS_SHOWN_MAX {
            self.findings.push(format!("{shard}:{sequence} {what}"));
        }
    }

    fn owns(&self, key: &str) -> bool {
        shard_of_key(key, self.shards_count) == self.place.0
    }

    fn move_stock(&mut self, sku: &str, delta: i64) {
        let stock = self.stocks.entry(sku.to_owned()).or_default();
        if delta >= 0 {
            stock.received += delta;
        } else {
            stock.removed -= delta;
        }
        self.check_stock(sku);
    }

    /// Moves the lines that belong to the record's shard.
    fn move_lines(&mut self, lines: &OwnedLines, to: Move) {
        for (sku, quantity) in lines {
            if !self.owns(sku) {
                continue;
            }
            let Some(stock) = self.stocks.get_mut(sku) else {
                self.find(format_args!("names the product {sku}, which does not exist"));
                continue;
            };
            to.apply(stock, *quantity);
            self.check_stock(sku);
        }
    }

    fn check_stock(&mut self, sku: &str) {
        let Some(stock) = self.stocks.get(sku).copied() else { return };
        if stock.sound() {
            return;
        }
        if stock.oversold() > 0 {
            let most = self.oversold.entry(sku.to_owned()).or_default();
            *most = stock.oversold().max(*most);
        }
        let Stock { received, removed, held, sold } = stock;
        self.find(format_args!(
            "leaves {sku} with received {received}, removed {removed}, held {held}, sold {sold}"
        ));
    }

    fn use_coupon(&mut self, code: &str, to: Move) {
        let Some(coupon) = self.coupons.get_mut(code) else {
            self.find(format_args!("names the coupon {code}, which does not exist"));
            return;
        };
        match to {
            Move::Hold => coupon.held += 1,
            Move::Release => coupon.held -= 1,
            Move::Settle => {
                coupon.held -= 1;
                coupon.used += 1;
            }
            Move::GiveBack => coupon.used -= 1,
        }
        let CouponBook { uses_max, held, used } = *coupon;
        if held < 0 || used < 0 || held + used > uses_max {
            self.find(format_args!("leaves {code} with held {held}, used {used} of {uses_max}"));
        }
    }
}

fn owned(lines: Lines<'_>) -> OwnedLines {
    lines.iter().map(|line| (line.sku.to_owned(), i64::from(line.quantity))).collect()
}
