//! Coupons described by a source.

use crate::command::CouponTerms;
use crate::outcome::Refusal;
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;
use crate::shard::event::Event;

impl Shard {
    pub(super) fn put_coupon(&mut self, call: &mut Call<'_>, code: &str, terms: CouponTerms) {
        let known = self.state.coupons.get(code.as_bytes());
        let created = known.is_none();
        let uses = known.map_or(0, |coupon| coupon.uses.held() + coupon.uses.used());
        if created && !self.state.coupons.has_room() {
            return self.refuse(call, Refusal::CapacityFull { slab: "coupons" });
        }
        if terms.uses_max < uses {
            return self.refuse(call, Refusal::CouponUsesBelowUsed { uses });
        }
        let event = Event::CouponPut { code, terms };
        self.commit_answered(call, &event, Show::Coupon { code, created });
    }
}
