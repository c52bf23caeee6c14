//! The payment of an order, seen from its home: what is asked of the vault, and what follows from
//! what it answers.
//!
//! ```text
//!   go_on -> OrderAuthorizing -> ask -> hear_payment -> PaymentAnswered -> drive -> next event
//!                                 ^                                          |
//!                                 +---------- due again, resumed ------------+
//! ```
//! What an order asks follows from where its saga stands and nothing else, so whoever drives it,
//! an answer, a timer, an operator or a start after a crash, asks the same; and an answer to what
//! is not asked (any more) changes nothing.
//!
//! The client secret of an authorisation that the shopper must act on is kept here in memory only.
//! Deliberately knows no socket and no gateway: an ask is an effect.

use claw_common::id::Id;
use claw_common::limits::PAYMENT_ACTION_POLL_MS;
use claw_common::money::Money;
use claw_common::time::UnixMs;

use super::Cancelling;
use crate::checkout::order::{Order, subtotal};
use crate::effect::{Effect, Effects};
use crate::journal::Journal;
use crate::lines::Lines;
use crate::outcome::{CancelReason, OrderState};
use crate::payment::{ASK_BYTES_MAX, Answer, Ask, PaymentStep, Verdict};
use crate::saga::{Action, Course, backoff};
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::{Call, Claim};
use crate::shard::event::{CheckoutFailed, Event};
use crate::shard::notice::Notice;

impl Shard {
    /// Takes what the vault answers. Repeating an answer, or one that nobody waits for, changes
    /// nothing.
    pub fn hear_payment(
        &mut self,
        answer: &Answer<'_>,
        now_ms: UnixMs,
        journal: &mut dyn Journal,
        effects: &mut Effects,
    ) {
        let now_ms = self.clock.advance(now_ms);
        let claim = Claim::default();
        let since = journal.sequence();
        let mut call = Call { since, now_ms, journal, effects, claim, reply_to: None, seen: None };
        let (order, step) = (answer.order, answer.step);
        let Some(found) = self.state.orders.get(&order.0) else { return };
        if found.saga.todo() != Some(Action::Pay(step)) {
            return;
        }
        let (attempt, before) = (found.saga.attempt, found.state);
        let (verdict, retry_at_ms) = match answer.verdict {
            Verdict::RequiresAction { intent, client_secret } if step == PaymentStep::Authorize => {
                self.client_secrets.insert(order, client_secret.into());
                let verdict = Verdict::RequiresAction { intent, client_secret: "" };
                (verdict, now_ms + PAYMENT_ACTION_POLL_MS)
            }
            Verdict::RequiresAction { .. } | Verdict::Unavailable { .. } => {
                let code = match answer.verdict {
                    Verdict::Unavailable { code } => code,
                    _ => "requires_action",
                };
                let delay_ms = backoff::delay_ms(attempt, seed_of(order));
                (Verdict::Unavailable { code }, now_ms + delay_ms)
            }
            is_final => (is_final, 0),
        };
        self.commit(&mut call, &Event::PaymentAnswered { order, step, verdict, retry_at_ms });
        self.tell_parked(&mut call, order);
        let after = self.state.orders.get(&order.0).map(|found| found.state);
        if after == Some(OrderState::RequiresAction) && after != Some(before) {
            self.tell_order(&mut call, order);
        }
        self.drive(&mut call, order);
    }

    /// Everything is reserved and priced: what is to be paid is authorised, else it is confirmed.
    pub(crate) fn go_on(&mut self, call: &mut Call<'_>, order: Id, bill: Bill<'_>) {
        let Bill { discount, lines } = bill;
        let Some(found) = self.state.orders.get(&order.0) else { return };
        let is_free = subtotal(lines) - discount == 0;
        match &found.charge {
            Some(charge) if !is_free && charge.token.is_empty() => {
                let reason = CancelReason::PaymentDeclined;
                self.cancel(call, Cancelling { order, reason }, None);
            }
            Some(_) if !is_free => {
                self.commit(call, &Event::OrderAuthorizing { order, discount, lines });
                self.tell_order(call, order);
                self.drive(call, order);
            }
            _ => {
                self.commit(call, &Event::OrderConfirming { order, discount, lines });
                self.tell_hold_of(call, order);
                self.settle_order(call, order);
            }
        }
    }

    /// Does what an order's saga is at now: the next event, or the next question.
    pub(crate) fn drive(&mut self, call: &mut Call<'_>, order: Id) {
        let Some(found) = self.state.orders.get(&order.0) else { return };
        let turned = matches!(found.saga.course, Course::Unwinding | Course::Undone);
        let todo = found.saga.todo();
        match found.state {
            OrderState::Authorizing | OrderState::RequiresAction | OrderState::Capturing
                if turned =>
            {
                let reason = found.reason.unwrap_or(CancelReason::PaymentUnavailable);
                self.cancel(call, Cancelling { order, reason }, None);
            }
            OrderState::Authorizing | OrderState::RequiresAction
                if todo == Some(Action::Confirm) =>
            {
                let (discount, lines) = (found.discount, found.lines.clone());
                let lines = lines.lines();
                self.commit(call, &Event::OrderConfirming { order, discount, lines });
                self.client_secrets.remove(&order);
                self.tell_hold_of(call, order);
                self.settle_order(call, order);
            }
            OrderState::Capturing if todo == Some(Action::Place) => {
                self.commit(call, &Event::OrderPlaced { order });
                self.tell_order(call, order);
            }
            _ => self.ask_vault(call, order),
        }
    }

