//! How reservations over several shards end: confirmed, refused or cancelled, and what members are
//! then told until each has acknowledged.

use claw_common::id::{Id, ShardId};

use super::Bill;
use crate::checkout::order::Order;
use crate::inventory::stored_lines::{PricedLines, StoredLines, bit, shards_of};
use crate::lines::Lines;
use crate::outcome::{CancelReason, OrderState, Refusal};
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;
use crate::shard::event::Event;
use crate::shard::message::{Body, Part, PartKey, Sold};

/// Which order is cancelled, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cancelling {
    pub(crate) order: Id,
    pub(crate) reason: CancelReason,
}

/// The phases a member acknowledges.
const SETTLED: u8 = 2;
const UNDONE: u8 = 3;

impl Shard {
    /// Everything is reserved and priced.
    pub(super) fn all_priced(&mut self, call: &mut Call<'_>, order: Id, discount: i64) {
        let key = PartKey { id: order, part: Part::Order };
        let Some(conversation) = self.conversations.get(&key) else { return };
        let lines = StoredLines::new(conversation.priced.lines());
        // Still there while it is decided: a cancellation has to know who was asked.
        self.go_on(call, order, Bill { discount, lines: lines.lines() });
        self.conversations.remove(&key);
    }

    /// Asks members to settle, and captures or places the order when none is left.
    pub(crate) fn settle_order(&mut self, call: &mut Call<'_>, order: Id) {
        let Some(found) = self.state.orders.get(&order.0) else { return };
        if found.state != OrderState::Confirming {
            return;
        }
        if found.owes_nothing() {
            if found.charge.is_some() {
                self.commit(call, &Event::OrderCapturing { order });
                return self.drive(call, order);
            }
            self.commit(call, &Event::OrderPlaced { order });
            return self.tell_order(call, order);
        }
        let (lines_key, coupon_key) = (found.lines_key(), found.coupon_key());
        let (pending, coupon_owner) = (found.pending, self.coupon_owner(found));
        for shard in shards_of(pending) {
            self.send(call, shard, Body::Settle { key: lines_key });
        }
        if let Some(shard) = coupon_owner {
            self.send(call, shard, Body::Settle { key: coupon_key });
        }
    }

    /// The shard that owes an acknowledgement for an order's coupon.
    fn coupon_owner(&self, order: &Order) -> Option<ShardId> {
        let code = order.coupon.filter(|_| order.coupon_pending)?;
        Some(self.state.placement.owner(code.as_str()))
    }

    /// A part of a hold was refused elsewhere.
    pub(super) fn refuse_hold(&mut self, call: &mut Call<'_>, key: PartKey, refusal: Refusal<'_>) {
        let hold = key.id;
        let Some(conversation) = self.conversations.remove(&key) else { return };
        let Some(found) = self.state.holds.get(&hold.0) else { return };
        let others = self.state.placement.others(found.lines.lines());
        let asked = if conversation.resumed { others } else { conversation.asked };
        self.speak_for_hold(call, hold, &conversation);
        let event = Event::HoldRefused { hold, asked };
        if refusal.is_momentary() {
            self.commit(call, &event);
            self.reply(call, Show::Refused(refusal));
        } else {
            self.commit_answered(call, &event, Show::Refused(refusal));
        }
        self.undo_hold(call, hold);
    }

    /// Tells members to give an ended hold's stock back.
    pub(crate) fn undo_hold(&mut self, call: &mut Call<'_>, hold: Id) {
        let pending = self.state.holds.get(&hold.0).map_or(0, |found| found.pending);
        let key = PartKey { id: hold, part: Part::Hold };
        for shard in shards_of(pending) {
            self.send(call, shard, Body::Undo { key, sold: Sold::default() });
        }
    }

