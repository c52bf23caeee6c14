//! Events of orders, taken in.

use arrayvec::ArrayVec;
use claw_common::id::{Id, Sku};

use super::{Facts, State, hold_units, session_of};
use crate::checkout::charge::Charge;
use crate::checkout::order::Order;
use crate::checkout::transitions::Trigger;
use crate::inventory::counter::Counter;
use crate::inventory::stored_lines::StoredLines;
use crate::outcome::{CancelReason, HoldState, OrderState};
use crate::saga::catalog::checkout;
use crate::saga::{Progress, SagaKind, Signal};
use crate::shard::error::ApplyError;
use crate::shard::event::{Event, OrderCreated};

impl State {
    pub(super) fn apply_order(&mut self, facts: &Facts<'_>) -> Result<(), ApplyError> {
        match *facts.event {
            Event::OrderCreated(ref created) => self.create_order(created, facts),
            Event::OrderPartHeld { order } => {
                let place = self.order(order)?;
                if self.orders[place].held {
                    return Err(ApplyError::contradiction("the order's lines are held already"));
                }
                self.change_order_stock(place, hold_units)?;
                self.orders[place].held = true;
                Ok(())
            }
            Event::OrderAuthorizing { .. } => self.authorize_order(facts),
            Event::OrderConfirming { .. } => self.confirm_order(facts),
            Event::OrderCapturing { order } => {
                let place = self.order(order)?;
                self.orders[place].take(Trigger::Capture, facts.entry())?;
                self.reach(place, checkout::CAPTURE)
            }
            Event::OrderPlaced { order } => {
                let place = self.order(order)?;
                let placed = &mut self.orders[place];
                let captured = placed.state == OrderState::Capturing;
                let trigger = if captured { Trigger::Captured } else { Trigger::Settled };
                placed.take(trigger, facts.entry())?;
                placed.saga.finish();
                self.set_order_timer(place);
                Ok(())
            }
            Event::OrderCancelled { .. } => self.cancel_order(facts),
            Event::OrderShipped { order } => self.step_order(order, Trigger::Ship, facts),
            Event::OrderRefunded { order } => self.step_order(order, Trigger::Refund, facts),
            _ => Err(ApplyError::contradiction("not an event of an order")),
        }
    }

    fn create_order(
        &mut self,
        created: &OrderCreated<'_>,
        facts: &Facts<'_>,
    ) -> Result<(), ApplyError> {
        self.evict_order();
        if created.held {
            self.change_stock(created.lines, hold_units)?;
        }
        if let Some(hold) = created.hold {
            let place = self.hold_in(hold, HoldState::Active)?;
            self.holds[place].pinned_by = Some(created.order);
            self.hold_timers.cancel(place);
        }
        let coupon = match created.coupon {
            None => None,
            Some(code) => {
                Some(Sku::copy(code).ok_or(ApplyError::contradiction("a code is too long"))?)
            }
        };
        let mut order = Order {
            id: created.order,
            session: session_of(created.session)?,
            state: OrderState::Reserving,
            reason: None,
            hold: created.hold,
            cart: created.cart,
            held: created.held || created.hold.is_some(),
            currency: created.currency,
            discount: 0,
            deadline_ms: created.deadline_ms,
            created_ms: facts.now_ms,
            saga: Progress::start(SagaKind::Checkout),
            charge: created.payment.map(|token| Box::new(Charge::by(token))),
            coupon,
            pending: 0,
            coupon_pending: false,
            lines: StoredLines::new(created.lines),
            history: ArrayVec::new(),
            records: ArrayVec::new(),
        };
        if let Some(hold) = created.hold.and_then(|hold| self.holds.get(&hold.0)) {
            order.note_record(hold.claimed_at);
        }
        order.enter(OrderState::Reserving, facts.entry());
        let place = self.orders.insert(order);
        let place = place.ok_or(ApplyError::CapacityFull { slab: "orders" })?;
        self.set_order_timer(place);
        Ok(())
    }

