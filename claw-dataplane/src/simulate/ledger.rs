//! The shoppers' own book: what the node acknowledged to them.
//!
//! Owns, per product, the units of placed orders, the units whose fate nobody told us, and the
//! holds that were left to expire; and what shoppers noticed: answers that should have been the
//! same and were not, answers they could not read. The audit compares it with the node's book.
//! Pure: no clock, no socket.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use claw_common::id::Id;
use claw_common::time::UnixMs;

/// Abandoned holds remembered at once. Beyond it the oldest promise is forgotten, which makes the
/// check of held stock weaker, never wrong.
const ABANDONED_MAX: usize = 4_000_000;

/// Placed orders remembered to be read back.
const ORDERS_SAMPLED_MAX: usize = 1000;

/// Lines of one hold, cart or order that a shopper makes.
pub const LINES_MAX: usize = 8;

/// Some units of one product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Index into the scenario's products.
    pub product: u32,
    /// Units.
    pub quantity: u32,
}

/// A few lines, inline: a shopper makes thousands of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines {
    lines: [Line; LINES_MAX],
    count: usize,
}

impl Lines {
    /// Adds a line unless its product is there already or there is no room.
    pub fn push(&mut self, line: Line) {
        let known = self.iter().any(|known| known.product == line.product);
        if !known && self.count < LINES_MAX {
            self.lines[self.count] = line;
            self.count += 1;
        }
    }

    /// The lines.
    pub fn iter(&self) -> std::slice::Iter<'_, Line> {
        self.lines[..self.count].iter()
    }
}

impl<'a> IntoIterator for &'a Lines {
    type Item = &'a Line;
    type IntoIter = std::slice::Iter<'a, Line>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What shoppers were told.
#[derive(Debug)]
pub struct Ledger {
    /// Units of orders we were told are placed, by product.
    pub sold: Vec<u64>,
    /// Units of orders whose end nobody told us, by product: no answer came in time.
    pub uncertain: Vec<u64>,
    /// Uses of coupons in placed orders, by coupon.
    pub coupon_uses: Vec<u64>,
    /// Orders that ended without an answer we could read, with a coupon, by coupon.
    pub coupon_uncertain: Vec<u64>,
    /// Orders placed.
    pub orders_placed: u64,
    /// Every n-th of them, to be read back.
    pub orders_sampled: Vec<Id>,
    /// That n; a power of two.
    pub orders_stride: u64,
    /// Orders cancelled, by reason.
    pub orders_cancelled: BTreeMap<String, u64>,
    /// Resent commands that got the first answer again.
    pub replays_same: u64,
    /// Resent commands that got another answer. Each is an error.
    pub replays_different: u64,
    /// Answers that shoppers could not read. Each is an error.
    pub unreadable: u64,
    /// The first error, in words.
    pub first_error: Option<String>,
    /// Holds left to expire, the next to expire first.
    pub abandoned: BinaryHeap<Reverse<(UnixMs, Line)>>,
}

impl Ledger {
    /// An empty book.
    pub fn new(products_count: usize, coupons_count: usize) -> Self {
        Self {
            sold: vec![0; products_count],
            uncertain: vec![0; products_count],
            coupon_uses: vec![0; coupons_count],
            coupon_uncertain: vec![0; coupons_count],
            orders_placed: 0,
            orders_sampled: Vec::new(),
            orders_stride: 1,
            orders_cancelled: BTreeMap::new(),
            replays_same: 0,
            replays_different: 0,
            unreadable: 0,
            first_error: None,
            abandoned: BinaryHeap::new(),
        }
    }

    /// An order is placed.
    pub fn place(&mut self, order: Id, lines: &Lines, coupon: Option<usize>) {
        self.sample(order);
        self.orders_placed += 1;
        for line in lines {
            self.sold[line.product as usize] += u64::from(line.quantity);
        }
        if let Some(coupon) = coupon {
            self.coupon_uses[coupon] += 1;
        }
    }

