//! What the store shows of itself, as JSON: products, coupons, carts, holds, orders.
//!
//! Member names and their order are the public interface's. Everything is written by hand from
//! the encoded outcome: there is no tree in between.

use claw_common::id::Id;
use claw_common::money::Currency;
use claw_core::codec::{Decode as _, Reader};
use claw_core::command::CouponValue;
use claw_core::lines::Lines;
use claw_core::outcome::{
    CancelReason, CartView, CouponView, HoldState, HoldView, OrderState, OrderView, ProductView,
    SagaView, StateView,
};

use super::text::{
    write_amount, write_hex, write_id, write_integer, write_money, write_number, write_text,
    write_time,
};

/// A product, with its attributes (JSON, or empty) as they are read today.
pub fn write_product(out: &mut Vec<u8>, view: &ProductView<'_>, attributes: &str) {
    out.extend_from_slice(b"{\"sku\":");
    write_text(out, view.sku);
    out.extend_from_slice(b",\"name\":");
    write_text(out, view.name);
    out.extend_from_slice(b",\"price\":");
    write_money(out, view.price);
    for (name, value) in [
        (",\"received\":", view.received),
        (",\"removed\":", view.removed),
        (",\"on_hand\":", view.on_hand()),
        (",\"held\":", view.held),
        (",\"sold\":", view.sold),
        (",\"available\":", view.available()),
        (",\"version\":", view.version),
    ] {
        out.extend_from_slice(name.as_bytes());
        write_number(out, value);
    }
    if !attributes.is_empty() {
        out.extend_from_slice(b",\"attributes\":");
        out.extend_from_slice(attributes.as_bytes());
    }
    out.push(b'}');
}

/// A shard's state, by its hash.
pub fn write_state(out: &mut Vec<u8>, view: &StateView) {
    out.extend_from_slice(b"{\"shard\":");
    write_number(out, u64::from(view.shard.0));
    for (name, value) in [(",\"sequence\":", view.sequence), (",\"entries\":", view.entries)] {
        out.extend_from_slice(name.as_bytes());
        write_number(out, value);
    }
    if let Some(hash) = view.hash {
        out.extend_from_slice(b",\"state_hash\":");
        write_hex(out, &hash);
    }
    out.push(b'}');
}

/// A coupon.
pub fn write_coupon(out: &mut Vec<u8>, view: &CouponView<'_>) {
    let terms = &view.terms;
    out.extend_from_slice(b"{\"code\":");
    write_text(out, view.code);
    match terms.value {
        CouponValue::Percent(rate) => {
            out.extend_from_slice(b",\"kind\":\"percent\",\"value\":");
            write_number(out, u64::from(rate));
        }
        CouponValue::Amount(money) => {
            out.extend_from_slice(b",\"kind\":\"amount\",\"value\":");
            write_integer(out, money.amount);
        }
    }
    for (name, value) in [(",\"uses_max\":", terms.uses_max), (",\"uses\":", view.uses)] {
        out.extend_from_slice(name.as_bytes());
        write_number(out, value);
    }
    if let Some(currency) = terms.currency {
        out.extend_from_slice(b",\"currency\":");
        write_text(out, currency.as_str());
    }
    for (name, time) in [(",\"starts_at\":", terms.starts_at), (",\"ends_at\":", terms.ends_at)] {
        if let Some(unix_ms) = time {
            out.extend_from_slice(name.as_bytes());
            write_time(out, unix_ms);
        }
    }
    if let Some(subtotal_min) = terms.subtotal_min {
        out.extend_from_slice(b",\"subtotal_min\":");
        write_integer(out, subtotal_min);
    }
    out.push(b'}');
}