    fn authorize_order(&mut self, facts: &Facts<'_>) -> Result<(), ApplyError> {
        let Event::OrderAuthorizing { order, discount, lines } = *facts.event else {
            return Err(ApplyError::contradiction("not an authorisation"));
        };
        let place = self.order(order)?;
        let priced = &mut self.orders[place];
        priced.take(Trigger::Pay, facts.entry())?;
        priced.discount = discount;
        if priced.lines.lines() != lines {
            priced.lines = StoredLines::new(lines);
        }
        self.change_own_coupon(place, |uses| uses.hold(1).is_ok())?;
        self.reach(place, checkout::AUTHORIZE)
    }

    fn reach(&mut self, place: u32, step: u8) -> Result<(), ApplyError> {
        if !self.orders[place].saga.reach(step) {
            return Err(ApplyError::contradiction("the order's saga is past it"));
        }
        self.set_order_timer(place);
        Ok(())
    }

    fn confirm_order(&mut self, facts: &Facts<'_>) -> Result<(), ApplyError> {
        let Event::OrderConfirming { order, discount, lines } = *facts.event else {
            return Err(ApplyError::contradiction("not a confirmation"));
        };
        let place = self.order(order)?;
        let confirmed = &mut self.orders[place];
        let is_paid = confirmed.state != OrderState::Reserving;
        let trigger = if is_paid { Trigger::Authorized } else { Trigger::Reserved };
        confirmed.take(trigger, facts.entry())?;
        if !is_paid {
            // There was nothing to pay.
            confirmed.charge = None;
        }
        confirmed.discount = discount;
        if confirmed.lines.lines() != lines {
            confirmed.lines = StoredLines::new(lines);
        }
        confirmed.pending = self.placement.others(lines);
        let coupon = confirmed.coupon;
        let (hold, cart) = (confirmed.hold, confirmed.cart);
        self.reach(place, checkout::CONFIRM)?;
        self.change_order_stock(place, Counter::settle)?;
        // Where there was something to pay, its use has been held since.
        self.change_own_coupon(place, |uses| (is_paid || uses.hold(1).is_ok()) && uses.settle(1))?;
        let elsewhere = coupon.is_some_and(|code| !self.placement.owns(code.as_str()));
        self.orders[place].coupon_pending = elsewhere;
        if let Some(hold) = hold {
            let place = self.hold_in(hold, HoldState::Active)?;
            self.holds[place].state = HoldState::Sold;
            self.holds[place].changed_at = facts.sequence;
            self.queue_hold(place);
        }
        if let Some(place) = cart.and_then(|cart| self.carts.find(&cart.0)) {
            self.carts[place].empty();
        }
        Ok(())
    }

    fn cancel_order(&mut self, facts: &Facts<'_>) -> Result<(), ApplyError> {
        let Event::OrderCancelled { order, reason, asked, coupon_asked } = *facts.event else {
            return Err(ApplyError::contradiction("not a cancellation"));
        };
        let place = self.order(order)?;
        let (was_sold, from) = (self.orders[place].was_sold(), self.orders[place].state);
        let trigger = match reason {
            CancelReason::Expired => Trigger::Expired,
            CancelReason::ShopperCancelled => Trigger::Cancel,
            _ => Trigger::Refused,
        };
        self.orders[place].take(trigger, facts.entry())?;
        self.orders[place].turn_saga_around(from == OrderState::Placed);
        if was_sold {
            self.change_order_stock(place, Counter::give_back)?;
            self.change_own_coupon(place, |uses| uses.give_back(1))?;
        } else {
            if from != OrderState::Reserving {
                self.change_own_coupon(place, |uses| uses.release(1))?;
            }
            if self.orders[place].held {
                self.change_order_stock(place, Counter::release)?;
            }
            self.release_pinned(place, facts.sequence)?;
        }
        let cancelled = &mut self.orders[place];
        cancelled.reason = Some(reason);
        cancelled.held = false;
        cancelled.pending = asked;
        cancelled.coupon_pending = coupon_asked;
        self.set_order_timer(place);
        self.queue_order(place);
        Ok(())
    }

