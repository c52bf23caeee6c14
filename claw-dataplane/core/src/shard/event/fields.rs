//! Events for people: each field with its name, for `claw log show --json` and the State-Schema.
//!
//! A visitor, so that no serialisation library enters the core and nothing is allocated here.

use claw_common::id::Id;
use claw_common::money::{Currency, Money};

use super::{CheckoutFailed, Event, KeyChanged, OrderCreated, SubjectForgotten};
use crate::command::{CouponTerms, CouponValue};
use crate::lines::Lines;
use crate::outcome::CancelReason;
use crate::payment::Verdict;
use crate::shard::message::{Part, PartKey};

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// True or false.
    Flag(bool),
    /// An id.
    Id(Id),
    /// Canonical JSON as it was given; may be empty.
    Json(&'a str),
    /// Lines of a hold, cart or order.
    Lines(Lines<'a>),
    /// An amount of money.
    Money(Money),
    /// A signed number.
    Signed(i64),
    /// Text.
    Text(&'a str),
    /// Unix milliseconds.
    Time(u64),
    /// An unsigned number.
    Unsigned(u64),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// A currency code.
    Currency(Currency),
}

/// Takes fields in the order of the payload.
pub type Visitor<'v> = &'v mut dyn FnMut(&'static str, FieldValue<'_>);

impl CancelReason {
    /// The name in the public interface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SoldOut => "sold-out",
            Self::PaymentDeclined => "payment-declined",
            Self::PaymentUnavailable => "payment-unavailable",
            Self::FraudBlocked => "fraud-blocked",
            Self::CouponInvalid => "coupon-invalid",
            Self::Expired => "expired",
            Self::ShopperCancelled => "shopper-cancelled",
        }
    }
}

