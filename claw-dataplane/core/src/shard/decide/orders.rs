//! Steps asked of an order, and how an order is shown to who waits for it.

use claw_common::id::Id;

use super::{Patience, may_touch};
use crate::checkout::order::Order;
use crate::checkout::transitions::next;
use crate::command::OrderStep;
use crate::effect::Effect;
use crate::outcome::{CancelReason, Missing, OrderState, Refusal};
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;
use crate::shard::event::Event;
use crate::shard::notice::Notice;
use crate::shard::saga::Cancelling;
use crate::shard::waiters::Waiter;

impl Shard {
    pub(super) fn advance_order(
        &mut self,
        call: &mut Call<'_>,
        order: Id,
        session: Option<&str>,
        step: OrderStep,
    ) {
        let found = self.state.orders.get(&order.0);
        let Some(found) = found.filter(|found| may_touch(found.session.as_str(), session)) else {
            return self.refuse(call, Refusal::NotFound(Missing::Order));
        };
        let state = found.state;
        if next(state, step.into()).is_none() {
            return self.refuse(call, Refusal::OrderState { state });
        }
        let show = Show::Order(order);
        match step {
            OrderStep::Cancel => {
                let cancelling = Cancelling { order, reason: CancelReason::ShopperCancelled };
                self.cancel(call, cancelling, Some(show));
            }
            OrderStep::Ship => {
                self.commit_answered(call, &Event::OrderShipped { order }, show);
                self.tell_order(call, order);
            }
            OrderStep::Refund => {
                self.commit_answered(call, &Event::OrderRefunded { order }, show);
                self.drive(call, order);
                self.tell_order(call, order);
            }
        }
    }

    /// Answers with an order as it is, or parks the answer until it is settled.
    pub(crate) fn answer_order(&mut self, call: &mut Call<'_>, order: Id, patience: Patience) {
        let Some(reply_to) = call.reply_to else { return };
        let Patience { until_ms, repeated } = patience;
        let settled = self.state.orders.get(&order.0).is_none_or(Order::is_settled);
        let waiter = Waiter { order, until_ms, reply_to, repeated };
        if !settled && until_ms > call.now_ms && self.waiters.park(waiter) {
            return;
        }
        self.answer_waiter(call, waiter);
    }

    /// Shows an order to one who waited for it.
    pub(crate) fn answer_waiter(&self, call: &mut Call<'_>, waiter: Waiter) {
        let Waiter { order, reply_to: to, repeated, .. } = waiter;
        let outcome = match self.state.orders.find(&order.0) {
            Some(_) => self.show_order(Show::Order(order)),
            None => self.state.show(Show::Refused(Refusal::NotFound(Missing::Order))),
        };
        let outcome = call.effects.encode(&outcome, outcome.encoded_bytes_max());
        let sequence = call.journal.sequence();
        call.effects.push(Effect::Reply { to, outcome, sequence, repeated });
    }

    /// Tells watchers of the end of the hold that an order was made from, where there was one and
    /// this decision has ended it.
    pub(crate) fn tell_hold_of(&self, call: &mut Call<'_>, order: Id) {
        let Some(hold) = self.state.orders.get(&order.0).and_then(|found| found.hold) else {
            return;
        };
        let Some(found) = self.state.holds.get(&hold.0) else { return };
        if found.changed_at > call.since {
            let (session, state) = (found.session.as_str(), found.state);
            Self::notify(call, &Notice::Hold { session, hold, state });
        }
    }

    /// Tells watchers, and those who wait for a settled order, that it has moved.
    pub(crate) fn tell_order(&mut self, call: &mut Call<'_>, order: Id) {
        let Some(found) = self.state.orders.get(&order.0) else { return };
        let (session, state) = (found.session, found.state);
        // A reason that is set is an order's that is cancelled, or about to be.
        let reason = found.reason.filter(|_| state == OrderState::Cancelled);
        let notice = Notice::Order { session: session.as_str(), order, state, reason };
        Self::notify(call, &notice);
        if !self.state.orders.get(&order.0).is_none_or(Order::is_settled) {
            return;
        }
        while let Some(waiter) = self.waiters.take_of(order) {
            self.answer_waiter(call, waiter);
        }
    }
}