    /// Ends the hold of a cancelled order; its lines went back with the order's.
    fn release_pinned(&mut self, order: u32, sequence: u64) -> Result<(), ApplyError> {
        let Some(hold) = self.orders[order].hold else { return Ok(()) };
        let place = self.hold_in(hold, HoldState::Active)?;
        self.holds[place].state = HoldState::Released;
        self.holds[place].changed_at = sequence;
        self.queue_hold(place);
        Ok(())
    }

    fn step_order(
        &mut self,
        order: Id,
        trigger: Trigger,
        facts: &Facts<'_>,
    ) -> Result<(), ApplyError> {
        let place = self.order(order)?;
        let stepped = &mut self.orders[place];
        stepped.take(trigger, facts.entry())?;
        if trigger == Trigger::Refund {
            stepped.start_again(SagaKind::Refund);
        }
        self.set_order_timer(place);
        self.queue_order(place);
        Ok(())
    }

    /// Lets an ended order be evicted, unless a shard owes it an acknowledgement. An order already
    /// in the queue keeps its place, but for one that is shipped and paid back: until that is done
    /// it is not over any more.
    pub(super) fn queue_order(&mut self, place: u32) {
        match (self.orders[place].is_over(), self.orders.is_queued(place)) {
            (true, false) => self.orders.queue(place),
            (false, true) => self.orders.unqueue(place),
            (true, true) | (false, false) => {}
        }
    }

    fn evict_order(&mut self) {
        let Some(victim) = self.orders.victim() else { return };
        let order = self.orders.remove(victim);
        // A hold over several shards stays for its order's sake alone (see queue_hold).
        if let Some(place) = order.hold.and_then(|hold| self.holds.find(&hold.0))
            && !self.holds.is_queued(place)
        {
            self.holds.remove(place);
        }
    }

    fn change_order_stock(
        &mut self,
        order: u32,
        change: fn(&mut Counter, u64) -> bool,
    ) -> Result<(), ApplyError> {
        let Self { orders, products, placement, waiting, .. } = self;
        let lines = orders[order].lines.lines();
        super::return_stock((products, waiting), placement.local(lines), change)
    }

    /// Changes the uses of an order's coupon, where it has one and it is ours.
    fn change_own_coupon(
        &mut self,
        order: u32,
        change: impl FnOnce(&mut Counter) -> bool,
    ) -> Result<(), ApplyError> {
        match self.orders[order].coupon {
            Some(code) if self.placement.owns(code.as_str()) => self.change_coupon(&code, change),
            _ => Ok(()),
        }
    }

    pub(super) fn change_coupon(
        &mut self,
        code: &Sku,
        change: impl FnOnce(&mut Counter) -> bool,
    ) -> Result<(), ApplyError> {
        let place = self.coupons.find(code.as_bytes());
        let place = place.ok_or(ApplyError::contradiction("the coupon does not exist"))?;
        if change(&mut self.coupons[place].uses) {
            return Ok(());
        }
        Err(ApplyError::contradiction("a coupon's uses would be negative"))
    }

    pub(super) fn order(&self, order: Id) -> Result<u32, ApplyError> {
        let place = self.orders.find(&order.0);
        place.ok_or(ApplyError::contradiction("the order does not exist"))
    }
}

impl Order {
    /// What follows from being cancelled: what was done is undone, or what was paid goes back.
    fn turn_saga_around(&mut self, was_placed: bool) {
        if was_placed {
            return self.start_again(SagaKind::Cancellation);
        }
        self.saga.take(Signal::Retry);
        // An authorisation under way may have been made: it is undone as well.
        self.saga.take(Signal::GivenUp);
        self.saga.undo_here();
    }

    /// Begins a saga that follows the order's own, whose first step this event is.
    fn start_again(&mut self, saga: SagaKind) {
        self.saga = Progress::start(saga);
        self.saga.take(Signal::Done);
        if self.charge.is_none() {
            self.saga.finish();
        }
    }
}
