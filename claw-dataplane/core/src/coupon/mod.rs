//! Coupons: terms, and a bounded counter of uses.
//!
//! A use is held by an order under way and used when the order is confirmed, so a coupon can never
//! be used more often than its terms say. Terms are checked by log time on the coupon's shard. What
//! a coupon takes off is fixed for the order when it is checked. Coupons are never evicted.

use claw_common::id::Sku;
use claw_common::money::{Currency, share_of};
use claw_common::time::UnixMs;

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::command::{CouponTerms, CouponValue};
use crate::inventory::counter::Counter;
use crate::outcome::CouponView;
use crate::stdx::Keyed;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Coupon {
    /// Code.
    pub code: Sku,
    /// Terms.
    pub terms: CouponTerms,
    /// Uses.
    pub uses: Counter,
}

/// What a coupon is to be applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The order's currency.
    pub currency: Currency,
    /// The order's sum, minor units.
    pub subtotal: i64,
    /// When.
    pub now_ms: UnixMs,
}

impl Coupon {
    /// The coupon as it is now.
    pub fn view(&self, created: bool) -> CouponView<'_> {
        let uses = self.uses.held() + self.uses.used();
        CouponView { created, code: self.code.as_str(), terms: self.terms, uses }
    }

    /// What it takes off, minor units; `None` when its terms do not hold or no use is left.
    pub fn discount(&self, purchase: &Purchase) -> Option<i64> {
        let terms = &self.terms;
        let early = terms.starts_at.is_some_and(|starts_at| purchase.now_ms < starts_at);
        let late = terms.ends_at.is_some_and(|ends_at| purchase.now_ms >= ends_at);
        let foreign = terms.currency.is_some_and(|currency| currency != purchase.currency);
        let small = terms.subtotal_min.is_some_and(|least| purchase.subtotal < least);
        if early || late || foreign || small || self.uses.available() == 0 {
            return None;
        }
        let discount = match terms.value {
            CouponValue::Percent(hundredths) => share_of(purchase.subtotal, hundredths),
            CouponValue::Amount(money) if money.currency == purchase.currency => money.amount,
            CouponValue::Amount(_) => return None,
        };
        let discount = discount.min(purchase.subtotal);
        assert!(discount >= 0, "a coupon takes off, never adds");
        Some(discount)
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            code: Sku::copy(r.text()?).ok_or_else(|| r.invalid("code"))?,
            terms: CouponTerms::decode(r)?,
            uses: Counter::read(r)?,
        })
    }
}

impl Keyed for Coupon {
    fn key(&self) -> &[u8] {
        self.code.as_bytes()
    }
}

impl Encode for Coupon {
    fn encode(&self, w: &mut Writer<'_>) {
        w.text(self.code.as_str());
        self.terms.encode(w);
        self.uses.encode(w);
    }
}

#[cfg(test)]
mod tests {
    use claw_common::money::Money;

    use super::*;

    fn eur() -> Currency {
        Currency::parse("EUR").unwrap()
    }

    fn coupon(value: CouponValue) -> Coupon {
        let terms = CouponTerms {
            value,
            uses_max: 1,
            currency: Some(eur()),
            starts_at: Some(10),
            ends_at: Some(20),
            subtotal_min: Some(100),
        };
        let mut uses = Counter::default();
        uses.receive(1);
        Coupon { code: Sku::copy("TEN").unwrap(), terms, uses }
    }

    #[test]
    fn terms_hold_from_their_start_until_before_their_end() {
        let coupon = coupon(CouponValue::Percent(1_000));
        let at = |now_ms| coupon.discount(&Purchase { currency: eur(), subtotal: 105, now_ms });
        assert_eq!([at(9), at(10), at(19), at(20)], [None, Some(10), Some(10), None]);
    }

    #[test]
    fn coupon_takes_off_at_most_the_sum_and_only_in_its_currency() {
        let amount = CouponValue::Amount(Money { amount: 500, currency: eur() });
        let mut coupon = coupon(amount);
        let purchase = Purchase { currency: eur(), subtotal: 120, now_ms: 10 };
        assert_eq!(coupon.discount(&purchase), Some(120));
        let usd = Currency::parse("USD").unwrap();
        assert_eq!(coupon.discount(&Purchase { currency: usd, ..purchase }), None);
        assert_eq!(coupon.discount(&Purchase { subtotal: 99, ..purchase }), None);
        coupon.uses.hold(1).unwrap();
        assert_eq!(coupon.discount(&purchase), None);
    }
}