/// A cart. An empty one has no currency and so no subtotal.
pub fn write_cart(out: &mut Vec<u8>, view: &CartView<'_>) {
    out.extend_from_slice(b"{\"cart_id\":");
    write_id(out, view.cart);
    out.extend_from_slice(b",\"items\":");
    if let Some(currency) = view.currency {
        write_lines(out, &view.lines, currency);
        let subtotal =
            view.lines.iter().map(|line| i64::from(line.quantity) * line.unit_price).sum();
        out.extend_from_slice(b",\"subtotal\":");
        write_amount(out, subtotal, currency);
    } else {
        out.extend_from_slice(b"[],\"subtotal\":null");
    }
    out.push(b'}');
}

/// A hold.
pub fn write_hold(out: &mut Vec<u8>, view: &HoldView<'_>) {
    out.extend_from_slice(b"{\"hold_id\":");
    write_id(out, view.hold);
    out.extend_from_slice(b",\"state\":\"");
    out.extend_from_slice(hold_state_name(view.state).as_bytes());
    out.extend_from_slice(b"\",\"items\":");
    write_lines(out, &view.lines, view.currency);
    out.extend_from_slice(b",\"expires_at\":");
    write_time(out, view.expires_at_ms);
    out.push(b'}');
}

/// An order in full.
pub fn write_order(out: &mut Vec<u8>, view: &OrderView<'_>) {
    out.extend_from_slice(b"{\"order_id\":");
    write_id(out, view.order);
    out.extend_from_slice(b",\"state\":\"");
    out.extend_from_slice(order_state_name(view.state).as_bytes());
    out.extend_from_slice(b"\",\"items\":");
    write_lines(out, &view.lines, view.currency);
    for (name, amount) in [
        (",\"subtotal\":", view.subtotal),
        (",\"discount\":", view.discount),
        (",\"tax\":", view.tax),
        (",\"total\":", view.total),
    ] {
        out.extend_from_slice(name.as_bytes());
        write_amount(out, amount, view.currency);
    }
    if let Some(reason) = view.reason {
        out.extend_from_slice(b",\"reason\":");
        write_text(out, reason_name(reason));
    }
    if !view.client_secret.is_empty() {
        write_member(out, "client_secret");
        write_text(out, view.client_secret);
    }
    out.extend_from_slice(b",\"history\":[");
    let mut reader = Reader::new(view.history);
    let mut first = true;
    while reader.remaining() > 0 {
        let state = OrderState::decode(&mut reader).expect("our own shard encoded it");
        let at_ms = reader.u64().expect("our own shard encoded it");
        out.extend_from_slice(if first { b"{\"at\":" } else { b",{\"at\":" });
        first = false;
        write_time(out, at_ms);
        out.extend_from_slice(b",\"state\":");
        write_text(out, order_state_name(state));
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

/// An order as a checkout first answers: which, and how far.
pub fn write_order_started(out: &mut Vec<u8>, view: &OrderView<'_>) {
    out.extend_from_slice(b"{\"order_id\":");
    write_id(out, view.order);
    out.extend_from_slice(b",\"state\":\"");
    out.extend_from_slice(order_state_name(view.state).as_bytes());
    out.extend_from_slice(b"\"}");
}

/// An order's saga.
pub fn write_saga(out: &mut Vec<u8>, view: &SagaView<'_>) {
    let progress = &view.progress;
    out.extend_from_slice(b"{\"order_id\":");
    write_id(out, view.order);
    let saga = progress.saga.saga();
    for (name, value) in [
        ("state", order_state_name(view.state)),
        ("saga", saga.name),
        ("course", progress.course.name()),
        ("step", progress.step_name()),
    ] {
        write_member(out, name);
        write_text(out, value);
    }
    write_member(out, "parked");
    out.extend_from_slice(if progress.parked { b"true" } else { b"false" });
    write_member(out, "attempts");
    write_number(out, u64::from(progress.attempt));
    if progress.due_ms > 0 {
        write_member(out, "due_at");
        write_time(out, progress.due_ms);
    }
    write_member(out, "total");
    write_amount(out, view.total, view.currency);
    if let Some(reason) = view.reason {
        write_member(out, "reason");
        write_text(out, reason_name(reason));
    }
    for (name, value) in [("intent", view.intent), ("code", view.code)] {
        if !value.is_empty() {
            write_member(out, name);
            write_text(out, value);
        }
    }
    write_member(out, "created_at");
    write_time(out, view.created_ms);
    write_member(out, "deadline_at");
    write_time(out, view.deadline_ms);
    write_member(out, "shards_owing");
    write_number(out, u64::from(view.pending.count_ones()));
    write_member(out, "steps");
    out.push(b'[');
    for (index, step) in saga.steps.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"step\":" } else { b",{\"step\":" });
        write_text(out, step.name);
        write_member(out, "is");
        write_text(out, progress.step_state(index));
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

/// A page of sagas.
pub fn write_sagas(out: &mut Vec<u8>, count: u16, views: &[u8], more: bool) {
    let mut reader = Reader::new(views);
    let mut last = None;
    out.extend_from_slice(b"{\"sagas\":[");
    for index in 0..count {
        let view = SagaView::decode(&mut reader).expect("encoded by a shard");
        if index > 0 {
            out.push(b',');
        }
        write_saga(out, &view);
        last = Some(view.order);
    }
    out.push(b']');
    if let Some(last) = last.filter(|_| more) {
        write_member(out, "next");
        write_id(out, last);
    }
    out.push(b'}');
}

fn write_member(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// A recorded event of the store's own: which, and its type with the version.
pub fn write_event_recorded(out: &mut Vec<u8>, event: Id, written: (&str, u16)) {
    out.extend_from_slice(b"{\"event_id\":");
    write_id(out, event);
    out.extend_from_slice(b",\"type\":");
    write_text(out, written.0);
    out.extend_from_slice(b",\"version\":");
    write_number(out, u64::from(written.1));
    out.push(b'}');
}

fn write_lines(out: &mut Vec<u8>, lines: &Lines<'_>, currency: Currency) {
    out.push(b'[');
    for (index, line) in lines.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"sku\":" } else { b",{\"sku\":" });
        write_text(out, line.sku);
        out.extend_from_slice(b",\"quantity\":");
        write_number(out, u64::from(line.quantity));
        out.extend_from_slice(b",\"unit_price\":");
        write_amount(out, line.unit_price, currency);
        out.push(b'}');
    }
    out.push(b']');
}

