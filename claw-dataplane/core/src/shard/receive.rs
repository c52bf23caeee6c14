//! Messages of other shards.

use claw_common::id::ShardId;
use claw_common::time::UnixMs;

use super::Shard;
use super::call::{Call, Claim};
use super::message::{Body, Message};
use crate::effect::Effects;
use crate::journal::Journal;

impl Shard {
    /// Takes a message of another shard; repeating one changes nothing.
    pub fn receive(
        &mut self,
        from: ShardId,
        message: &Message<'_>,
        now_ms: UnixMs,
        journal: &mut dyn Journal,
        effects: &mut Effects,
    ) {
        assert_ne!(from, self.config.shard, "a shard does not write to itself");
        let now_ms = self.clock.advance(now_ms);
        self.clock.receive(from, message.position, message.stamp);
        let mut call = Call {
            since: journal.sequence(),
            now_ms,
            journal,
            effects,
            claim: Claim::default(),
            reply_to: None,
            seen: Some((from, message.position)),
        };
        let call = &mut call;
        match message.body {
            Body::ReserveLines { key, currency, lines } => {
                self.asked_for_lines(call, from, key, (currency, lines));
            }
            Body::ReserveCoupon { key, code, currency, subtotal } => {
                self.asked_for_coupon(call, from, key, (code, currency, subtotal));
            }
            Body::LinesGranted { key, lines } => self.heard_lines(call, from, key, lines),
            Body::CouponGranted { key, discount } => self.heard_coupon(call, key, discount),
            Body::PartRefused { key, refusal } => self.heard_refusal(call, from, key, refusal),
            Body::Settle { key } => self.asked_to_settle(call, from, key),
            Body::Undo { key, sold } => self.asked_to_undo(call, from, key, &sold),
            Body::Acknowledged { key, phase } => self.heard_done(call, from, key, phase),
        }
    }
}
