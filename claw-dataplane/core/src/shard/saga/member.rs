//! Reservations over several shards, seen from the member: it does what the home asks, once.

use claw_common::id::{ShardId, Sku};
use claw_common::money::Currency;

use crate::coupon::Purchase;
use crate::inventory::member::{Phase, Reserved, key_bytes};
use crate::inventory::stored_lines::PricedLines;
use crate::lines::Lines;
use crate::outcome::{Missing, Refusal};
use crate::shard::Shard;
use crate::shard::call::Call;
use crate::shard::decide::priced_locally;
use crate::shard::event::Event;
use crate::shard::message::{Body, PartKey, Sold};

impl Shard {
    pub(crate) fn asked_for_lines(
        &mut self,
        call: &mut Call<'_>,
        home: ShardId,
        key: PartKey,
        asked: (Currency, Lines<'_>),
    ) {
        let (currency, lines) = asked;
        assert_eq!(
            self.state.placement.local(lines).count(),
            lines.count(),
            "a home asks for the member's own lines"
        );
        if self.answer_again(call, home, key) {
            return;
        }
        if !self.state.may_hold_for_others() {
            let refusal = Refusal::CapacityFull { slab: "holds" };
            return self.send(call, home, Body::PartRefused { key, refusal });
        }
        let mut priced = core::mem::take(&mut self.priced);
        priced.start(lines);
        let checked = priced_locally(&self.state, lines, Some(currency), &mut priced);
        match checked {
            Err(refusal) => self.send(call, home, Body::PartRefused { key, refusal }),
            Ok(_) => self.hold_for(call, home, key, &priced),
        }
        self.priced = priced;
    }

    fn hold_for(&mut self, call: &mut Call<'_>, home: ShardId, key: PartKey, priced: &PricedLines) {
        let lines = priced.lines();
        self.commit(call, &Event::MemberHeld { key, home, lines });
        self.send(call, home, Body::LinesGranted { key, lines });
    }

    pub(crate) fn asked_for_coupon(
        &mut self,
        call: &mut Call<'_>,
        home: ShardId,
        key: PartKey,
        asked: (&str, Currency, i64),
    ) {
        if self.answer_again(call, home, key) {
            return;
        }
        let (code, currency, subtotal) = asked;
        let purchase = Purchase { currency, subtotal, now_ms: call.now_ms };
        let coupon = self.state.coupons.get(code.as_bytes());
        let discount = coupon.and_then(|coupon| coupon.discount(&purchase));
        let body = match discount {
            _ if !self.state.may_hold_for_others() => {
                Body::PartRefused { key, refusal: Refusal::CapacityFull { slab: "holds" } }
            }
            None => Body::PartRefused { key, refusal: Refusal::NotFound(Missing::Coupon) },
            Some(discount) => {
                self.commit(call, &Event::MemberCouponHeld { key, home, code, discount });
                Body::CouponGranted { key, discount }
            }
        };
        self.send(call, home, body);
    }

    /// Answers a question asked before as it was answered then; false when it is a new one.
    fn answer_again(&mut self, call: &mut Call<'_>, home: ShardId, key: PartKey) -> bool {
        let Some(member) = self.state.members.get(&key_bytes(key)) else { return false };
        let reserved = member.reserved.clone();
        let body = match &reserved {
            Reserved::Lines(lines) => Body::LinesGranted { key, lines: lines.lines() },
            Reserved::Coupon { discount, .. } => Body::CouponGranted { key, discount: *discount },
            // The home has ended it already, and does not listen any more.
            Reserved::Nothing => {
                Body::PartRefused { key, refusal: Refusal::NotFound(Missing::Hold) }
            }
        };
        self.send(call, home, body);
        true
    }

    pub(crate) fn asked_to_settle(&mut self, call: &mut Call<'_>, home: ShardId, key: PartKey) {
        let phase = self.state.members.get(&key_bytes(key)).map(|member| member.phase);
        if phase == Some(Phase::Held) {
            self.commit(call, &Event::MemberSettled { key });
        }
        // One that is not known any more was settled before it was evicted.
        let reached = phase.unwrap_or(Phase::Settled).max(Phase::Settled);
        self.send(call, home, Body::Acknowledged { key, phase: reached as u8 });
    }

    pub(crate) fn asked_to_undo(
        &mut self,
        call: &mut Call<'_>,
        home: ShardId,
        key: PartKey,
        sold: &Sold<'_>,
    ) {
        let known = self.state.members.get(&key_bytes(key)).map(|member| member.phase);
        match known {
            Some(Phase::Undone) => {}
            // What is known here says itself what comes back.
            Some(Phase::Held | Phase::Settled) => {
                self.commit(call, &Event::MemberUndone { key, home, sold: Sold::default() });
            }
            None => {
                assert!(sold.code.is_empty() || Sku::copy(sold.code).is_some(), "a code fits");
                self.commit(call, &Event::MemberUndone { key, home, sold: *sold });
            }
        }
        self.send(call, home, Body::Acknowledged { key, phase: Phase::Undone as u8 });
    }
}