    /// Cancels an order: everything comes back, here at once, elsewhere by messages.
    pub(crate) fn cancel(
        &mut self,
        call: &mut Call<'_>,
        cancelling: Cancelling,
        show: Option<Show<'_>>,
    ) {
        let Cancelling { order, reason } = cancelling;
        let key = PartKey { id: order, part: Part::Order };
        let heard = self.conversations.remove(&key);
        let Some(found) = self.state.orders.get(&order.0) else { return };
        let others = self.state.placement.others(found.lines.lines());
        let remote_coupon =
            found.coupon.is_some_and(|code| !self.state.placement.owns(code.as_str()));
        let failure = Self::failure(found, reason, call.now_ms);
        // From *authorizing* on everything is reserved.
        let everywhere = found.state != OrderState::Reserving
            || heard.as_ref().is_some_and(|heard| heard.resumed);
        let lines_reserved = everywhere || found.hold.is_some();
        let asked = heard.as_ref().map_or(0, |heard| heard.asked);
        let coupon_heard = heard.is_some_and(|heard| heard.coupon_asked);
        let event = Event::OrderCancelled {
            order,
            reason,
            asked: if lines_reserved { others } else { asked },
            coupon_asked: remote_coupon && (everywhere || coupon_heard),
        };
        match show {
            Some(show) => self.commit_answered(call, &event, show),
            None => self.commit(call, &event),
        }
        if reason != CancelReason::ShopperCancelled {
            self.commit_failure(call, order, &failure);
        }
        self.client_secrets.remove(&order);
        self.tell_hold_of(call, order);
        self.undo_order(call, order);
        self.drive(call, order);
        self.tell_order(call, order);
    }

    /// Tells members to give a cancelled order's parts back.
    pub(crate) fn undo_order(&mut self, call: &mut Call<'_>, order: Id) {
        let Some(found) = self.state.orders.get(&order.0) else { return };
        let (lines_key, coupon_key) = (found.lines_key(), found.coupon_key());
        let (was_sold, pending) = (found.was_sold(), found.pending);
        let (code, coupon_owner) = (found.coupon, self.coupon_owner(found));
        if pending == 0 && coupon_owner.is_none() {
            return;
        }
        let lines: StoredLines = found.lines.clone();
        let mut part = PricedLines::default();
        for shard in shards_of(pending) {
            part.start_of(lines.lines(), self.state.placement, shard);
            let lines = if was_sold { part.lines() } else { Lines::default() };
            let sold = Sold { lines, code: "" };
            self.send(call, shard, Body::Undo { key: lines_key, sold });
        }
        if let (Some(shard), Some(code)) = (coupon_owner, code) {
            let code = if was_sold { code.as_str() } else { "" };
            let sold = Sold { lines: Lines::default(), code };
            self.send(call, shard, Body::Undo { key: coupon_key, sold });
        }
    }

    /// A member has done what it was told.
    pub(crate) fn heard_done(
        &mut self,
        call: &mut Call<'_>,
        member: ShardId,
        key: PartKey,
        phase: u8,
    ) {
        let event = Event::MemberAcknowledged { key, member, phase };
        let pinned_by = match key.part {
            Part::Order | Part::Coupon => Some(key.id),
            Part::Hold => {
                let Some(hold) = self.state.holds.get(&key.id.0) else { return };
                if hold.pinned_by.is_none() {
                    if phase == UNDONE && hold.pending & bit(member) != 0 {
                        self.commit(call, &event);
                    }
                    return;
                }
                hold.pinned_by
            }
        };
        let found = pinned_by.and_then(|order| self.state.orders.get(&order.0));
        let Some(found) = found else { return };
        let order = found.id;
        let expected = match found.state {
            OrderState::Confirming => SETTLED,
            OrderState::Cancelled => UNDONE,
            _ => return,
        };
        let owed = match key.part {
            Part::Coupon => found.coupon_pending,
            Part::Hold | Part::Order => found.pending & bit(member) != 0,
        };
        if phase != expected || !owed {
            return;
        }
        self.commit(call, &event);
        let done = self.state.orders.get(&order.0).is_some_and(Order::owes_nothing);
        if done {
            self.settle_order(call, order);
        }
    }
}
