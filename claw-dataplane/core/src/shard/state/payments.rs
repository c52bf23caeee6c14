//! What the vault answered, and what operators did to sagas, taken in.

use claw_common::time::UnixMs;

use super::State;
use crate::checkout::charge::Charge;
use crate::checkout::order::{Entry, Order};
use crate::checkout::transitions::Trigger;
use crate::outcome::{CancelReason, OrderState};
use crate::payment::{PaymentStep, Verdict};
use crate::saga::{Course, Signal};
use crate::shard::error::ApplyError;
use crate::shard::event::Event;

impl State {
    pub(super) fn apply_payment(
        &mut self,
        event: &Event<'_>,
        entry: Entry,
    ) -> Result<(), ApplyError> {
        let (order, taken) = match *event {
            Event::PaymentAnswered { order, step, ref verdict, retry_at_ms } => {
                let place = self.order(order)?;
                let answered = &mut self.orders[place];
                answered.hear(step, verdict, retry_at_ms, entry)?;
                (place, true)
            }
            Event::SagaParked { order } => {
                let place = self.order(order)?;
                (place, self.orders[place].saga.take(Signal::Park))
            }
            Event::SagaRetried { order } => {
                let place = self.order(order)?;
                (place, self.orders[place].saga.take(Signal::Retry))
            }
            _ => return Err(ApplyError::contradiction("not an event of a payment")),
        };
        if !taken {
            return Err(ApplyError::contradiction("the order's saga does not allow it"));
        }
        self.set_order_timer(order);
        self.queue_order(order);
        Ok(())
    }

    /// An order asks again: until it is answered only its deadline counts.
    pub(crate) fn wait_for_deadline(&mut self, order: claw_common::id::Id) {
        let Some(place) = self.orders.find(&order.0) else { return };
        let found = &self.orders[place];
        if found.is_reserved() {
            self.order_timers.set(place, found.deadline_ms, order);
        }
    }

    /// Sets what an order waits for by time, and notes whether it waits for somebody.
    pub(super) fn set_order_timer(&mut self, place: u32) {
        let order = &self.orders[place];
        match order.timer_ms() {
            Some(due_ms) => self.order_timers.set(place, due_ms, order.id),
            None => self.order_timers.cancel(place),
        }
        if order.saga.parked {
            self.parked.insert(order.id);
        } else {
            self.parked.remove(&order.id);
        }
    }
}

impl Order {
    /// Takes in what the vault said of a step that was asked for.
    fn hear(
        &mut self,
        step: PaymentStep,
        verdict: &Verdict<'_>,
        retry_at_ms: UnixMs,
        entry: Entry,
    ) -> Result<(), ApplyError> {
        if self.saga.todo() != Some(crate::saga::Action::Pay(step)) {
            return Err(ApplyError::contradiction("the order had not asked for that"));
        }
        let charge = self.charge.as_deref_mut();
        charge.ok_or(ApplyError::contradiction("the order has no payment"))?.note(verdict);
        let must_act = matches!(verdict, Verdict::RequiresAction { .. });
        if must_act && self.state == OrderState::Authorizing {
            self.take(Trigger::MustAct, entry)?;
        }
        self.saga.take(match verdict {
            Verdict::Done { .. } => Signal::Done,
            Verdict::Refused { .. } => Signal::Refused,
            Verdict::RequiresAction { .. } => Signal::Waiting { retry_at_ms },
            Verdict::Unavailable { .. } => Signal::Unavailable { retry_at_ms },
        });
        let turned = self.saga.course == Course::Unwinding || self.saga.course == Course::Undone;
        if turned && self.reason.is_none() {
            let declined = matches!(verdict, Verdict::Refused { .. });
            self.reason = Some(if declined {
                CancelReason::PaymentDeclined
            } else {
                CancelReason::PaymentUnavailable
            });
        }
        Ok(())
    }
}

impl Charge {
    fn note(&mut self, verdict: &Verdict<'_>) {
        match *verdict {
            Verdict::Done { intent } | Verdict::RequiresAction { intent, .. } => {
                if !intent.is_empty() && *self.intent != *intent {
                    self.intent = intent.into();
                }
            }
            Verdict::Refused { code } | Verdict::Unavailable { code } => self.code = code.into(),
        }
    }
}
