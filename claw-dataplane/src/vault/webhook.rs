//! Webhooks: authenticated, taken once, and never believed more than the gateway itself.
//!
//! The signature is Stripe's published scheme ("Verify webhook signatures manually"): HMAC-SHA256
//! over the timestamp, a dot and the raw body, compared in constant time, at most five minutes old.
//! Events arrive late, twice and out of order; so one only says that there is news of an order, and
//! the payment is read where it is kept, on the same way that a question of the node takes.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use claw_common::id::Id;
use claw_core::payment::PaymentStep;

use super::book::{self, Question};
use super::desk::Desk;

/// How old, or how far ahead, a signature may be.
pub const TOLERANCE_S: u64 = 300;

/// Takes a webhook; the HTTP status that its sender is answered.
pub fn take(desk: &Desk, secret: &str, webhook: (&str, &[u8]), now_s: u64) -> u16 {
    let (signature, body) = webhook;
    if !is_signed(secret, signature, body, now_s) {
        log::warn!("a webhook whose signature is not the gateway's was refused");
        return 400;
    }
    let Ok(event) = serde_json::from_slice::<Value>(body) else { return 400 };
    let Some(id) = event["id"].as_str().filter(|id| !id.is_empty()) else { return 400 };
    if desk.knows_event(id) {
        return 200;
    }
    let object = &event["data"]["object"];
    let order = object["metadata"]["order_id"].as_str().and_then(Id::parse);
    let about_payment = event["type"].as_str().is_some_and(|t| t.starts_with("payment_intent."));
    if let Some(order) = order.filter(|_| about_payment)
        && let Some(known) = desk.order(order)
        && known.begun_ms(PaymentStep::Authorize).is_some()
        && known.said(PaymentStep::Authorize).is_none()
    {
        desk.take(Question {
            order,
            shard: known.shard,
            step: PaymentStep::Authorize,
            amount: known.amount,
            currency: known.currency,
            token: known.token,
            intent: known.intent,
        });
    }
    desk.keep(&book::event(id, now_s * 1000));
    200
}

/// Whether a `Stripe-Signature` field signs a body with this secret, not long ago.
pub fn is_signed(secret: &str, signature: &str, body: &[u8], now_s: u64) -> bool {
    let mut time = None;
    let mut given = Vec::new();
    for part in signature.split(',') {
        match part.trim().split_once('=') {
            Some(("t", seconds)) => time = seconds.parse::<u64>().ok().zip(Some(seconds)),
            Some(("v1", hex)) => given.push(hex),
            _ => {}
        }
    }
    let Some((seconds, text)) = time else { return false };
    if secret.is_empty() || seconds.abs_diff(now_s) > TOLERANCE_S {
        return false;
    }
    given.iter().any(|hex| {
        let Some(expected) = unhex(hex) else { return false };
        mac(secret, text, body).verify_slice(&expected).is_ok()
    })
}

/// Signs a body as a gateway does.
pub fn sign(secret: &str, body: &[u8], now_s: u64) -> String {
    let tag = mac(secret, &now_s.to_string(), body).finalize().into_bytes();
    let mut hex = String::new();
    for byte in tag {
        write!(hex, "{byte:02x}").expect("a String takes every byte");
    }
    format!("t={now_s},v1={hex}")
}

fn mac(secret: &str, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(seconds.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_is_taken_while_it_is_young_and_nothing_else() {
        let (secret, body, now_s) = ("whsec_1", b"{\"id\":\"evt_1\"}", 1_800_000_000);
        let signature = sign(secret, body, now_s);
        assert!(is_signed(secret, &signature, body, now_s));
        assert!(is_signed(secret, &signature, body, now_s + TOLERANCE_S));
        assert!(!is_signed(secret, &signature, body, now_s + TOLERANCE_S + 1));
        assert!(!is_signed("whsec_2", &signature, body, now_s));
        assert!(!is_signed("", &sign("", body, now_s), body, now_s));
        assert!(!is_signed(secret, &signature, b"{}", now_s));
        let rotated = format!("{},v1={}", signature, "00".repeat(32));
        assert!(is_signed(secret, &rotated, body, now_s), "one of several secrets");
        for broken in ["", "t=1", "v1=00", "t=x,v1=00", &signature.replace("v1", "v0")] {
            assert!(!is_signed(secret, broken, body, now_s), "{broken}");
        }
    }
}
