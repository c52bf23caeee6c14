//! Carts, holds and checkouts: what shoppers ask for.

use std::borrow::Cow;

use claw_common::id::{Id, Session, Sku, parse_sku};
use claw_common::limits::{PAYMENT_TEXT_BYTES_MAX, WAITING_MS_MAX};
use claw_core::command::{Basket, Command};
use claw_core::lines::LinesBuffer;
use claw_core::schema::{BuiltIn, FieldValue, canonical_json, closest};
use serde_json::Value;

use super::body::{
    Extras, check_content_type, check_session, parse_value, problem_of, put, read_items,
    read_object, required, unknown,
};
use super::json::{Fault, Scanner};
use super::{Decoded, Input, Target, headers, home_of, home_of_path, shard_of};
use crate::ingest::problem::{Problem, ProblemKind};

pub(super) fn create_cart<R>(
    input: &Input<'_>,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    check_content_type(input.request)?;
    let parse = || -> Result<_, Fault> {
        let mut session = None;
        let mut extras = Extras::new(input.schema, BuiltIn::CartCreated);
        read_object(input.request, |scanner, member| match member {
            "session" => put(&mut session, scanner.string()?),
            other => extras.take(scanner, other),
        })?;
        let session = required(session, "session")?;
        extras.check("session", FieldValue::Text(&session))?;
        check_session(&session)?;
        Ok((session, extras.finish()?))
    };
    let (session, extra) = parse().map_err(|fault| problem_of(fault, input.request.body))?;
    own_session(input, &session)?;
    // Any shard may be the home; the same one for a repeated request, where it is remembered.
    let target = Target::Shard(shard_of(&session, input.settings));
    let command = Command::CreateCart { session: &session };
    Ok(then(Decoded { target, command, extra: &extra }))
}

pub(super) fn put_cart_item<R>(
    input: &Input<'_>,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    check_content_type(input.request)?;
    let parse = || -> Result<_, Fault> {
        let mut quantity = None;
        let mut extras = Extras::new(input.schema, BuiltIn::CartChanged);
        read_object(input.request, |scanner, member| match member {
            "quantity" => put(&mut quantity, scanner.integer()?),
            other => extras.take(scanner, other),
        })?;
        let sku = input.matched.parameters[1];
        let known: Option<Sku> = parse_sku(sku);
        if known.is_none() {
            let reason = "must be 1 to 64 of A-Z a-z 0-9 . _ -";
            return Err(Fault::violation(reason).under("sku"));
        }
        let quantity = required(quantity, "quantity")?;
        extras.check("quantity", FieldValue::Integer(quantity))?;
        let quantity = u32::try_from(quantity)
            .ok()
            .ok_or_else(|| Fault::violation("is out of range").under("quantity"))?;
        Ok((sku, quantity, extras.finish()?))
    };
    let (cart, home) = home_of_path(input)?;
    let (sku, quantity, extra) = parse().map_err(|fault| problem_of(fault, input.request.body))?;
    let target = match home {
        // Taking a line out needs no price.
        Target::Shard(home) if quantity > 0 => {
            Target::PriceThen { sku, price_at: shard_of(sku, input.settings), home }
        }
        other => other,
    };
    let session = session_of(input);
    let command = Command::SetCartItem { cart, session, sku, quantity, price: None };
    Ok(then(Decoded { target, command, extra: &extra }))
}

pub(super) fn create_hold<R>(
    input: &Input<'_>,
    lines: &mut LinesBuffer,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    let (session, ttl_ms, extra) = read_hold(input, lines)?;
    let lines = lines.lines();
    let first = lines.iter().next().ok_or_else(empty_basket)?;
    let target = Target::Shard(shard_of(first.sku, input.settings));
    let command = Command::CreateHold { session: &session, lines, ttl_ms };
    Ok(then(Decoded { target, command, extra: &extra }))
}

pub(super) fn join_line<R>(
    input: &Input<'_>,
    lines: &mut LinesBuffer,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    let (session, ttl_ms, extra) = read_hold(input, lines)?;
    let lines = lines.lines();
    let first = lines.iter().next().ok_or_else(empty_basket)?;
    if lines.count() > 1 {
        let detail = "a line is for one SKU: ask for each of them";
        return Err(Problem::new(ProblemKind::LinesAboveMax, detail));
    }
    let target = Target::Shard(shard_of(first.sku, input.settings));
    let command = Command::JoinLine { session: &session, lines, ttl_ms, wait_ms: WAITING_MS_MAX };
    Ok(then(Decoded { target, command, extra: &extra }))
}

