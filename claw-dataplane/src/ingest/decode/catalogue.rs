//! Products, stock, prices and coupons: what sources say.

use claw_common::id::{Sku, parse_sku};
use claw_common::limits::{NAME_BYTES_MAX, REASON_BYTES_MAX};
use claw_common::money::Currency;
use claw_common::time::UnixMs;
use claw_core::command::{Command, CouponTerms, CouponValue};
use claw_core::schema::{BuiltIn, FieldValue};

use super::body::{
    Extras, check_content_type, expect_none, parse_value, problem_of, put, read_money, read_object,
    required,
};
use super::json::{Fault, Scanner};
use super::{Decoded, Input, Target, headers, not_found, shard_of};
use crate::ingest::problem::Problem;

/// Largest percentage, hundredths of a percent.
pub const PERCENT_MAX: i64 = 10_000;

pub(super) fn put_product<R>(
    input: &Input<'_>,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    check_content_type(input.request)?;
    let version_expected = headers::if_match(input.request.fields.if_match)?;
    let parse = || -> Result<_, Fault> {
        let (mut name, mut price, mut attributes) = (None, None, None);
        let mut extras = Extras::new(input.schema, BuiltIn::ProductPut);
        read_object(input.request, |scanner, member| match member {
            "name" => put(&mut name, scanner.string()?),
            "price" => put(&mut price, read_money(scanner)?),
            "attributes" => put(&mut attributes, parse_value(scanner.raw()?)?),
            other => extras.take(scanner, other),
        })?;
        let sku = sku_of_path(input, "sku")?;
        let (name, price) = (required(name, "name")?, required(price, "price")?);
        extras.check("sku", FieldValue::Text(sku.as_str()))?;
        extras.check("name", FieldValue::Text(&name))?;
        extras.check("price", FieldValue::Money(price))?;
        if name.len() > NAME_BYTES_MAX {
            return Err(Fault::violation("is too long").under("name"));
        }
        let attributes = input.schema.attributes(attributes.as_ref())?;
        Ok((sku, name, price, attributes, extras.finish()?))
    };
    let (sku, name, price, attributes, extra) =
        parse().map_err(|fault| problem_of(fault, input.request.body))?;
    let sku = sku.as_str();
    let attributes = std::str::from_utf8(&attributes).expect("canonical JSON is text");
    let name = name.as_ref();
    let command = Command::PutProduct { sku, name, price, attributes, version_expected };
    let target = Target::Shard(shard_of(sku, input.settings));
    Ok(then(Decoded { target, command, extra: &extra }))
}

pub(super) fn read_product<'a>(input: &Input<'a>) -> Result<Decoded<'a>, Problem> {
    expect_none(input.request)?;
    let sku = input.matched.parameters[0];
    let _: Sku = parse_sku(sku).ok_or_else(|| not_found(sku))?;
    let target = Target::Shard(shard_of(sku, input.settings));
    Ok(Decoded { target, command: Command::ReadProduct { sku }, extra: &[] })
}

pub(super) fn list_products<R>(
    input: &Input<'_>,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    expect_none(input.request)?;
    let (after, limit) = headers::list_page(input.request.query)?;
    let command = Command::ListProducts { after: &after, limit };
    Ok(then(Decoded { target: Target::All, command, extra: &[] }))
}

pub(super) fn move_stock<R>(
    input: &Input<'_>,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    check_content_type(input.request)?;
    let parse = || -> Result<_, Fault> {
        let (mut delta, mut reason) = (None, None);
        let mut extras = Extras::new(input.schema, BuiltIn::StockMoved);
        read_object(input.request, |scanner, member| match member {
            "delta" => put(&mut delta, scanner.integer()?),
            "reason" => put(&mut reason, scanner.string()?),
            other => extras.take(scanner, other),
        })?;
        let sku = sku_of_path(input, "sku")?;
        let delta = required(delta, "delta")?;
        extras.check("delta", FieldValue::Integer(delta))?;
        if delta == 0 {
            return Err(Fault::violation("must not be 0").under("delta"));
        }
        let text = reason.as_deref().map_or(FieldValue::Absent, FieldValue::Text);
        extras.check("reason", text)?;
        let reason = reason.unwrap_or_default();
        if reason.len() > REASON_BYTES_MAX {
            return Err(Fault::violation("is too long").under("reason"));
        }
        Ok((sku, delta, reason, extras.finish()?))
    };
    let (sku, delta, reason, extra) =
        parse().map_err(|fault| problem_of(fault, input.request.body))?;
    let sku = sku.as_str();
    let command = Command::MoveStock { sku, delta, reason: &reason };
    let target = Target::Shard(shard_of(sku, input.settings));
    Ok(then(Decoded { target, command, extra: &extra }))
}

pub(super) fn change_price<R>(
    input: &Input<'_>,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    check_content_type(input.request)?;
    let parse = || -> Result<_, Fault> {
        let mut price = None;
        let mut extras = Extras::new(input.schema, BuiltIn::PriceChanged);
        read_object(input.request, |scanner, member| match member {
            "price" => put(&mut price, read_money(scanner)?),
            other => extras.take(scanner, other),
        })?;
        let (sku, price) = (sku_of_path(input, "sku")?, required(price, "price")?);
        extras.check("price", FieldValue::Money(price))?;
        Ok((sku, price, extras.finish()?))
    };
    let (sku, price, extra) = parse().map_err(|fault| problem_of(fault, input.request.body))?;
    let sku = sku.as_str();
    let target = Target::Shard(shard_of(sku, input.settings));
    Ok(then(Decoded { target, command: Command::ChangePrice { sku, price }, extra: &extra }))
}

