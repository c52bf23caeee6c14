//! Reservations over several shards, seen from the home.
//!
//! ```text
//!   converse -> ask_next -> ... -> ask_next -> all_reserved -> (coupon) -> grant | go_on
//!                  |                   |
//!                  +---- refused ------+--> refuse_hold | cancel --> Undo to those asked
//! ```
//! The home's intent is durable before the first message, so a crash at any point resumes from the
//! log: asking again is harmless, since members answer a repeated question alike. Shards are asked
//! one after the other in the order of their first SKU, the home's own lines in their turn. After a
//! resume nobody knows who had been asked before the crash, so a refusal then undoes everywhere.
//!
//! A [`Conversation`] is volatile: only who is being asked now, and the prices heard so far.

mod ends;
mod member;
mod payment;

pub(crate) use ends::Cancelling;
pub(crate) use payment::Bill;

use arrayvec::ArrayVec;
use claw_common::id::{Id, ShardId};
use claw_common::limits::LINES_MAX;
use claw_common::money::Currency;

use super::Shard;
use super::call::{Call, Claim};
use super::decide::priced_locally;
use super::event::Event;
use super::message::{Body, Part, PartKey};
use crate::checkout::order::subtotal;
use crate::command::ReplyTo;
use crate::coupon::Purchase;
use crate::inventory::stored_lines::{Placement, PricedLines, StoredLines, bit};
use crate::lines::Lines;
use crate::outcome::{CancelReason, Refusal};
use crate::shard::answer::Show;

/// A reservation under way. Named by [`Part::Hold`] or [`Part::Order`]; an order's coupon is the
/// last thing its conversation asks for.
#[derive(Debug)]
pub(crate) struct Conversation {
    currency: Currency,
    /// All lines, with the prices heard so far.
    priced: PricedLines,
    /// Who is to be asked for lines, in order.
    shards: ArrayVec<ShardId, LINES_MAX>,
    /// Who is being asked.
    at: usize,
    /// A bit per other shard asked so far.
    asked: u64,
    coupon_asked: bool,
    /// Taken up after a crash: others may have been asked before.
    resumed: bool,
    /// Who waits for the hold.
    reply_to: Option<ReplyTo>,
}

impl Conversation {
    fn new(currency: Currency, lines: Lines<'_>) -> Self {
        let mut priced = PricedLines::default();
        priced.start(lines);
        Self {
            currency,
            priced,
            shards: ArrayVec::new(),
            at: 0,
            asked: 0,
            coupon_asked: false,
            resumed: false,
            reply_to: None,
        }
    }

    /// Plans whom to ask, in the order of their first line, without those that have their part.
    fn plan(&mut self, placement: Placement, without: Option<ShardId>) {
        for line in self.priced.lines().iter() {
            let owner = placement.owner(line.sku);
            if Some(owner) != without && !self.shards.contains(&owner) {
                self.shards.push(owner);
            }
        }
    }

    fn is_asking(&self, shard: ShardId) -> bool {
        self.shards.get(self.at) == Some(&shard)
    }

    fn has_asked_all(&self) -> bool {
        self.at == self.shards.len()
    }
}

impl Shard {
    /// Starts to reserve what a hold or order needs elsewhere.
    pub(crate) fn converse(
        &mut self,
        call: &mut Call<'_>,
        key: PartKey,
        currency: Currency,
        lines: Lines<'_>,
    ) {
        let mut conversation = Conversation::new(currency, lines);
        conversation.reply_to = call.reply_to;
        self.begin(call, key, conversation);
    }

    /// Takes up what a crash interrupted.
    pub(crate) fn converse_again(
        &mut self,
        call: &mut Call<'_>,
        key: PartKey,
        currency: Currency,
        lines: Lines<'_>,
    ) {
        let mut conversation = Conversation::new(currency, lines);
        conversation.resumed = true;
        self.begin(call, key, conversation);
    }

    fn begin(&mut self, call: &mut Call<'_>, key: PartKey, mut conversation: Conversation) {
        let own = self.config.shard;
        let order = self.state.orders.get(&key.id.0).filter(|_| key.part == Part::Order);
        let (held, all_held) = order.map_or((true, false), |o| (o.held, o.hold.is_some()));
        if !all_held {
            conversation.plan(self.state.placement, held.then_some(own));
        }
        self.conversations.insert(key, conversation);
        self.ask_next(call, key);
    }

    /// Asks the next shard, or goes on when all have their part.
    fn ask_next(&mut self, call: &mut Call<'_>, key: PartKey) {
        let own = self.config.shard;
        loop {
            let Some(conversation) = self.conversations.get_mut(&key) else { return };
            let Some(&shard) = conversation.shards.get(conversation.at) else {
                return self.all_reserved(call, key);
            };
            if shard != own {
                conversation.asked |= bit(shard);
                let currency = conversation.currency;
                let mut part = PricedLines::default();
                let placement = self.state.placement;
                part.start_of(conversation.priced.lines(), placement, shard);
                let body = Body::ReserveLines { key, currency, lines: part.lines() };
                return self.send(call, shard, body);
            }
            if !self.take_own_turn(call, key) {
                return;
            }
        }
    }

