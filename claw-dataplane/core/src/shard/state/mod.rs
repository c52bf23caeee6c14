//! The durable state of a shard: everything the log can rebuild, and nothing else.
//!
//! [`State::apply`] is the only way it changes, live and at replay. What is not here is volatile:
//! open conversations with other shards, parked replies, the clock.

mod holds;
mod members;
mod orders;
mod payments;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};

use claw_common::id::{Id, Session};
use claw_common::time::UnixMs;

use super::config::ShardConfig;
use super::error::ApplyError;
use super::event::{Event, KeyChanged};
use crate::cart::{Cart, Item};
use crate::checkout::order::{Entry, Order};
use crate::command::{CommandKey, CouponTerms};
use crate::coupon::Coupon;
use crate::deduplication::Window;
use crate::inventory::counter::Counter;
use crate::inventory::hold::Hold;
use crate::inventory::member::Member;
use crate::inventory::product::{Description, PricePoint, Products};
use crate::inventory::stored_lines::Placement;
use crate::inventory::waiting::WaitingLines;
use crate::lines::{Line, Lines, LinesBuffer};
use crate::stdx::{KeyedSlab, TimerWheel};

/// A registered key, for whoever verifies signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `keyid`.
    pub name: Box<str>,
    /// Role.
    pub role: Box<str>,
    /// 1 ed25519, 2 hmac-sha256.
    pub algorithm: u16,
    /// Public key, or the digest of a secret.
    pub public: [u8; 32],
    /// Whether it is revoked.
    pub revoked: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) placement: Placement,
    pub(crate) products: Products,
    pub(crate) coupons: KeyedSlab<Coupon>,
    pub(crate) carts: KeyedSlab<Cart>,
    pub(crate) holds: KeyedSlab<Hold>,
    pub(crate) orders: KeyedSlab<Order>,
    pub(crate) members: KeyedSlab<Member>,
    pub(crate) keys: BTreeMap<u32, Key>,
    /// How many forgotten subjects the log tells of.
    pub(crate) forgotten_count: u64,
    /// The commands of holds that other shards are still deciding about.
    pub(crate) commands: BTreeMap<Id, CommandKey>,
    pub(crate) window: Window,
    /// Time of the latest record.
    pub(crate) now_ms: UnixMs,
    /// Sequence of the latest record.
    pub(crate) sequence: u64,
    // Rebuilt from the above:
    /// Orders whose sagas wait for somebody to retry them.
    pub(crate) parked: BTreeSet<Id>,
    /// Who waits for stock.
    pub(crate) waiting: WaitingLines,
    pub(crate) hold_timers: TimerWheel,
    pub(crate) order_timers: TimerWheel,
    buffer: LinesBuffer,
}

/// What [`State::apply`] needs of a record beside its event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) sequence: u64,
    pub(crate) now_ms: UnixMs,
    pub(crate) identity: CommandKey,
    pub(crate) event: &'a Event<'a>,
}

impl Facts<'_> {
    /// What an order's history notes of the record.
    pub(crate) const fn entry(&self) -> Entry {
        Entry { now_ms: self.now_ms, sequence: self.sequence }
    }
}

impl State {
    pub(crate) fn new(config: &ShardConfig) -> Self {
        let capacities = &config.capacities;
        Self {
            placement: Placement { shard: config.shard, shards_count: config.shards_count },
            products: Products::with_capacity(capacities.products),
            coupons: KeyedSlab::with_capacity(capacities.coupons),
            carts: KeyedSlab::with_capacity(capacities.carts),
            holds: KeyedSlab::with_capacity(capacities.holds),
            orders: KeyedSlab::with_capacity(capacities.orders),
            members: KeyedSlab::with_capacity(capacities.holds),
            keys: BTreeMap::new(),
            forgotten_count: 0,
            commands: BTreeMap::new(),
            window: Window::with_capacity(capacities.deduplication_bytes),
            now_ms: 0,
            sequence: 0,
            parked: BTreeSet::new(),
            waiting: WaitingLines::default(),
            hold_timers: TimerWheel::with_capacity(capacities.holds),
            order_timers: TimerWheel::with_capacity(capacities.orders),
            buffer: LinesBuffer::default(),
        }
    }

