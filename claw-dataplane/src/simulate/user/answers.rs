//! What an answer, or the lack of one, does to a journey and to the ledger.
//!
//! Invariant: an order that may have been made ends in the ledger exactly once, as placed, as
//! cancelled, or as a doubt.

use std::time::Duration;

use claw_common::id::Id;
use rand::Rng;

use super::super::answer::{self, Answer, OrderSeen, OrderState};
use super::super::scenario::{HammerTarget, Kind, StormTarget};
use super::{ATTEMPTS_MAX, Action, Crowd, Manner, Source, Stage, User};

/// How often an order is looked at before its end is in doubt.
const WATCHES_MAX: u8 = 50;
/// Pause between two looks at an order.
const WATCH_PAUSE: Duration = Duration::from_millis(50);
/// Longest `Retry-After` that a shopper waits out; then it tries anyway.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

impl User {
    pub(super) fn after_cut(&mut self) -> Action {
        self.unheard = true;
        if let Stage::Storm { left, .. } = &mut self.stage {
            *left = left.saturating_sub(1);
        }
        Action::Pause(Duration::ZERO)
    }

    pub(super) fn after_loss(&mut self, crowd: &mut Crowd<'_>) -> Action {
        self.unheard = true;
        self.attempts += 1;
        if self.attempts >= ATTEMPTS_MAX {
            return self.give_up(crowd);
        }
        self.resend = true;
        self.request.manner = Manner::Kept;
        let pause_ms = self.rng.random_range(10..200) * u64::from(self.attempts);
        Action::Pause(Duration::from_millis(pause_ms))
    }

    pub(super) fn after_refusal(&mut self, crowd: &mut Crowd<'_>, answer: &Answer<'_>) -> Action {
        self.attempts += 1;
        if self.attempts >= ATTEMPTS_MAX || matches!(self.stage, Stage::Hammer { .. }) {
            return self.give_up(crowd);
        }
        self.resend = true;
        self.request.manner = Manner::Kept;
        let asked = Duration::from_secs(u64::from(answer.retry_after_s.unwrap_or(1)));
        let jitter = Duration::from_millis(self.rng.random_range(0..250));
        Action::Pause(asked.min(BACKOFF_MAX) + jitter)
    }

    fn give_up(&mut self, crowd: &mut Crowd<'_>) -> Action {
        self.note_doubt(crowd);
        self.restart(crowd)
    }

    /// Only sales are doubted: a hold that we lost sight of expires by itself.
    pub(super) fn note_doubt(&self, crowd: &mut Crowd<'_>) {
        let pending = self.in_flight || self.unheard;
        let may_sell = match self.stage {
            Stage::Watch { .. } => true,
            Stage::Checkout { .. } | Stage::Hammer { target: HammerTarget::Checkouts } => pending,
            Stage::Storm { of: StormTarget::Checkouts, seen, .. } => match seen {
                Some(seen) => !seen.state.ended(),
                None => pending,
            },
            _ => false,
        };
        if may_sell {
            crowd.ledger.doubt(&self.lines, self.coupon);
        } else if let Stage::Storm { seen: Some(seen), .. } = self.stage {
            self.settle(crowd, seen);
        }
    }

    fn restart(&mut self, crowd: &Crowd<'_>) -> Action {
        self.stage = Stage::Start;
        self.attempts = 0;
        self.resend = false;
        self.unheard = false;
        self.pause(crowd)
    }

    fn go_on(&mut self, crowd: &Crowd<'_>, stage: Stage) -> Action {
        self.stage = stage;
        self.pause(crowd)
    }

    fn pause(&mut self, crowd: &Crowd<'_>) -> Action {
        let think_ms = crowd.scenario.behaviours[self.behaviour].think_ms;
        Action::Pause(Duration::from_millis(u64::from(think_ms.draw(&mut self.rng))))
    }

    pub(super) fn after_answer(&mut self, crowd: &mut Crowd<'_>, answer: &Answer<'_>) -> Action {
        match self.stage {
            Stage::Start | Stage::Release { .. } | Stage::View { left: 0 | 1 } => {
                self.restart(crowd)
            }
            Stage::View { left } => self.go_on(crowd, Stage::View { left: left - 1 }),
            Stage::Hold => self.after_hold(crowd, answer),
            Stage::Grab { left } => {
                self.leave_hold(crowd, answer);
                if left > 1 {
                    return self.go_on(crowd, Stage::Grab { left: left - 1 });
                }
                self.restart(crowd)
            }
            Stage::OpenCart => match Self::read_id(crowd, answer, answer::cart_id) {
                Some(cart) => self.go_on(crowd, Stage::Fill { cart, index: 0 }),
                None => self.restart(crowd),
            },
            Stage::Fill { cart, index } => self.after_fill(crowd, answer, cart, index),
            Stage::Checkout { .. } => {
                let order = Self::read_order(crowd, answer);
                self.after_order(crowd, order)
            }
            Stage::Watch { left, .. } => self.after_watch(crowd, answer, left),
            Stage::Storm { .. } => self.after_storm(crowd, answer),
            Stage::Hammer { target } => self.after_hammer(crowd, answer, target),
        }
    }

