//! Paths, bodies and the names of refusals, as the interface has them.
//!
//! Deliberately without a world: what is asked depends on nothing.

use claw_sdk::client::Response;
use serde_json::{Value, json};

use crate::books::text;

/// The name of a problem.
pub(crate) fn problem(answer: &Response) -> String {
    let named = text(&answer.json()["type"]);
    let name = named.strip_prefix("urn:openclaw:problem:");
    name.unwrap_or_else(|| panic!("{named} is no problem of ours")).to_owned()
}

pub(crate) fn eur(amount: i64) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

pub(crate) fn items(lines: &[(&str, i64)]) -> Value {
    lines.iter().map(|(sku, quantity)| json!({"sku": sku, "quantity": quantity})).collect()
}

/// What a hold and a checkout of lines ask for.
pub(crate) fn basket(session: &str, lines: &[(&str, i64)]) -> Value {
    json!({"session": session, "items": items(lines)})
}

pub(crate) fn product_path(sku: &str) -> String {
    format!("/v1/products/{sku}")
}

pub(crate) fn stock_path(sku: &str) -> String {
    format!("/v1/products/{sku}/stock")
}

pub(crate) fn coupon_path(code: &str) -> String {
    format!("/v1/coupons/{code}")
}

pub(crate) fn hold_path(hold: &str) -> String {
    format!("/v1/holds/{hold}")
}
