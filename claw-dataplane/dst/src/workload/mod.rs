//! What shoppers and the shop ask, one file for each command.
//!
//! A command is drawn from chance and from what the oracle knows, sent until it is answered, and
//! then settled: its file says which answers fit, and tells the oracle what they mean.

mod cart;
mod checkout;
mod coupon;
mod event;
mod extend;
mod hold;
mod key;
mod line;
mod order;
mod price;
mod product;
mod read;
mod release;
mod stock;

use core::fmt;

use claw_common::id::{Id, ShardId};
use claw_common::money::{Currency, Money};
use claw_core::codec::{Decode, Encode, Reader, Writer};
use claw_core::command::Command;
use claw_core::lines::{Lines, LinesBuffer};
use claw_core::outcome::Outcome;

use crate::options::Options;
use crate::oracle::Oracle;
use crate::random::Random;
use crate::violation::Checked;

/// Longest list of SKUs that one command names.
const LINES_DRAWN_MAX: u64 = 4;
/// Most units of one line.
const UNITS_DRAWN_MAX: u64 = 4;

/// A command that someone wants done.
pub(crate) trait Asked: fmt::Debug {
    /// The shard that decides it.
    fn shard(&self, shards_count: u16) -> ShardId;

    /// The command itself.
    fn command(&self) -> Command<'_>;

    /// Notes that it is about to be sent for the first time.
    fn sending(&self, _oracle: &mut Oracle) {}

    /// Takes its answer: whether it fits, and what is known now.
    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked;
}

/// What commands are drawn from.
#[derive(Debug)]
pub(crate) struct Draw<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) options: &'a Options,
    pub(crate) oracle: &'a Oracle,
    pub(crate) session: String,
    /// Commands started before this one.
    pub(crate) step: u32,
}

type Drawer = fn(&mut Draw<'_>) -> Option<Box<dyn Asked>>;

/// Commands and how often they are drawn.
const TABLE: &[(u16, Drawer)] = &[
    (220, hold::draw),
    (70, line::draw),
    (110, release::draw),
    (60, extend::draw),
    (200, checkout::draw),
    (90, order::draw),
    (90, stock::draw),
    (30, price::draw),
    (20, product::draw),
    (30, coupon::draw),
    (30, cart::draw),
    (10, key::draw),
    (10, event::draw),
    (80, cart::draw_item),
    (100, read::draw),
];

/// Draws a command. The first ones fill the shop.
pub(crate) fn draw(draw: &mut Draw<'_>) -> Box<dyn Asked> {
    if let Some(first) = draw_first(draw) {
        return first;
    }
    loop {
        let total: u16 = TABLE.iter().map(|(weight, _)| weight).sum();
        let mut place = u16::try_from(draw.random.index(total.into())).expect("below total");
        for (weight, drawer) in TABLE {
            if place < *weight {
                if let Some(asked) = drawer(draw) {
                    return asked;
                }
                break;
            }
            place -= weight;
        }
    }
}

fn draw_first(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let skus = u32::from(draw.options.skus);
    let coupons = u32::from(draw.options.coupons);
    if draw.step < skus {
        return Some(product::draw_new(draw, &sku(draw.step)));
    }
    if draw.step < 2 * skus {
        return Some(stock::draw_delivery(draw, &sku(draw.step - skus)));
    }
    if draw.step < 2 * skus + coupons {
        return coupon::draw(draw);
    }
    None
}

fn sku(number: u32) -> String {
    format!("sku-{number}")
}

fn eur() -> Currency {
    Currency::parse("EUR").expect("a currency")
}

impl Draw<'_> {
    /// A SKU, the first one more often.
    fn sku(&mut self) -> String {
        let hot = self.random.chance(self.options.hot_permille);
        let number = if hot { 0 } else { self.random.index(self.options.skus.into()) };
        sku(u32::try_from(number).expect("small"))
    }

    fn coupon(&mut self) -> String {
        format!("code-{}", self.random.index(self.options.coupons.into()))
    }

    fn price(&mut self) -> Money {
        let amount = i64::try_from(self.random.between(1, 5_000)).expect("small");
        Money { amount, currency: eur() }
    }

    fn ttl_ms(&mut self) -> u64 {
        self.random.between(100, self.options.ttl_ms_max)
    }

    /// Lines over one to several SKUs, encoded.
    fn lines(&mut self) -> Vec<u8> {
        let mut buffer = LinesBuffer::default();
        for _ in 0..self.random.between(1, LINES_DRAWN_MAX) {
            let sku = self.sku();
            let units = self.random.between(1, UNITS_DRAWN_MAX);
            let units = u32::try_from(units).expect("small");
            buffer.add(&sku, units, 0).expect("few and small");
        }
        let lines = buffer.lines();
        let mut bytes = vec![0; lines.encoded_bytes()];
        lines.encode(&mut Writer::new(&mut bytes));
        bytes
    }

    /// Who asks: the storefront may touch any session's, a shopper only the own.
    fn asking(&mut self, owner: &str) -> Option<String> {
        self.random.chance(500).then(|| owner.to_owned())
    }

    fn known_hold(&mut self) -> Option<(Id, String)> {
        let index = newest_biased(self.random, self.oracle.holds.len())?;
        let (id, hold) = self.oracle.holds.iter().nth(index)?;
        Some((*id, hold.session.clone()))
    }

    fn known_order(&mut self) -> Option<(Id, String)> {
        let index = newest_biased(self.random, self.oracle.orders.len())?;
        let (id, order) = self.oracle.orders.iter().nth(index)?;
        Some((*id, order.session.clone()))
    }

    fn known_cart(&mut self) -> Option<(Id, String)> {
        let index = newest_biased(self.random, self.oracle.carts.len())?;
        let (id, session) = self.oracle.carts.iter().nth(index)?;
        Some((*id, session.clone()))
    }
}

/// An index near the end most of the time: ids sort by time, and old things are rarely touched.
fn newest_biased(random: &mut Random, count: usize) -> Option<usize> {
    if count == 0 {
        return None;
    }
    let span = if random.chance(800) { count.min(8) } else { count };
    Some(count - 1 - random.index(span))
}

/// Encoded lines, read in place.
fn lines_of(bytes: &[u8]) -> Lines<'_> {
    Lines::decode(&mut Reader::new(bytes)).expect("we encoded them")
}

/// The shard of the first SKU of encoded lines.
fn shard_of_lines(bytes: &[u8], shards_count: u16) -> ShardId {
    let first = lines_of(bytes).iter().next().expect("at least one");
    claw_common::id::shard_of_key(first.sku, shards_count)
}