    /// Keeps orders evenly spread over the run, however many there will be.
    fn sample(&mut self, order: Id) {
        if !self.orders_placed.is_multiple_of(self.orders_stride) {
            return;
        }
        if self.orders_sampled.len() == ORDERS_SAMPLED_MAX {
            let mut keep = false;
            self.orders_sampled.retain(|_| {
                keep = !keep;
                keep
            });
            self.orders_stride *= 2;
            if !self.orders_placed.is_multiple_of(self.orders_stride) {
                return;
            }
        }
        self.orders_sampled.push(order);
    }

    /// An order is cancelled; its stock is back.
    pub fn cancel(&mut self, reason: &str) {
        match self.orders_cancelled.get_mut(reason) {
            Some(count) => *count += 1,
            None => {
                self.orders_cancelled.insert(reason.to_owned(), 1);
            }
        }
    }

    /// Nobody told us how an order ended.
    pub fn doubt(&mut self, lines: &Lines, coupon: Option<usize>) {
        for line in lines {
            self.uncertain[line.product as usize] += u64::from(line.quantity);
        }
        if let Some(coupon) = coupon {
            self.coupon_uncertain[coupon] += 1;
        }
    }

    /// A hold is left to expire at `expires_ms`.
    pub fn abandon(&mut self, lines: &Lines, expires_ms: UnixMs, now_ms: UnixMs) {
        while let Some(Reverse((due_ms, _))) = self.abandoned.peek() {
            if *due_ms >= now_ms && self.abandoned.len() < ABANDONED_MAX {
                break;
            }
            self.abandoned.pop();
        }
        for line in lines {
            self.abandoned.push(Reverse((expires_ms, *line)));
        }
    }

    /// Units of each product in abandoned holds that live beyond `at_ms`.
    pub fn held_beyond(&self, at_ms: UnixMs) -> Vec<u64> {
        let mut held = vec![0; self.sold.len()];
        for Reverse((expires_ms, line)) in &self.abandoned {
            if *expires_ms > at_ms {
                held[line.product as usize] += u64::from(line.quantity);
            }
        }
        held
    }

    /// An answer made no sense.
    pub fn complain_unreadable(&mut self, what: impl FnOnce() -> String) {
        self.unreadable += 1;
        self.first_error.get_or_insert_with(what);
    }

    /// The same command got two answers.
    pub fn complain_different(&mut self, what: impl FnOnce() -> String) {
        self.replays_different += 1;
        self.first_error.get_or_insert_with(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(product: u32, quantity: u32) -> Lines {
        let mut lines = Lines::default();
        lines.push(Line { product, quantity });
        lines
    }

    #[test]
    fn one_product_is_never_in_two_lines() {
        let mut lines = lines(3, 1);
        lines.push(Line { product: 3, quantity: 9 });
        assert_eq!(lines.iter().count(), 1);
    }

    #[test]
    fn sample_of_orders_is_bounded_and_spread_over_the_run() {
        let mut ledger = Ledger::new(1, 0);
        for number in 0..10_000_u64 {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_le_bytes());
            ledger.place(Id(id), &lines(0, 1), None);
        }
        assert_eq!(ledger.orders_stride, 16);
        let numbers: Vec<u64> = ledger
            .orders_sampled
            .iter()
            .map(|id| u64::from_le_bytes(id.0[..8].try_into().unwrap()))
            .collect();
        assert_eq!(numbers, (0..10_000).step_by(16).collect::<Vec<_>>());
    }

    #[test]
    fn abandoned_holds_count_until_they_expire() {
        let mut ledger = Ledger::new(2, 0);
        ledger.abandon(&lines(0, 2), 1_000, 0);
        ledger.abandon(&lines(1, 3), 2_000, 0);
        assert_eq!(ledger.held_beyond(999), [2, 3]);
        assert_eq!(ledger.held_beyond(1_000), [0, 3]);
        ledger.abandon(&lines(1, 1), 9_000, 5_000);
        assert_eq!(ledger.held_beyond(0), [0, 1], "expired holds are forgotten");
    }
}