pub(super) fn put_coupon<R>(
    input: &Input<'_>,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    check_content_type(input.request)?;
    let parse = || -> Result<_, Fault> {
        let mut body = CouponBody::default();
        let mut extras = Extras::new(input.schema, BuiltIn::CouponPut);
        read_object(input.request, |scanner, member| body.take(scanner, member, &mut extras))?;
        let code = sku_of_path(input, "code")?;
        Ok((code, body.terms(&extras)?, extras.finish()?))
    };
    let (code, terms, extra) = parse().map_err(|fault| problem_of(fault, input.request.body))?;
    let code = code.as_str();
    let target = Target::Shard(shard_of(code, input.settings));
    Ok(then(Decoded { target, command: Command::PutCoupon { code, terms }, extra: &extra }))
}

pub(super) fn read_coupon<'a>(input: &Input<'a>) -> Result<Decoded<'a>, Problem> {
    expect_none(input.request)?;
    let code = input.matched.parameters[0];
    let _: Sku = parse_sku(code).ok_or_else(|| not_found(code))?;
    let target = Target::Shard(shard_of(code, input.settings));
    Ok(Decoded { target, command: Command::ReadCoupon { code }, extra: &[] })
}

/// The SKU or code in the path, of a request that would make or change it.
fn sku_of_path(input: &Input<'_>, member: &str) -> Result<Sku, Fault> {
    parse_sku(input.matched.parameters[0])
        .ok_or_else(|| Fault::violation("must be 1 to 64 of A-Z a-z 0-9 . _ -").under(member))
}

#[derive(Default)]
struct CouponBody {
    kind: Option<String>,
    value: Option<i64>,
    uses_max: Option<i64>,
    currency: Option<String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    subtotal_min: Option<i64>,
}

impl CouponBody {
    fn take(
        &mut self,
        scanner: &mut Scanner<'_>,
        member: &str,
        extras: &mut Extras<'_>,
    ) -> Result<(), Fault> {
        match member {
            "kind" => put(&mut self.kind, scanner.string()?.into_owned()),
            "value" => put(&mut self.value, scanner.integer()?),
            "uses_max" => put(&mut self.uses_max, scanner.integer()?),
            "currency" => put(&mut self.currency, scanner.string()?.into_owned()),
            "starts_at" => put(&mut self.starts_at, scanner.string()?.into_owned()),
            "ends_at" => put(&mut self.ends_at, scanner.string()?.into_owned()),
            "subtotal_min" => put(&mut self.subtotal_min, scanner.integer()?),
            other => extras.take(scanner, other),
        }
    }

    fn check(&self, extras: &Extras<'_>) -> Result<(), Fault> {
        let texts = [
            ("kind", &self.kind),
            ("currency", &self.currency),
            ("starts_at", &self.starts_at),
            ("ends_at", &self.ends_at),
        ];
        for (member, value) in texts {
            let value = value.as_deref().map_or(FieldValue::Absent, FieldValue::Text);
            extras.check(member, value)?;
        }
        let numbers = [
            ("value", self.value),
            ("uses_max", self.uses_max),
            ("subtotal_min", self.subtotal_min),
        ];
        for (member, value) in numbers {
            extras.check(member, value.map_or(FieldValue::Absent, FieldValue::Integer))?;
        }
        Ok(())
    }

    fn terms(&self, extras: &Extras<'_>) -> Result<CouponTerms, Fault> {
        self.check(extras)?;
        let currency = match self.currency.as_deref().map(Currency::parse) {
            Some(None) => {
                return Err(Fault::violation("must be an ISO 4217 code").under("currency"));
            }
            Some(Some(currency)) => Some(currency),
            None => None,
        };
        let kind = required(self.kind.as_deref(), "kind")?;
        let value = required(self.value, "value")?;
        let value = match kind {
            "percent" if (1..=PERCENT_MAX).contains(&value) => {
                CouponValue::Percent(u32::try_from(value).expect("at most 10,000"))
            }
            "percent" => {
                let reason = "must be 1 to 10000 hundredths of a percent";
                return Err(Fault::violation(reason).under("value"));
            }
            "amount" if value < 1 => {
                return Err(Fault::violation("must be at least 1").under("value"));
            }
            "amount" => {
                let currency = required(currency, "currency")?;
                CouponValue::Amount(claw_common::money::Money { amount: value, currency })
            }
            _ => return Err(Fault::violation("must be percent or amount").under("kind")),
        };
        let uses_max = u64::try_from(required(self.uses_max, "uses_max")?)
            .ok()
            .ok_or_else(|| Fault::violation("must not be negative").under("uses_max"))?;
        let starts_at = read_time(self.starts_at.as_deref(), "starts_at")?;
        let ends_at = read_time(self.ends_at.as_deref(), "ends_at")?;
        if starts_at.zip(ends_at).is_some_and(|(starts, ends)| starts >= ends) {
            return Err(Fault::violation("must be after starts_at").under("ends_at"));
        }
        let subtotal_min = self.subtotal_min;
        Ok(CouponTerms { value, uses_max, currency, starts_at, ends_at, subtotal_min })
    }
}

/// RFC 3339 in UTC.
fn read_time(text: Option<&str>, member: &str) -> Result<Option<UnixMs>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let parsed: Option<jiff::Timestamp> = text.ends_with('Z').then(|| text.parse().ok()).flatten();
    let unix_ms = parsed.and_then(|time| u64::try_from(time.as_millisecond()).ok());
    unix_ms.map(Some).ok_or_else(|| {
        Fault::violation("must be a time like 2026-01-31T12:00:00.000Z").under(member)
    })
}