impl Event<'_> {
    /// Calls `visit` for every field with a value.
    #[expect(clippy::too_many_lines, reason = "a table: one row for each kind")]
    pub fn fields(&self, visit: Visitor<'_>) {
        use FieldValue as V;
        match *self {
            Event::ProductPut { sku, name, price, attributes, .. } => {
                visit("sku", V::Text(sku));
                visit("name", V::Text(name));
                visit("price", V::Money(price));
                if !attributes.is_empty() {
                    visit("attributes", V::Json(attributes));
                }
            }
            Event::StockMoved { sku, delta, reason } => {
                visit("sku", V::Text(sku));
                visit("delta", V::Signed(delta));
                visit("reason", V::Text(reason));
            }
            Event::PriceChanged { sku, price } => {
                visit("sku", V::Text(sku));
                visit("price", V::Money(price));
            }
            Event::CouponPut { code, terms } => {
                visit("code", V::Text(code));
                terms_fields(&terms, visit);
            }
            Event::CartCreated { cart, session } => {
                visit("cart_id", V::Id(cart));
                visit("session", V::Text(session));
            }
            Event::CartChanged { cart, sku, quantity, price } => {
                visit("cart_id", V::Id(cart));
                visit("sku", V::Text(sku));
                visit("quantity", V::Unsigned(quantity.into()));
                visit("unit_price", V::Money(price));
            }
            Event::HoldReserving { .. }
            | Event::HoldGranted { .. }
            | Event::HoldWaiting { .. }
            | Event::HoldExtended { .. }
            | Event::HoldReleased { .. }
            | Event::HoldExpired { .. }
            | Event::HoldRefused { .. } => self.hold_fields(visit),
            Event::MemberHeld { .. }
            | Event::MemberCouponHeld { .. }
            | Event::MemberSettled { .. }
            | Event::MemberUndone { .. }
            | Event::MemberAcknowledged { .. } => self.member_fields(visit),
            Event::OrderCreated(created) => created.fields(visit),
            Event::OrderPartHeld { order }
            | Event::OrderPlaced { order }
            | Event::OrderShipped { order }
            | Event::OrderCapturing { order }
            | Event::SagaParked { order }
            | Event::SagaRetried { order }
            | Event::OrderRefunded { order } => visit("order_id", V::Id(order)),
            Event::OrderConfirming { order, discount, lines }
            | Event::OrderAuthorizing { order, discount, lines } => {
                visit("order_id", V::Id(order));
                visit("discount", V::Signed(discount));
                visit("items", V::Lines(lines));
            }
            Event::OrderCancelled { order, reason, asked, coupon_asked } => {
                visit("order_id", V::Id(order));
                visit("reason", V::Text(reason.name()));
                visit("asked", V::Unsigned(asked));
                visit("coupon_asked", V::Flag(coupon_asked));
            }
            Event::CheckoutFailed(failed) => failed.fields(visit),
            Event::PaymentAnswered { order, step, verdict, retry_at_ms } => {
                visit("order_id", V::Id(order));
                visit("step", V::Text(step.name()));
                verdict_fields(&verdict, visit);
                if retry_at_ms > 0 {
                    visit("retry_at", V::Time(retry_at_ms));
                }
            }
            Event::CommandRefused | Event::CommandUnchanged => {}
            Event::KeyChanged(key) => key.fields(visit),
            Event::StoreEvent { .. } => self.store_fields(visit),
            Event::SubjectForgotten(forgotten) => forgotten.fields(visit),
        }
    }

    fn store_fields(&self, visit: Visitor<'_>) {
        use FieldValue as V;
        if let Event::StoreEvent { event, name, version, members } = *self {
            visit("event_id", V::Id(event));
            visit("type", V::Text(name));
            visit("version", V::Unsigned(version.into()));
            if !members.is_empty() {
                visit("members", V::Json(members));
            }
        }
    }

    fn hold_fields(&self, visit: Visitor<'_>) {
        use FieldValue as V;
        match *self {
            Event::HoldReserving { hold, session, currency, ttl_ms, lines } => {
                visit("hold_id", V::Id(hold));
                visit("session", V::Text(session));
                visit("currency", V::Currency(currency));
                visit("ttl_ms", V::Unsigned(ttl_ms));
                visit("items", V::Lines(lines));
            }
            Event::HoldGranted { hold, session, currency, expires_at_ms, lines } => {
                visit("hold_id", V::Id(hold));
                visit("session", V::Text(session));
                visit("currency", V::Currency(currency));
                visit("expires_at", V::Time(expires_at_ms));
                visit("items", V::Lines(lines));
            }
            Event::HoldWaiting { hold, session, currency, ttl_ms, until_ms, lines } => {
                visit("hold_id", V::Id(hold));
                visit("session", V::Text(session));
                visit("currency", V::Currency(currency));
                visit("ttl_ms", V::Unsigned(ttl_ms));
                visit("waits_until", V::Time(until_ms));
                visit("items", V::Lines(lines));
            }
            Event::HoldExtended { hold, expires_at_ms } => {
                visit("hold_id", V::Id(hold));
                visit("expires_at", V::Time(expires_at_ms));
            }
            Event::HoldRefused { hold, asked } => {
                visit("hold_id", V::Id(hold));
                visit("asked", V::Unsigned(asked));
            }
            Event::HoldReleased { hold } | Event::HoldExpired { hold } => {
                visit("hold_id", V::Id(hold));
            }
            _ => {}
        }
    }

    fn member_fields(&self, visit: Visitor<'_>) {
        use FieldValue as V;
        match *self {
            Event::MemberHeld { key, home, lines } => {
                key_fields(key, visit);
                visit("home", V::Unsigned(home.0.into()));
                visit("items", V::Lines(lines));
            }
            Event::MemberCouponHeld { key, home, code, discount } => {
                key_fields(key, visit);
                visit("home", V::Unsigned(home.0.into()));
                visit("code", V::Text(code));
                visit("discount", V::Signed(discount));
            }
            Event::MemberSettled { key } => key_fields(key, visit),
            Event::MemberUndone { key, home, sold } => {
                key_fields(key, visit);
                visit("home", V::Unsigned(home.0.into()));
                visit("items", V::Lines(sold.lines));
                visit("code", V::Text(sold.code));
            }
            Event::MemberAcknowledged { key, member, phase } => {
                key_fields(key, visit);
                visit("member", V::Unsigned(member.0.into()));
                visit("phase", V::Unsigned(phase.into()));
            }
            _ => {}
        }
    }
}

fn key_fields(key: PartKey, visit: Visitor<'_>) {
    let name = match key.part {
        Part::Hold => "hold_id",
        Part::Order | Part::Coupon => "order_id",
    };
    visit(name, FieldValue::Id(key.id));
    if key.part == Part::Coupon {
        visit("part", FieldValue::Text("coupon"));
    }
}

