//! What watchers are told, as JSON, or as HTML fragments that HTMX swaps in by their ids.
//!
//! A JSON message is `{cursor, type, ...}` with `type` one of `open`, `order`, `hold`, `cart`,
//! `stock`, `more`. A fragment has `hx-swap-oob`, its id (`order-ID`, `hold-ID`, `cart-ID`,
//! `stock-SKU`) and its state as `data-state`, and is followed by the cursor in `claw-cursor`. All
//! that is not ours in it (SKUs) is of characters that need no escape.

use std::fmt::Write as _;

use claw_core::outcome::Outcome;
use claw_core::shard::notice::Notice;

use crate::ingest::render::views::{hold_state_name, order_state_name, reason_name};

/// How a watcher is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For programs.
    Json,
    /// For HTMX.
    Hx,
}

/// One thing told.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// The connection is open.
    Open,
    /// A notice of a shard.
    Notice(&'a Notice<'a>),
    /// What changed while nobody was there.
    Changed(&'a Outcome<'a>),
    /// A product's stock that can still be had.
    Stock {
        /// SKU.
        sku: &'a str,
        /// Units.
        available: u64,
    },
    /// There is more behind the cursor: come back with it.
    More,
}

/// Its text.
pub fn write(told: &Told<'_>, format: Format, cursor: &str) -> String {
    let (kind, name, id, state, reason) = parts(told);
    let mut text = String::new();
    // A String takes every character.
    match format {
        Format::Json => {
            write!(text, "{{\"cursor\":\"{cursor}\",\"type\":\"{kind}\"").ok();
            if let Told::Stock { sku, available } = told {
                write!(text, ",\"sku\":\"{sku}\",\"available\":{available}").ok();
            } else if !id.is_empty() {
                write!(text, ",\"{name}\":\"{id}\"").ok();
            }
            for (member, value) in [("state", state.as_str()), ("reason", reason)] {
                if !value.is_empty() && kind != "stock" {
                    write!(text, ",\"{member}\":\"{value}\"").ok();
                }
            }
            text.push('}');
        }
        Format::Hx => {
            if !id.is_empty() {
                write!(
                    text,
                    "<span id=\"{kind}-{id}\" hx-swap-oob=\"true\" data-state=\"{state}\" \
                     data-reason=\"{reason}\">{}</span>",
                    words(kind, &state, reason)
                )
                .ok();
            }
            write!(
                text,
                "<input id=\"claw-cursor\" hx-swap-oob=\"true\" type=\"hidden\" name=\"after\" \
                 value=\"{cursor}\">"
            )
            .ok();
        }
    }
    text
}

/// Kind, the id's member, the id, state and reason.
fn parts(told: &Told<'_>) -> (&'static str, &'static str, String, String, &'static str) {
    let none = String::new;
    let owned = |text: &str| text.to_owned();
    match told {
        Told::Open => ("open", "", none(), none(), ""),
        Told::More => ("more", "", none(), none(), ""),
        Told::Stock { sku, available } => ("stock", "sku", owned(sku), available.to_string(), ""),
        Told::Notice(Notice::Order { order, state, reason, .. }) => (
            "order",
            "order_id",
            order.to_string(),
            owned(order_state_name(*state)),
            reason.map_or("", reason_name),
        ),
        Told::Changed(Outcome::Order(view)) => (
            "order",
            "order_id",
            view.order.to_string(),
            owned(order_state_name(view.state)),
            view.reason.map_or("", reason_name),
        ),
        Told::Notice(Notice::Hold { hold, state, .. }) => {
            ("hold", "hold_id", hold.to_string(), owned(hold_state_name(*state)), "")
        }
        Told::Changed(Outcome::Hold(view)) => {
            ("hold", "hold_id", view.hold.to_string(), owned(hold_state_name(view.state)), "")
        }
        Told::Notice(Notice::Cart { cart, .. }) => {
            ("cart", "cart_id", cart.to_string(), none(), "")
        }
        Told::Notice(Notice::SagaParked { .. }) | Told::Changed(_) => {
            ("other", "", none(), none(), "")
        }
    }
}

/// What a shopper reads.
fn words(kind: &str, state: &str, reason: &str) -> String {
    match (kind, state, reason) {
        ("order", "cancelled", "payment-declined") => "the payment was declined".to_owned(),
        ("order", "cancelled", "sold-out") => "sold out".to_owned(),
        ("order", "cancelled", "payment-unavailable") => "the payment could not be made".to_owned(),
        ("order", "requires_action", _) => "confirm the payment".to_owned(),
        ("cart", ..) => "changed".to_owned(),
        _ => state.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claw_common::id::Id;
    use claw_core::outcome::{CancelReason, OrderState};

    #[test]
    fn notices_are_told_as_json_and_as_fragments() {
        let order = Id([7; 16]);
        let notice = Notice::Order {
            session: "ada",
            order,
            state: OrderState::Cancelled,
            reason: Some(CancelReason::PaymentDeclined),
        };
        let told = Told::Notice(&notice);
        let json: serde_json::Value =
            serde_json::from_str(&write(&told, Format::Json, "1.2")).unwrap();
        let expected = serde_json::json!({
            "cursor": "1.2", "type": "order", "order_id": order.to_string(),
            "state": "cancelled", "reason": "payment-declined",
        });
        assert_eq!(json, expected);
        let html = write(&told, Format::Hx, "1.2");
        for part in [
            format!("id=\"order-{order}\" hx-swap-oob=\"true\" data-state=\"cancelled\""),
            ">the payment was declined</span>".to_owned(),
            "id=\"claw-cursor\" hx-swap-oob=\"true\" type=\"hidden\" name=\"after\" value=\"1.2\""
                .to_owned(),
        ] {
            assert!(html.contains(&part), "{part} is not in {html}");
        }
        let stock = write(&Told::Stock { sku: "clog", available: 3 }, Format::Json, "1");
        assert_eq!(stock, r#"{"cursor":"1","type":"stock","sku":"clog","available":3}"#);
        assert_eq!(write(&Told::Open, Format::Json, "1"), r#"{"cursor":"1","type":"open"}"#);
    }
}