/// Whose hold it shall be, how long it lives, and the store's own members.
fn read_hold<'a>(
    input: &Input<'a>,
    lines: &mut LinesBuffer,
) -> Result<(Cow<'a, str>, u64, Vec<u8>), Problem> {
    check_content_type(input.request)?;
    let mut parse = || -> Result<_, Fault> {
        let (mut session, mut items, mut ttl_ms) = (None, None, None);
        let mut extras = Extras::new(input.schema, BuiltIn::HoldGranted);
        read_object(input.request, |scanner, member| match member {
            "session" => put(&mut session, scanner.string()?),
            "items" => put(&mut items, read_items(scanner, &extras, lines)?),
            "ttl_ms" => put(&mut ttl_ms, scanner.integer()?),
            other => extras.take(scanner, other),
        })?;
        let session = required(session, "session")?;
        extras.check("session", FieldValue::Text(&session))?;
        check_session(&session)?;
        extras.check("items", FieldValue::Count(required(items, "items")?))?;
        let ttl_ms = read_ttl(ttl_ms, &extras)?.unwrap_or(input.settings.hold_ttl_ms_default);
        Ok((session, ttl_ms, extras.finish()?))
    };
    let (session, ttl_ms, extra) =
        parse().map_err(|fault| problem_of(fault, input.request.body))?;
    own_session(input, &session)?;
    Ok((session, ttl_ms, extra))
}

pub(super) fn extend_hold<R>(
    input: &Input<'_>,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    check_content_type(input.request)?;
    let parse = || -> Result<_, Fault> {
        let mut ttl_ms = None;
        let mut extras = Extras::new(input.schema, BuiltIn::HoldExtended);
        read_object(input.request, |scanner, member| match member {
            "ttl_ms" => put(&mut ttl_ms, scanner.integer()?),
            other => extras.take(scanner, other),
        })?;
        let ttl_ms = required(read_ttl(ttl_ms, &extras)?, "ttl_ms")?;
        Ok((ttl_ms, extras.finish()?))
    };
    let (hold, target) = home_of_path(input)?;
    let (ttl_ms, extra) = parse().map_err(|fault| problem_of(fault, input.request.body))?;
    let command = Command::ExtendHold { hold, session: session_of(input), ttl_ms };
    Ok(then(Decoded { target, command, extra: &extra }))
}

pub(super) fn check_out<R>(
    input: &Input<'_>,
    lines: &mut LinesBuffer,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    check_content_type(input.request)?;
    let mut parse = || -> Result<_, Fault> {
        let mut body = CheckoutBody::default();
        let mut extras = Extras::new(input.schema, BuiltIn::OrderStarted);
        read_object(input.request, |scanner, member| {
            body.take(scanner, member, (&mut extras, lines))
        })?;
        body.check(&extras)?;
        if body.payment.is_some() && !input.settings.takes_payments {
            let fault = Fault::violation("is not taken: this store's payments are none");
            return Err(fault.under("payment"));
        }
        Ok((body.ship_to()?, extras.finish()?, body))
    };
    let (ship_to, extra, body) = parse().map_err(|fault| problem_of(fault, input.request.body))?;
    let session = body.session.as_deref().unwrap_or_default();
    own_session(input, session)?;
    let (basket, home) = match (body.hold_id, body.cart_id) {
        (Some(hold), _) => (Basket::Hold(hold), home_of(hold, input.settings)?),
        (None, Some(cart)) => (Basket::Cart(cart), home_of(cart, input.settings)?),
        (None, None) => {
            let lines = lines.lines();
            let first = lines.iter().next().ok_or_else(empty_basket)?;
            (Basket::Items(lines), shard_of(first.sku, input.settings))
        }
    };
    let wait_s = headers::prefer_wait_s(input.request.fields.prefer);
    let command = Command::Checkout {
        session,
        own_session_only: input.caller.session.is_some(),
        basket,
        coupon: body.coupon.as_deref(),
        ship_to: &ship_to,
        region: body.region.as_deref().unwrap_or_default(),
        wait_until_ms: if wait_s == 0 { 0 } else { input.now_ms + wait_s * 1000 },
        ttl_ms: input.settings.checkout_ttl_ms,
        payment: input.settings.takes_payments.then(|| body.payment.as_deref().unwrap_or_default()),
    };
    Ok(then(Decoded { target: Target::Shard(home), command, extra: &extra }))
}

#[derive(Default)]
struct CheckoutBody<'a> {
    session: Option<Cow<'a, str>>,
    hold_id: Option<Id>,
    cart_id: Option<Id>,
    items: Option<usize>,
    coupon: Option<Cow<'a, str>>,
    ship_to: Option<Value>,
    region: Option<Cow<'a, str>>,
    payment: Option<Cow<'a, str>>,
}

