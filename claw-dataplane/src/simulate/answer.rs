//! What a shopper reads in an answer: ids, an order's state, and whether two answers are the same.
//!
//! Owns the few members of the interface that a journey depends on; everything else in a body is
//! skipped unread. Borrows from the receive buffer, allocates only to describe an error.

use std::hash::BuildHasher as _;

use claw_common::id::{Id, Text};
use claw_common::time::UnixMs;
use foldhash::fast::FixedState;
use serde::Deserialize;

/// Why an order was cancelled; longer texts are cut to nothing.
pub type Reason = Text<32>;

/// An answer, borrowed from the receive buffer.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds.
    pub retry_after_s: Option<u32>,
    /// The body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// Equal for answers with one status and body.
    pub fn identity(&self) -> u64 {
        FixedState::default().hash_one((self.status, self.body))
    }

    /// The name of the problem document, without its prefix.
    pub fn problem(&self) -> Option<&str> {
        if self.status < 400 {
            return None;
        }
        let problem: ProblemText<'_> = serde_json::from_slice(self.body).ok()?;
        Some(problem.kind.strip_prefix("urn:openclaw:problem:").unwrap_or(problem.kind))
    }

    /// For people.
    pub fn in_words(&self) -> String {
        let shown = &self.body[..self.body.len().min(300)];
        format!("{} {}", self.status, String::from_utf8_lossy(shown))
    }
}

#[derive(Deserialize)]
struct ProblemText<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Deserialize)]
struct HoldText<'a> {
    hold_id: &'a str,
    expires_at: &'a str,
}

#[derive(Deserialize)]
struct CartText<'a> {
    cart_id: &'a str,
}

#[derive(Deserialize)]
struct OrderText<'a> {
    order_id: &'a str,
    state: &'a str,
    #[serde(default)]
    reason: Option<&'a str>,
}

/// Where an order stands, as far as a shopper cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// Over, nothing sold.
    Cancelled(Reason),
    /// Sold.
    Placed,
    /// Not decided yet.
    Underway,
}

impl OrderState {
    /// Whether it is decided.
    pub const fn ended(self) -> bool {
        !matches!(self, Self::Underway)
    }
}

/// An order in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderSeen {
    /// Its id.
    pub id: Id,
    /// Its state.
    pub state: OrderState,
}

/// Id and expiry of a hold.
pub fn hold(body: &[u8]) -> Option<(Id, UnixMs)> {
    let text: HoldText<'_> = serde_json::from_slice(body).ok()?;
    let expires: jiff::Timestamp = text.expires_at.parse().ok()?;
    Some((Id::parse(text.hold_id)?, UnixMs::try_from(expires.as_millisecond()).ok()?))
}

/// Id of a cart.
pub fn cart_id(body: &[u8]) -> Option<Id> {
    let text: CartText<'_> = serde_json::from_slice(body).ok()?;
    Id::parse(text.cart_id)
}

/// Id and state of an order.
pub fn order(body: &[u8]) -> Option<OrderSeen> {
    let text: OrderText<'_> = serde_json::from_slice(body).ok()?;
    let state = match text.state {
        "placed" | "shipped" | "refunded" => OrderState::Placed,
        "cancelled" => {
            let reason = text.reason.unwrap_or("");
            OrderState::Cancelled(Reason::copy(reason).or_else(|| Reason::copy(""))?)
        }
        _ => OrderState::Underway,
    };
    Some(OrderSeen { id: Id::parse(text.order_id)?, state })
}

/// Equal for answers that name one order, whatever its state by then.
pub fn identity_of_order(order: Id) -> u64 {
    FixedState::default().hash_one(order.0)
}
