//! A coupon's terms, as a source puts them.

use claw_common::id::is_sku;
use claw_common::money::Money;
use claw_common::time::UnixMs;
use claw_common::wire::{COUPON_AMOUNT, COUPON_PERCENT, COUPON_SUBTOTAL_MIN};
use claw_core::command::{CouponTerms, CouponValue};
use claw_core::protocol::AskedCoupon;
use claw_core::schema::{BuiltIn, FieldValue};

use super::decode::{Input, check, not_a_sku, read_currency};
use crate::ingest::problem::Problem;

/// Largest percentage, hundredths of a percent.
const PERCENT_MAX: i64 = 10_000;
const EVENT: BuiltIn = BuiltIn::CouponPut;

/// Reads and checks the terms.
pub(super) fn terms(input: &Input<'_>, coupon: &AskedCoupon<'_>) -> Result<CouponTerms, Problem> {
    let fixed = coupon.fixed;
    if !is_sku(coupon.code) {
        return Err(not_a_sku("code"));
    }
    let currency = match fixed.currency {
        [0, 0, 0] => None,
        bytes => Some(read_currency(bytes, "currency")?),
    };
    let text = currency.as_ref().map_or(FieldValue::Absent, |c| FieldValue::Text(c.as_str()));
    check(input, EVENT, "currency", text)?;
    let (kind, value) = (fixed.kind, fixed.value.get());
    check(input, EVENT, "value", FieldValue::Integer(value))?;
    let named = |name| check(input, EVENT, "kind", FieldValue::Text(name));
    let value = match kind {
        COUPON_PERCENT => {
            named("percent")?;
            if !(1..=PERCENT_MAX).contains(&value) {
                return Err(wrong("value", "must be 1 to 10000 hundredths of a percent"));
            }
            CouponValue::Percent(u32::try_from(value).expect("at most 10,000"))
        }
        COUPON_AMOUNT => {
            named("amount")?;
            if value < 1 {
                return Err(wrong("value", "must be at least 1"));
            }
            let currency = currency.ok_or_else(|| wrong("currency", "is required"))?;
            CouponValue::Amount(Money { amount: value, currency })
        }
        _ => return Err(wrong("kind", "must be percent (1) or amount (2)")),
    };
    let (starts_at, ends_at) = (
        read_time(input, fixed.starts_at_ms.get(), "starts_at")?,
        read_time(input, fixed.ends_at_ms.get(), "ends_at")?,
    );
    if starts_at.zip(ends_at).is_some_and(|(starts, ends)| starts >= ends) {
        return Err(wrong("ends_at", "must be after starts_at"));
    }
    check(input, EVENT, "uses_max", FieldValue::Integer(fixed.uses_max.get()))?;
    let uses_max = u64::try_from(fixed.uses_max.get())
        .map_err(|_negative| wrong("uses_max", "must not be negative"))?;
    let bounded = fixed.flags == COUPON_SUBTOTAL_MIN;
    let subtotal_min = bounded.then(|| fixed.subtotal_min.get());
    let number = subtotal_min.map_or(FieldValue::Absent, FieldValue::Integer);
    check(input, EVENT, "subtotal_min", number)?;
    Ok(CouponTerms { value, uses_max, currency, starts_at, ends_at, subtotal_min })
}

/// 0 is no bound; else a time that a calendar can write, checked as such.
fn read_time(input: &Input<'_>, unix_ms: u64, member: &str) -> Result<Option<UnixMs>, Problem> {
    if unix_ms == 0 {
        check(input, EVENT, member, FieldValue::Absent)?;
        return Ok(None);
    }
    let stamp = i64::try_from(unix_ms).ok().map(jiff::Timestamp::from_millisecond);
    let Some(Ok(stamp)) = stamp else { return Err(wrong(member, "is no time")) };
    check(input, EVENT, member, FieldValue::Text(&format!("{stamp:.3}")))?;
    Ok(Some(unix_ms))
}

fn wrong(member: &str, reason: &str) -> Problem {
    Problem::schema(member, format!("`{member}` {reason}"))
}
