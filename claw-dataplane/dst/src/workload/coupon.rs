//! Describing a coupon.

use claw_common::id::{ShardId, shard_of_key};
use claw_common::money::Money;
use claw_core::command::{Command, CouponTerms, CouponValue};
use claw_core::outcome::{Outcome, Refusal};

use super::{Asked, Draw, eur};
use crate::invariants::answers::unfit;
use crate::invariants::coupons;
use crate::oracle::Oracle;
use crate::violation::Checked;

#[derive(Debug)]
struct PutCoupon {
    code: String,
    terms: CouponTerms,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every drawer")]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let value = if draw.random.chance(500) {
        CouponValue::Percent(u32::try_from(draw.random.between(1, 10_000)).expect("small"))
    } else {
        CouponValue::Amount(Money { currency: eur(), ..draw.price() })
    };
    let uses_max = draw.random.between(1, 12);
    let code = draw.coupon();
    let terms = CouponTerms {
        value,
        uses_max,
        currency: None,
        starts_at: None,
        ends_at: None,
        subtotal_min: draw.random.chance(200).then_some(100),
    };
    Some(Box::new(PutCoupon { code, terms }))
}

impl Asked for PutCoupon {
    fn shard(&self, shards_count: u16) -> ShardId {
        shard_of_key(&self.code, shards_count)
    }

    fn command(&self) -> Command<'_> {
        Command::PutCoupon { code: &self.code, terms: self.terms }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        match outcome {
            Outcome::Coupon(view) if view.code == self.code && view.terms == self.terms => {
                oracle.coupons.insert(self.code.clone(), view.terms.uses_max);
                coupons::check_view(view)
            }
            Outcome::Refused(Refusal::CouponUsesBelowUsed { uses })
                if *uses > self.terms.uses_max =>
            {
                Ok(())
            }
            other => Err(unfit("put coupon", other)),
        }
    }
}
