//! Time: what is due expires, in order, a bounded count per call.

use claw_common::time::UnixMs;

use super::Shard;
use super::call::{Call, Claim};
use crate::effect::Effects;
use crate::journal::Journal;

/// Ends per call: their records stay well below [`super::CALL_BYTES_MAX`].
const ENDS_PER_TICK_MAX: u32 = 48;

impl Shard {
    /// Goes on with [`Shard::resume`], then ends what is due at `now_ms`: holds, then offers to
    /// those who wait for stock, then orders, then waits. True when there may be more.
    pub fn tick(
        &mut self,
        now_ms: UnixMs,
        journal: &mut dyn Journal,
        effects: &mut Effects,
    ) -> bool {
        let now_ms = self.clock.advance(now_ms);
        let claim = Claim::default();
        let since = journal.sequence();
        let mut call = Call { since, now_ms, journal, effects, claim, reply_to: None, seen: None };
        if self.resuming.is_some() {
            self.resume_some(&mut call);
            return true;
        }
        for _ in 0..ENDS_PER_TICK_MAX {
            // Each end is told by itself: what ended before is no part of it.
            call.since = call.journal.sequence();
            if !self.end_next(&mut call) {
                return false;
            }
        }
        true
    }

    /// Ends the next thing due; false when there is none.
    fn end_next(&mut self, call: &mut Call<'_>) -> bool {
        let now_ms = call.now_ms;
        if let Some(place) = self.state.hold_timers.pop_due(now_ms) {
            self.expect_ends();
            let hold = &self.state.holds[place];
            assert!(hold.is_ticking(), "only live holds have timers");
            assert!(hold.expires_at_ms <= now_ms, "never early");
            self.expire_hold(call, place);
            return true;
        }
        if self.grant_next(call) {
            return true;
        }
        if let Some(place) = self.state.order_timers.pop_due(now_ms) {
            let order = &self.state.orders[place];
            assert!(order.timer_ms().is_some_and(|due_ms| due_ms <= now_ms), "never early");
            let order = order.id;
            self.order_is_due(call, order);
            return true;
        }
        let Some(waiter) = self.waiters.take_due(now_ms) else { return false };
        self.answer_waiter(call, waiter);
        true
    }
}