fn terms_fields(terms: &CouponTerms, visit: Visitor<'_>) {
    use FieldValue as V;
    match terms.value {
        CouponValue::Percent(hundredths) => {
            visit("kind", V::Text("percent"));
            visit("value", V::Unsigned(hundredths.into()));
        }
        CouponValue::Amount(money) => {
            visit("kind", V::Text("amount"));
            visit("value", V::Money(money));
        }
    }
    visit("uses_max", V::Unsigned(terms.uses_max));
    if let Some(currency) = terms.currency {
        visit("currency", V::Currency(currency));
    }
    if let Some(starts_at) = terms.starts_at {
        visit("starts_at", V::Time(starts_at));
    }
    if let Some(ends_at) = terms.ends_at {
        visit("ends_at", V::Time(ends_at));
    }
    if let Some(subtotal_min) = terms.subtotal_min {
        visit("subtotal_min", V::Signed(subtotal_min));
    }
}

impl OrderCreated<'_> {
    fn fields(&self, visit: Visitor<'_>) {
        use FieldValue as V;
        visit("order_id", V::Id(self.order));
        visit("session", V::Text(self.session));
        if let Some(hold) = self.hold {
            visit("hold_id", V::Id(hold));
        }
        if let Some(cart) = self.cart {
            visit("cart_id", V::Id(cart));
        }
        visit("currency", V::Currency(self.currency));
        visit("deadline", V::Time(self.deadline_ms));
        visit("held", V::Flag(self.held));
        visit("items", V::Lines(self.lines));
        if let Some(coupon) = self.coupon {
            visit("coupon", V::Text(coupon));
        }
        if !self.ship_to.is_empty() {
            visit("ship_to", V::Json(self.ship_to));
        }
        if !self.region.is_empty() {
            visit("region", V::Text(self.region));
        }
    }
}

impl CheckoutFailed<'_> {
    fn fields(&self, visit: Visitor<'_>) {
        use FieldValue as V;
        let steps = crate::saga::SagaKind::Checkout.saga().steps;
        let step = steps.get(usize::from(self.step)).map_or("unknown", |step| step.name);
        visit("order_id", V::Id(self.order));
        visit("session", V::Text(self.session));
        visit("reason", V::Text(self.reason.name()));
        visit("step", V::Text(step));
        visit("total", V::Money(self.total));
        visit("units", V::Unsigned(self.units));
        visit("lines_count", V::Unsigned(self.lines_count.into()));
        visit("age_ms", V::Unsigned(self.age_ms));
        visit("attempts", V::Unsigned(self.attempts.into()));
        visit("from_hold", V::Flag(self.from_hold));
        visit("has_coupon", V::Flag(self.has_coupon));
        if !self.code.is_empty() {
            visit("code", V::Text(self.code));
        }
    }
}

/// A means of payment and a secret are nobody's business: neither is shown.
fn verdict_fields(verdict: &Verdict<'_>, visit: Visitor<'_>) {
    use FieldValue as V;
    let (word, name, value) = match *verdict {
        Verdict::Done { intent } => ("done", "intent", intent),
        Verdict::RequiresAction { intent, .. } => ("requires_action", "intent", intent),
        Verdict::Refused { code } => ("refused", "code", code),
        Verdict::Unavailable { code } => ("unavailable", "code", code),
    };
    visit("verdict", V::Text(word));
    if !value.is_empty() {
        visit(name, V::Text(value));
    }
}

impl SubjectForgotten<'_> {
    fn fields(&self, visit: Visitor<'_>) {
        use FieldValue as V;
        visit("number", V::Unsigned(self.number));
        visit("subject", V::Bytes(&self.subject));
        visit("forgotten_at", V::Time(self.at_ms));
        visit("by", V::Text(self.by));
    }
}

impl KeyChanged<'_> {
    fn fields(&self, visit: Visitor<'_>) {
        use FieldValue as V;
        visit("number", V::Unsigned(self.number.into()));
        visit("name", V::Text(self.name));
        visit("role", V::Text(self.role));
        visit("algorithm", V::Unsigned(self.algorithm.into()));
        visit("public", V::Bytes(&self.public));
        visit("revoked", V::Flag(self.revoked));
    }
}