    /// Reserves the home's own lines of an order in their turn; false when that ended it.
    fn take_own_turn(&mut self, call: &mut Call<'_>, key: PartKey) -> bool {
        assert_eq!(key.part, Part::Order, "a hold's home is asked first, when it is made");
        let Some(conversation) = self.conversations.get_mut(&key) else { return false };
        let lines = StoredLines::new(conversation.priced.lines());
        let currency = Some(conversation.currency);
        let priced = &mut conversation.priced;
        if priced_locally(&self.state, lines.lines(), currency, priced).is_err() {
            let reason = CancelReason::SoldOut;
            self.cancel(call, Cancelling { order: key.id, reason }, None);
            return false;
        }
        conversation.at += 1;
        self.commit(call, &Event::OrderPartHeld { order: key.id });
        true
    }

    fn all_reserved(&mut self, call: &mut Call<'_>, key: PartKey) {
        if key.part == Part::Hold {
            return self.grant_hold(call, key);
        }
        let order = key.id;
        let Some(found) = self.state.orders.get(&order.0) else { return };
        let coupon_key = found.coupon_key();
        let remote = found.coupon.filter(|code| !self.state.placement.owns(code.as_str()));
        if let Some(code) = remote {
            let Some(conversation) = self.conversations.get_mut(&key) else { return };
            conversation.coupon_asked = true;
            let currency = conversation.currency;
            let subtotal = subtotal(conversation.priced.lines());
            let owner = self.state.placement.owner(code.as_str());
            let code = code.as_str();
            let body = Body::ReserveCoupon { key: coupon_key, code, currency, subtotal };
            return self.send(call, owner, body);
        }
        if let Some(discount) = self.coupon_discount(call, order) {
            return self.all_priced(call, order, discount);
        }
        let reason = CancelReason::CouponInvalid;
        self.cancel(call, Cancelling { order, reason }, None);
    }

    /// What an order's coupon takes off here and now: nothing without one, `None` when it does not
    /// hold.
    pub(crate) fn coupon_discount(&self, call: &Call<'_>, order: Id) -> Option<i64> {
        let found = self.state.orders.get(&order.0)?;
        let heard = self.conversations.get(&PartKey { id: order, part: Part::Order });
        let lines = heard.map_or_else(|| found.lines.lines(), |heard| heard.priced.lines());
        let (currency, subtotal) = (found.currency, subtotal(lines));
        let code = found.coupon.as_ref().map(claw_common::id::Sku::as_str);
        self.discount_of(code, &Purchase { currency, subtotal, now_ms: call.now_ms })
    }

    /// What one of our coupons takes off a purchase: nothing without one, `None` when it does not
    /// hold.
    pub(crate) fn discount_of(&self, code: Option<&str>, purchase: &Purchase) -> Option<i64> {
        let Some(code) = code else { return Some(0) };
        self.state.coupons.get(code.as_bytes())?.discount(purchase)
    }

    /// A member has reserved lines.
    pub(crate) fn heard_lines(
        &mut self,
        call: &mut Call<'_>,
        from: ShardId,
        key: PartKey,
        lines: Lines<'_>,
    ) {
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        if !conversation.is_asking(from) {
            return;
        }
        conversation.priced.take_prices(lines);
        conversation.at += 1;
        self.ask_next(call, key);
    }

    /// A member has reserved a use of the coupon.
    pub(crate) fn heard_coupon(&mut self, call: &mut Call<'_>, key: PartKey, discount: i64) {
        let order = PartKey { id: key.id, part: Part::Order };
        let asked = self.conversations.get(&order);
        if asked.is_some_and(|asked| asked.coupon_asked && asked.has_asked_all()) {
            self.all_priced(call, key.id, discount);
        }
    }

    /// A member has refused its part.
    pub(crate) fn heard_refusal(
        &mut self,
        call: &mut Call<'_>,
        from: ShardId,
        key: PartKey,
        refusal: Refusal<'_>,
    ) {
        let part = if key.part == Part::Hold { Part::Hold } else { Part::Order };
        let asked = self.conversations.get(&PartKey { id: key.id, part });
        let current = asked.is_some_and(|asked| match key.part {
            Part::Coupon => asked.coupon_asked,
            Part::Hold | Part::Order => asked.is_asking(from),
        });
        if !current {
            return;
        }
        let order = key.id;
        match key.part {
            Part::Hold => self.refuse_hold(call, key, refusal),
            Part::Order => {
                let reason = CancelReason::SoldOut;
                self.cancel(call, Cancelling { order, reason }, None);
            }
            Part::Coupon => {
                let reason = CancelReason::CouponInvalid;
                self.cancel(call, Cancelling { order, reason }, None);
            }
        }
    }

    /// All parts of a hold are reserved.
    fn grant_hold(&mut self, call: &mut Call<'_>, key: PartKey) {
        let hold = key.id;
        let Some(conversation) = self.conversations.remove(&key) else { return };
        let Some(found) = self.state.holds.get(&hold.0) else { return };
        let session = found.session;
        let event = Event::HoldGranted {
            hold,
            session: session.as_str(),
            currency: conversation.currency,
            // While reserving it says how long the hold shall live.
            expires_at_ms: call.now_ms + found.expires_at_ms,
            lines: conversation.priced.lines(),
        };
        self.speak_for_hold(call, hold, &conversation);
        self.commit_answered(call, &event, Show::Hold { hold, created: true });
    }

    /// What follows answers the command that asked for the hold.
    fn speak_for_hold(&self, call: &mut Call<'_>, hold: Id, conversation: &Conversation) {
        let identity = self.state.commands.get(&hold).copied().unwrap_or_default();
        call.claim = Claim::of(identity);
        call.reply_to = conversation.reply_to;
    }
}