/// A hold's state as the interface names it.
pub const fn hold_state_name(state: HoldState) -> &'static str {
    match state {
        HoldState::Reserving => "reserving",
        HoldState::Active => "active",
        HoldState::Released => "released",
        HoldState::Expired => "expired",
        HoldState::Sold => "sold",
        HoldState::Waiting => "waiting",
    }
}

/// An order's state as the interface names it.
pub const fn order_state_name(state: OrderState) -> &'static str {
    match state {
        OrderState::Reserving => "reserving",
        OrderState::Pricing => "pricing",
        OrderState::Scoring => "scoring",
        OrderState::Authorizing => "authorizing",
        OrderState::RequiresAction => "requires_action",
        OrderState::Confirming => "confirming",
        OrderState::Capturing => "capturing",
        OrderState::Placed => "placed",
        OrderState::Shipped => "shipped",
        OrderState::Cancelled => "cancelled",
        OrderState::Refunded => "refunded",
    }
}

/// Why an order was cancelled, as the interface names it.
pub const fn reason_name(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::SoldOut => "sold-out",
        CancelReason::PaymentDeclined => "payment-declined",
        CancelReason::PaymentUnavailable => "payment-unavailable",
        CancelReason::FraudBlocked => "fraud-blocked",
        CancelReason::CouponInvalid => "coupon-invalid",
        CancelReason::Expired => "expired",
        CancelReason::ShopperCancelled => "shopper-cancelled",
    }
}
