//! The page and its pieces, as HTML. What a browser is told over its WebSocket swaps the elements
//! `stock-SKU`, `order-ID` and `claw-cursor` in by their ids (see the node's notices).

use maud::{DOCTYPE, Markup, html};

use super::desk::{OrderState, Product};

/// HTMX without what a strict content policy forbids.
const HTMX_CONFIG: &str = r#"{"allowEval":false,"includeIndicatorStyles":false}"#;
/// What the node tells may outrun the answer that shows an order: it is looked at once more soon,
/// and now and then until it is settled.
const LOOK_SOON: &str = "load delay:250ms";
/// See [`LOOK_SOON`].
const LOOK_AGAIN: &str = "load delay:5s";

/// Cards of the local gateway, and what a shopper reads of them.
const CARDS: [(&str, &str); 2] =
    [("pm_card_visa", "a card that pays"), ("pm_card_chargeDeclined", "a card that is declined")];

/// Whether a card is one that the page has.
pub(super) fn is_card(token: &str) -> bool {
    CARDS.iter().any(|(known, _)| *known == token)
}

/// Where an element goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where it is written.
    There,
    /// Into the place of the one with its id.
    Swapped,
}

impl Place {
    fn swap(self) -> Option<&'static str> {
        (self == Self::Swapped).then_some("true")
    }
}

/// What the page is made of.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) sku: String,
    pub(super) product: Product,
    pub(super) orders: Vec<OrderState>,
    pub(super) purchase_key: String,
}

/// The whole page.
pub(super) fn page(view: &View, live: &Markup) -> Markup {
    let View { sku, product, orders, purchase_key } = view;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="htmx-config" content=(HTMX_CONFIG);
                title { (product.name) }
                link rel="stylesheet" href="/shop.css";
                script src="/htmx.js" defer {}
                script src="/htmx-sockets.js" defer {}
            }
            body {
                header { strong { "OpenClaw" } " demo store" (live) }
                main {
                    section .product {
                        (shoe())
                        h1 { (product.name) }
                        p .price { (product.price) }
                        p .stock { (stock(sku, product.available)) " left" }
                        (purchase(purchase_key))
                    }
                    section .orders {
                        h2 { "Your orders" }
                        (said("", Place::There))
                        ul #orders aria-live="polite" {
                            @for order in orders { (line(order)) }
                        }
                    }
                }
                input #claw-cursor type="hidden" name="after" value="";
            }
        }
    }
}

/// The element whose WebSocket keeps the page up to date. When that closes, the browser asks for
/// the element again: with a fresh ticket, from its cursor on.
pub(super) fn live(url: &str) -> Markup {
    html! {
        span #live .live hx-ext="ws" ws-connect=(url) hx-get="/live" hx-include="#claw-cursor"
            hx-trigger="htmx:wsClose delay:300ms, htmx:sendError delay:1s" hx-swap="outerHTML"
            hx-sync="this:replace" { "live" }
    }
}

/// The same, while there is nothing to connect to.
pub(super) fn not_live() -> Markup {
    html! {
        span #live .away hx-get="/live" hx-include="#claw-cursor" hx-swap="outerHTML"
            hx-trigger="load delay:1s, htmx:sendError delay:1s" { "away" }
    }
}

/// What follows a purchase: its order, and a key for the next one.
pub(super) fn bought(order: &OrderState, next_key: &str) -> Markup {
    html! {
        (line(order))
        (key(next_key, Place::Swapped))
        (said("", Place::Swapped))
    }
}

/// What follows a purchase that came to nothing.
pub(super) fn not_bought(why: &str, next_key: &str) -> Markup {
    html! {
        (said(why, Place::Swapped))
        (key(next_key, Place::Swapped))
    }
}

/// An order's state, as it was looked at.
pub(super) fn order(order: &OrderState) -> Markup {
    state(order, LOOK_AGAIN)
}

fn state(order: &OrderState, look: &str) -> Markup {
    let OrderState { id, state, reason } = order;
    let target = format!("/orders/{id}");
    html! {
        @if is_settled(state) {
            span id={ "order-" (id) } data-state=(state) data-reason=(reason) {
                (words(state, reason))
            }
        } @else {
            span id={ "order-" (id) } data-state=(state) data-reason=(reason)
                hx-get=(target) hx-trigger=(look) hx-swap="outerHTML" {
                (words(state, reason))
            }
        }
    }
}

/// What the visitor is told beside the orders.
fn said(what: &str, place: Place) -> Markup {
    html! { p #said role="alert" hx-swap-oob=[place.swap()] { (what) } }
}

fn line(shown: &OrderState) -> Markup {
    let short: String = shown.id.chars().take(13).collect();
    html! { li { code { (short) } " " (state(shown, LOOK_SOON)) } }
}

fn stock(sku: &str, available: i64) -> Markup {
    html! { span id={ "stock-" (sku) } data-state=(available) { (available) } }
}

fn purchase(purchase_key: &str) -> Markup {
    html! {
        form hx-post="/buy" hx-target="#orders" hx-swap="afterbegin" hx-disabled-elt="find button"
            hx-sync="this:drop" {
            fieldset {
                legend { "Pay with" }
                @for (index, (token, name)) in CARDS.iter().enumerate() {
                    label {
                        input type="radio" name="card" value=(token) checked[index == 0];
                        " " (name)
                    }
                }
            }
            (key(purchase_key, Place::There))
            button type="submit" { "Buy one" }
        }
    }
}

fn key(purchase_key: &str, place: Place) -> Markup {
    html! {
        input #purchase-key type="hidden" name="key" value=(purchase_key)
            hx-swap-oob=[place.swap()];
    }
}

fn is_settled(state: &str) -> bool {
    matches!(state, "placed" | "cancelled" | "shipped" | "refunded")
}

fn words(state: &str, reason: &str) -> String {
    match (state, reason) {
        ("cancelled", "payment-declined") => "the payment was declined".to_owned(),
        ("cancelled", "sold-out") => "sold out".to_owned(),
        ("cancelled", "payment-unavailable") => "the payment could not be made".to_owned(),
        ("requires_action", _) => "confirm the payment".to_owned(),
        _ => state.to_owned(),
    }
}

/// The shoe's upper, from its heel over the collar to the toe.
const UPPER: &str = "M16 94V50c0-6 8-8 12-4l16 16c10 8 26 4 34-8l10-16c4-6 12-6 16-1 \
                     22 29 48 41 90 45 20 2 32 6 34 12z";

/// The product, drawn.
fn shoe() -> Markup {
    html! {
        svg viewBox="0 0 240 130" role="img" aria-label="A running shoe" {
            path .sole d="M14 98h206c10 0 12 16 2 20H26c-12 0-16-12-12-20z" {}
            path .upper d=(UPPER) {}
            path .lace d="M92 40l22-10M102 54l22-10M114 66l20-9" {}
        }
    }
}
