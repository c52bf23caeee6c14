//! After recovery: what was open is taken up again.
//!
//! Messages are not in the log; the intents they carried are. Asking, settling and undoing again is
//! harmless, so everything open is simply said once more.

use claw_common::id::Id;
use claw_common::time::UnixMs;

use super::Shard;
use super::call::{Call, Claim};
use super::message::{Part, PartKey};
use crate::effect::Effects;
use crate::journal::Journal;
use crate::outcome::{HoldState, OrderState};

/// Taken up per call: what each may append stays below [`super::CALL_BYTES_MAX`] together.
const RESUMED_PER_CALL_MAX: usize = 4;

impl Shard {
    /// Starts to take up what recovery left open; [`Shard::tick`] goes on until it says that there
    /// is no more. Called once, after the log was replayed.
    pub fn resume(&mut self, now_ms: UnixMs, journal: &mut dyn Journal, effects: &mut Effects) {
        let now_ms = self.clock.advance(now_ms);
        self.resuming = Some(Id([0; 16]));
        let claim = Claim::default();
        let since = journal.sequence();
        let mut call = Call { since, now_ms, journal, effects, claim, reply_to: None, seen: None };
        self.resume_some(&mut call);
    }

    /// Takes up a few open holds and orders, in the order of their ids.
    pub(super) fn resume_some(&mut self, call: &mut Call<'_>) {
        let Some(after) = self.resuming else { return };
        let mut open: Vec<(Id, Part)> = self.open().filter(|(id, _)| *id > after).collect();
        open.sort_unstable();
        let more = open.len() > RESUMED_PER_CALL_MAX;
        open.truncate(RESUMED_PER_CALL_MAX);
        self.resuming = open.last().map(|(id, _)| *id).filter(|_| more);
        for &(id, part) in &open {
            call.claim = Claim::default();
            call.reply_to = None;
            match part {
                Part::Hold => self.resume_hold(call, id),
                Part::Order | Part::Coupon => self.resume_order(call, id),
            }
        }
    }

    fn open(&self) -> impl Iterator<Item = (Id, Part)> + '_ {
        let holds = self.state.holds.iter().map(|(_, hold)| hold);
        let holds = holds.filter(|hold| hold.state == HoldState::Reserving || hold.pending != 0);
        let orders = self.state.orders.iter().map(|(_, order)| order);
        let orders = orders.filter(|order| {
            matches!(order.state, OrderState::Reserving | OrderState::Confirming)
                || !order.owes_nothing()
                || !order.saga.is_over()
        });
        holds.map(|hold| (hold.id, Part::Hold)).chain(orders.map(|order| (order.id, Part::Order)))
    }

    fn resume_hold(&mut self, call: &mut Call<'_>, id: Id) {
        let Some(hold) = self.state.holds.get(&id.0) else { return };
        if hold.state == HoldState::Reserving {
            let (currency, lines) = (hold.currency, hold.lines.clone());
            let key = PartKey { id, part: Part::Hold };
            self.converse_again(call, key, currency, lines.lines());
        } else {
            self.undo_hold(call, id);
        }
    }

    fn resume_order(&mut self, call: &mut Call<'_>, id: Id) {
        let Some(order) = self.state.orders.get(&id.0) else { return };
        match order.state {
            OrderState::Reserving => {
                let (currency, lines) = (order.currency, order.lines.clone());
                let key = PartKey { id, part: Part::Order };
                self.converse_again(call, key, currency, lines.lines());
            }
            OrderState::Confirming => self.settle_order(call, id),
            _ => {
                self.undo_order(call, id);
                self.resume_payment(call, id);
            }
        }
    }
}
