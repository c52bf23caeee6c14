//! Coupons are used at most as often as allowed, and each use belongs to an order.

use claw_core::outcome::CouponView;

use crate::oracle::Oracle;
use crate::violation::{Checked, check};

const NAME: &str = "coupon uses are counted";

/// Checks an answer.
pub(crate) fn check_view(view: &CouponView<'_>) -> Checked {
    check(view.uses <= view.terms.uses_max, NAME, || {
        format!("{}: {} uses of {}", view.code, view.uses, view.terms.uses_max)
    })
}

/// Checks that at rest the uses are those of the orders that were bought.
pub(crate) fn check_at_rest(view: &CouponView<'_>, oracle: &Oracle) -> Checked {
    check_view(view)?;
    let orders = oracle.coupon_uses(view.code);
    check(view.uses == orders, NAME, || {
        format!("{}: {} uses, bought with it {orders}", view.code, view.uses)
    })
}