impl<'a> CheckoutBody<'a> {
    fn take(
        &mut self,
        scanner: &mut Scanner<'a>,
        member: &str,
        others: (&mut Extras<'_>, &mut LinesBuffer),
    ) -> Result<(), Fault> {
        let (extras, lines) = others;
        match member {
            "session" => put(&mut self.session, scanner.string()?),
            "hold_id" => put(&mut self.hold_id, read_id(scanner)?),
            "cart_id" => put(&mut self.cart_id, read_id(scanner)?),
            "items" => put(&mut self.items, read_items(scanner, extras, lines)?),
            "coupon" => put(&mut self.coupon, scanner.string()?),
            "ship_to" => put(&mut self.ship_to, parse_value(scanner.raw()?)?),
            "region" => put(&mut self.region, scanner.string()?),
            "payment" => put(&mut self.payment, read_payment(scanner)?),
            other => extras.take(scanner, other),
        }
    }

    fn check(&self, extras: &Extras<'_>) -> Result<(), Fault> {
        let session = required(self.session.as_deref(), "session")?;
        extras.check("session", FieldValue::Text(session))?;
        check_session(session)?;
        for (member, value) in [("coupon", &self.coupon), ("region", &self.region)] {
            extras.check(member, value.as_deref().map_or(FieldValue::Absent, FieldValue::Text))?;
        }
        extras.check("items", self.items.map_or(FieldValue::Absent, FieldValue::Count))?;
        extras
            .check("ship_to", self.ship_to.as_ref().map_or(FieldValue::Absent, FieldValue::Json))?;
        let named = [self.hold_id.is_some(), self.cart_id.is_some(), self.items.is_some()];
        match named.into_iter().filter(|&there| there).count() {
            1 => Ok(()),
            0 => Err(Fault::violation("or cart_id or items is required").under("hold_id")),
            _ => {
                let extra = if named[2] { "items" } else { "cart_id" };
                Err(Fault::violation("excludes the other baskets: send one").under(extra))
            }
        }
    }

    fn ship_to(&self) -> Result<String, Fault> {
        match &self.ship_to {
            None => Ok(String::new()),
            Some(value @ Value::Object(_)) => Ok(canonical_json(value)),
            Some(_) => Err(Fault::violation("must be an object").under("ship_to")),
        }
    }
}

/// The gateway's token: the one member of `payment`.
fn read_payment<'a>(scanner: &mut Scanner<'a>) -> Result<Cow<'a, str>, Fault> {
    let mut token = None;
    scanner.object(|scanner, name| match name {
        "token" => put(&mut token, scanner.string()?),
        other => Err(unknown(closest(other, ["token"]).map(str::to_owned))),
    })?;
    let token = required(token, "token")?;
    match payment_token_fault(&token) {
        Some(reason) => Err(Fault::violation(reason).under("token")),
        None => Ok(token),
    }
}

/// Why a text is no gateway's token. Theirs are printable; what is not could be made to look like
/// something else where it is kept, among binary records.
pub(in crate::ingest) fn payment_token_fault(token: &str) -> Option<String> {
    let printable = token.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let fits = (1..=PAYMENT_TEXT_BYTES_MAX).contains(&token.len());
    (!printable || !fits)
        .then(|| format!("must be 1 to {PAYMENT_TEXT_BYTES_MAX} printable ASCII characters"))
}

fn read_id(scanner: &mut Scanner<'_>) -> Result<Id, Fault> {
    Id::parse(&scanner.string()?).ok_or_else(|| Fault::violation("must be a UUID"))
}

fn read_ttl(ttl_ms: Option<i64>, extras: &Extras<'_>) -> Result<Option<u64>, Fault> {
    extras.check("ttl_ms", ttl_ms.map_or(FieldValue::Absent, FieldValue::Integer))?;
    ttl_ms
        .map(|ttl_ms| {
            u64::try_from(ttl_ms)
                .ok()
                .ok_or_else(|| Fault::violation("must not be negative").under("ttl_ms"))
        })
        .transpose()
}

fn session_of<'a>(input: &Input<'a>) -> Option<&'a str> {
    input.caller.session.as_ref().map(Session::as_str)
}

/// A shopper's token speaks for one session.
pub(super) fn own_session(input: &Input<'_>, session: &str) -> Result<(), Problem> {
    match session_of(input) {
        Some(own) if own != session => {
            let detail = "a shopper's token speaks for its own session only";
            Err(Problem::new(ProblemKind::Forbidden, detail))
        }
        _ => Ok(()),
    }
}

fn empty_basket() -> Problem {
    Problem::schema("items", "`items` must have an entry")
}