    /// Asks the vault what the order's saga is at, unless it waits for its next attempt.
    fn ask_vault(&self, call: &mut Call<'_>, order: Id) {
        let Some(found) = self.state.orders.get(&order.0) else { return };
        let Some(Action::Pay(step)) = found.saga.todo() else { return };
        if found.saga.due_ms <= call.now_ms {
            self.ask_at_once(call, found, step);
        }
    }

    fn ask_at_once(&self, call: &mut Call<'_>, order: &Order, step: PaymentStep) {
        let Some(charge) = &order.charge else { return };
        let ask = Ask {
            order: order.id,
            shard: self.config.shard,
            step,
            attempt: order.saga.attempt.into(),
            amount: order.total(),
            currency: order.currency,
            token: if step == PaymentStep::Authorize { &charge.token } else { "" },
            intent: &charge.intent,
        };
        let ask = call.effects.encode(&ask, ASK_BYTES_MAX);
        call.effects.push(Effect::AskVault { ask });
    }

    /// Takes a payment up after a crash: nobody knows what was asked, or what was answered.
    pub(crate) fn resume_payment(&mut self, call: &mut Call<'_>, order: Id) {
        let Some(found) = self.state.orders.get(&order.0) else { return };
        // The client secret is gone with the memory.
        if found.state == OrderState::RequiresAction
            && found.saga.todo() == Some(Action::Pay(PaymentStep::Authorize))
        {
            return self.ask_at_once(call, found, PaymentStep::Authorize);
        }
        self.drive(call, order);
    }

    /// An order's time has come: its deadline, or its next attempt.
    pub(crate) fn order_is_due(&mut self, call: &mut Call<'_>, order: Id) {
        let Some(found) = self.state.orders.get(&order.0) else { return };
        if !found.is_reserved() || found.deadline_ms > call.now_ms {
            self.state.wait_for_deadline(order);
            return self.drive(call, order);
        }
        let reason = match found.state {
            OrderState::Authorizing => CancelReason::PaymentUnavailable,
            _ => CancelReason::Expired,
        };
        self.cancel(call, Cancelling { order, reason }, None);
    }

    /// Raises the alarm where a saga cannot go on by itself.
    pub(crate) fn tell_parked(&self, call: &mut Call<'_>, order: Id) {
        let Some(found) = self.state.orders.get(&order.0) else { return };
        if found.saga.parked {
            let step = found.saga.step_name();
            Self::notify(call, &Notice::SagaParked { order, step });
        }
    }

    /// What is known of a checkout in the moment it fails, for who analyses failures.
    pub(crate) fn failure(found: &Order, reason: CancelReason, now_ms: UnixMs) -> Failure {
        let lines = found.lines.lines();
        Failure {
            reason,
            step: found.saga.at,
            total: Money { amount: found.total(), currency: found.currency },
            units: lines.iter().map(|line| u64::from(line.quantity)).sum(),
            lines_count: u16::try_from(lines.count()).expect("LINES_MAX fits"),
            age_ms: now_ms - found.created_ms,
            attempts: found.saga.attempt,
        }
    }

    /// Logs a failure.
    pub(crate) fn commit_failure(&mut self, call: &mut Call<'_>, order: Id, failure: &Failure) {
        let Some(found) = self.state.orders.get(&order.0) else { return };
        let code: Box<str> =
            found.charge.as_ref().map(|charge| charge.code.clone()).unwrap_or_default();
        let session = found.session;
        let event = Event::CheckoutFailed(CheckoutFailed {
            order,
            session: session.as_str(),
            reason: failure.reason,
            step: failure.step,
            total: failure.total,
            units: failure.units,
            lines_count: failure.lines_count,
            age_ms: failure.age_ms,
            attempts: failure.attempts,
            from_hold: found.hold.is_some(),
            has_coupon: found.coupon.is_some(),
            code: &code,
        });
        let claim = core::mem::take(&mut call.claim);
        self.commit(call, &event);
        call.claim = claim;
    }

    /// An order, with the client secret where the shopper has to act.
    pub(crate) fn show_order(&self, show: Show<'_>) -> crate::outcome::Outcome<'_> {
        let Show::Order(order) = show else { unreachable!("asked with an order") };
        let found = self.state.orders.get(&order.0).expect("what is shown is there");
        let secret = self.client_secrets.get(&order);
        let secret = secret.filter(|_| found.state == OrderState::RequiresAction);
        let client_secret = secret.map_or("", |secret| secret);
        crate::outcome::Outcome::Order(crate::outcome::OrderView { client_secret, ..found.view() })
    }
}

/// What an order comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bill<'a> {
    pub(crate) discount: i64,
    pub(crate) lines: Lines<'a>,
}

/// See [`Shard::failure`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    reason: CancelReason,
    step: u8,
    total: Money,
    units: u64,
    lines_count: u16,
    age_ms: u64,
    attempts: u16,
}

/// What an order's delays are drawn from: its own random part.
fn seed_of(order: Id) -> u64 {
    u64::from_le_bytes(order.0[8..].try_into().expect("eight of sixteen bytes"))
}