    fn after_hold(&mut self, crowd: &mut Crowd<'_>, answer: &Answer<'_>) -> Action {
        let Some((hold, expires_ms)) = Self::read_id(crowd, answer, answer::hold) else {
            return self.restart(crowd);
        };
        if let Kind::Hold { end } = crowd.scenario.behaviours[self.behaviour].kind {
            let ticket = self.rng.random::<f64>();
            if ticket < end.checkout {
                return self.go_on(crowd, Stage::Checkout { source: Source::Hold(hold) });
            }
            if ticket < end.checkout + end.release {
                return self.go_on(crowd, Stage::Release { hold });
            }
        }
        crowd.ledger.abandon(&self.lines, expires_ms, crowd.now_ms);
        self.restart(crowd)
    }

    fn after_fill(
        &mut self,
        crowd: &Crowd<'_>,
        answer: &Answer<'_>,
        cart: Id,
        index: usize,
    ) -> Action {
        if answer.status != 200 {
            return self.restart(crowd);
        }
        if index + 1 < self.lines.iter().count() {
            return self.go_on(crowd, Stage::Fill { cart, index: index + 1 });
        }
        match crowd.scenario.behaviours[self.behaviour].kind {
            Kind::Cart { checkout } if self.rng.random::<f64>() < checkout => {
                self.go_on(crowd, Stage::Checkout { source: Source::Cart(cart) })
            }
            _ => self.restart(crowd),
        }
    }

    /// A checkout that was refused made no order.
    fn after_order(&mut self, crowd: &mut Crowd<'_>, order: Option<OrderSeen>) -> Action {
        let Some(order) = order else { return self.restart(crowd) };
        if order.state.ended() {
            self.settle(crowd, order);
            return self.restart(crowd);
        }
        self.stage = Stage::Watch { order: order.id, left: WATCHES_MAX };
        Action::Pause(WATCH_PAUSE)
    }

    fn after_watch(&mut self, crowd: &mut Crowd<'_>, answer: &Answer<'_>, left: u8) -> Action {
        match Self::read_order(crowd, answer) {
            Some(order) if order.state.ended() => {
                self.settle(crowd, order);
                self.restart(crowd)
            }
            Some(order) if left > 1 => {
                self.stage = Stage::Watch { order: order.id, left: left - 1 };
                Action::Pause(WATCH_PAUSE)
            }
            _ => self.give_up(crowd),
        }
    }

    /// Every answer to one key must be the first one; an order may have moved on.
    fn after_storm(&mut self, crowd: &mut Crowd<'_>, answer: &Answer<'_>) -> Action {
        let Stage::Storm { of, left, first, seen } = self.stage else {
            return self.restart(crowd);
        };
        let order = match of {
            StormTarget::Checkouts => Self::read_order(crowd, answer),
            StormTarget::Holds => None,
        };
        let identity = match order {
            Some(order) => answer::identity_of_order(order.id),
            None => answer.identity(),
        };
        match first {
            Some(first) if first != identity => {
                let key = self.request.key;
                crowd.ledger.complain_different(|| {
                    format!("key {key:?} got another answer when resent: {}", answer.in_words())
                });
            }
            Some(_) => crowd.ledger.replays_same += 1,
            None => {}
        }
        let seen = order.or(seen);
        let first = first.or(Some(identity));
        self.stage = Stage::Storm { of, left: left.saturating_sub(1), first, seen };
        if left > 0 {
            return Action::Pause(Duration::ZERO);
        }
        if of == StormTarget::Checkouts {
            return self.after_order(crowd, seen);
        }
        self.leave_hold(crowd, answer);
        self.restart(crowd)
    }

    fn after_hammer(
        &mut self,
        crowd: &mut Crowd<'_>,
        answer: &Answer<'_>,
        target: HammerTarget,
    ) -> Action {
        match target {
            HammerTarget::Checkouts => {
                let order = Self::read_order(crowd, answer);
                return self.after_order(crowd, order);
            }
            HammerTarget::Holds => self.leave_hold(crowd, answer),
            HammerTarget::Carts | HammerTarget::Health | HammerTarget::Products => {}
        }
        self.restart(crowd)
    }

    /// A hold that nobody will come back to.
    fn leave_hold(&self, crowd: &mut Crowd<'_>, answer: &Answer<'_>) {
        if let Some((_, expires_ms)) = Self::read_id(crowd, answer, answer::hold) {
            crowd.ledger.abandon(&self.lines, expires_ms, crowd.now_ms);
        }
    }

    fn settle(&self, crowd: &mut Crowd<'_>, order: OrderSeen) {
        match order.state {
            OrderState::Placed => crowd.ledger.place(order.id, &self.lines, self.coupon),
            OrderState::Cancelled(reason) => crowd.ledger.cancel(reason.as_str()),
            OrderState::Underway => {}
        }
    }

    /// What `read` finds in a 201; anything else is a refusal, which has nothing to read.
    fn read_id<T>(
        crowd: &mut Crowd<'_>,
        answer: &Answer<'_>,
        read: fn(&Answer<'_>) -> Option<T>,
    ) -> Option<T> {
        if answer.status != 201 {
            return None;
        }
        let found = read(answer);
        if found.is_none() {
            crowd.ledger.complain_unreadable(|| answer.in_words());
        }
        found
    }

    fn read_order(crowd: &mut Crowd<'_>, answer: &Answer<'_>) -> Option<OrderSeen> {
        if !matches!(answer.status, 200..=202) {
            return None;
        }
        let found = answer::order(answer);
        if found.is_none() {
            crowd.ledger.complain_unreadable(|| answer.in_words());
        }
        found
    }
}