    /// Takes an event in. The answer follows with [`State::remember`].
    pub(crate) fn apply(&mut self, facts: &Facts<'_>) -> Result<(), ApplyError> {
        if facts.sequence != self.sequence + 1 {
            return Err(ApplyError::contradiction("its sequence does not follow the last one"));
        }
        if facts.now_ms < self.now_ms {
            return Err(ApplyError::contradiction("its time is before the last one's"));
        }
        self.sequence = facts.sequence;
        self.now_ms = facts.now_ms;
        match *facts.event {
            Event::ProductPut { sku, name, price, attributes, attributes_version } => {
                let description = Description { sku, name, price, attributes, attributes_version };
                self.products.put(description, facts.now_ms)
            }
            Event::StockMoved { sku, delta, .. } => {
                self.products.move_stock(sku, delta)?;
                offer(&mut self.waiting, &self.products, sku);
                Ok(())
            }
            Event::PriceChanged { sku, price } => {
                self.products.change_price(sku, PricePoint { since_ms: facts.now_ms, price })
            }
            Event::CouponPut { code, terms } => self.put_coupon(code, terms),
            Event::CartCreated { cart, session } => self.create_cart(cart, session),
            Event::CartChanged { cart, sku, quantity, price } => {
                self.change_cart(cart, Item { sku, quantity, price })
            }
            Event::HoldReserving { .. }
            | Event::HoldGranted { .. }
            | Event::HoldWaiting { .. }
            | Event::HoldExtended { .. }
            | Event::HoldReleased { .. }
            | Event::HoldExpired { .. }
            | Event::HoldRefused { .. } => self.apply_hold(facts),
            Event::MemberHeld { .. }
            | Event::MemberCouponHeld { .. }
            | Event::MemberSettled { .. }
            | Event::MemberUndone { .. }
            | Event::MemberAcknowledged { .. } => self.apply_member(facts.event),
            Event::OrderCreated(_)
            | Event::OrderPartHeld { .. }
            | Event::OrderAuthorizing { .. }
            | Event::OrderConfirming { .. }
            | Event::OrderCapturing { .. }
            | Event::OrderPlaced { .. }
            | Event::OrderCancelled { .. }
            | Event::OrderShipped { .. }
            | Event::OrderRefunded { .. } => self.apply_order(facts),
            Event::PaymentAnswered { .. }
            | Event::SagaParked { .. }
            | Event::SagaRetried { .. } => self.apply_payment(facts.event, facts.entry()),
            // What the store says for itself is in the log and nowhere else; so are failures, for
            // who analyses them.
            Event::CommandRefused
            | Event::CommandUnchanged
            | Event::StoreEvent { .. }
            | Event::CheckoutFailed(_) => Ok(()),
            Event::KeyChanged(key) => {
                self.change_key(&key);
                Ok(())
            }
            Event::SubjectForgotten(forgotten) => {
                self.forgotten_count = self.forgotten_count.max(forgotten.number);
                Ok(())
            }
        }
    }

    /// Remembers what a record says of its command.
    pub(crate) fn remember(&mut self, facts: &Facts<'_>, answer: &[u8]) -> Result<(), ApplyError> {
        let identity = &facts.identity;
        if *identity == CommandKey::default() {
            return Ok(());
        }
        if answer.is_empty() {
            match facts.event {
                Event::HoldReserving { .. } => self.window.begin(identity),
                Event::HoldRefused { .. } => self.window.abandon(identity),
                _ => {}
            }
            return Ok(());
        }
        if self.window.remember(identity, facts.now_ms, answer) {
            return Ok(());
        }
        Err(ApplyError::CapacityFull { slab: "remembered answers" })
    }

    fn put_coupon(&mut self, code: &str, terms: CouponTerms) -> Result<(), ApplyError> {
        if let Some(place) = self.coupons.find(code.as_bytes()) {
            let coupon = &mut self.coupons[place];
            coupon.terms = terms;
            let resized = coupon.uses.resize(terms.uses_max);
            return resized.map_err(|_short| ApplyError::contradiction("uses would be lost"));
        }
        let code = claw_common::id::Sku::copy(code);
        let code = code.ok_or(ApplyError::contradiction("a code is too long"))?;
        let mut uses = Counter::default();
        uses.receive(terms.uses_max);
        let added = self.coupons.insert(Coupon { code, terms, uses });
        added.map(|_| ()).ok_or(ApplyError::CapacityFull { slab: "coupons" })
    }

    fn create_cart(&mut self, cart: Id, session: &str) -> Result<(), ApplyError> {
        if let Some(victim) = self.carts.victim() {
            self.carts.remove(victim);
        }
        let session = session_of(session)?;
        let place = self.carts.insert(Cart::new(cart, session));
        self.carts.queue(place.ok_or(ApplyError::CapacityFull { slab: "carts" })?);
        Ok(())
    }

    fn change_cart(&mut self, cart: Id, item: Item<'_>) -> Result<(), ApplyError> {
        let place = self.carts.find(&cart.0);
        let place = place.ok_or(ApplyError::contradiction("the cart does not exist"))?;
        let set = self.carts[place].set(item, &mut self.buffer);
        set.map_err(|_error| ApplyError::contradiction("the cart's line is not one"))?;
        self.carts.queue(place);
        Ok(())
    }

    fn change_key(&mut self, key: &KeyChanged<'_>) {
        let entry = Key {
            name: key.name.into(),
            role: key.role.into(),
            algorithm: key.algorithm,
            public: key.public,
            revoked: key.revoked,
        };
        self.keys.insert(key.number, entry);
    }

    /// Changes the stock of every line that is ours.
    fn change_stock(
        &mut self,
        lines: Lines<'_>,
        change: fn(&mut Counter, u64) -> bool,
    ) -> Result<(), ApplyError> {
        change_stock(&mut self.products, self.placement.local(lines), change)
    }
}

/// Changes the stock of lines; what the counters do not allow is a damaged log.
fn change_stock<'a>(
    products: &mut Products,
    lines: impl Iterator<Item = Line<'a>>,
    change: fn(&mut Counter, u64) -> bool,
) -> Result<(), ApplyError> {
    for line in lines {
        change_line(products, &line, change)?;
    }
    Ok(())
}

/// The same, where stock may come back: those who wait for it are looked at.
fn return_stock<'a>(
    (products, waiting): (&mut Products, &mut WaitingLines),
    lines: impl Iterator<Item = Line<'a>>,
    change: fn(&mut Counter, u64) -> bool,
) -> Result<(), ApplyError> {
    for line in lines {
        change_line(products, &line, change)?;
        offer(waiting, products, line.sku);
    }
    Ok(())
}

fn change_line(
    products: &mut Products,
    line: &Line<'_>,
    change: fn(&mut Counter, u64) -> bool,
) -> Result<(), ApplyError> {
    let stock = products.stock(line.sku);
    let stock = stock.ok_or(ApplyError::contradiction("a line's product does not exist"))?;
    if change(stock, line.quantity.into()) {
        return Ok(());
    }
    Err(ApplyError::contradiction("stock would be negative"))
}

/// Looks at those who wait for a SKU, where there are any.
fn offer(waiting: &mut WaitingLines, products: &Products, sku: &str) {
    if waiting.count() > 0
        && let Some(product) = products.get(sku)
    {
        waiting.changed(sku, product.stock.available());
    }
}

fn hold_units(counter: &mut Counter, units: u64) -> bool {
    counter.hold(units).is_ok()
}

fn session_of(session: &str) -> Result<Session, ApplyError> {
    Session::copy(session).ok_or(ApplyError::contradiction("a session's name is too long"))
}
