//! What a shopper reads in an answer: ids, an order's state, and whether two answers are the same.
//!
//! Owns the few members of the interface that a journey depends on; everything else in a body is
//! skipped unread. Borrows from the receive buffer, allocates only to describe an error.

use std::hash::BuildHasher as _;

use claw_common::id::{Id, Text};
use claw_common::time::UnixMs;
use claw_sdk::wire::{self, Outcome};
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
    pub body: Body<'a>,
}

/// A body in the form of its protocol.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// Of an HTTP answer.
    Json(&'a [u8]),
    /// Of an answer of the wire protocol.
    Wire(&'a wire::Answer<'a>),
}

impl Answer<'_> {
    /// Equal for answers with one status and body.
    pub fn identity(&self) -> u64 {
        let bytes = match self.body {
            Body::Json(bytes) => bytes,
            Body::Wire(answer) => answer.bytes,
        };
        FixedState::default().hash_one((self.status, bytes))
    }

    /// The name of the problem document, without its prefix.
    pub fn problem(&self) -> Option<&str> {
        if self.status < 400 {
            return None;
        }
        let bytes = match self.body {
            Body::Json(bytes) => bytes,
            Body::Wire(answer) => return answer.problem().map(|problem| problem.name),
        };
        let problem: ProblemText<'_> = serde_json::from_slice(bytes).ok()?;
        Some(problem.kind.strip_prefix("urn:openclaw:problem:").unwrap_or(problem.kind))
    }

    /// For people.
    pub fn in_words(&self) -> String {
        let shown = match self.body {
            Body::Json(bytes) => &bytes[..bytes.len().min(300)],
            Body::Wire(answer) => return format!("{} {:?}", self.status, answer.body),
        };
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
pub fn hold(answer: &Answer<'_>) -> Option<(Id, UnixMs)> {
    let bytes = match answer.body {
        Body::Json(bytes) => bytes,
        Body::Wire(answer) => match answer.outcome()? {
            Outcome::Hold(hold) => return Some((hold.hold, hold.expires_at_ms)),
            _ => return None,
        },
    };
    let text: HoldText<'_> = serde_json::from_slice(bytes).ok()?;
    let expires: jiff::Timestamp = text.expires_at.parse().ok()?;
    Some((Id::parse(text.hold_id)?, UnixMs::try_from(expires.as_millisecond()).ok()?))
}

/// Id of a cart.
pub fn cart_id(answer: &Answer<'_>) -> Option<Id> {
    let bytes = match answer.body {
        Body::Json(bytes) => bytes,
        Body::Wire(answer) => match answer.outcome()? {
            Outcome::CartCreated(cart) => return Some(*cart),
            _ => return None,
        },
    };
    let text: CartText<'_> = serde_json::from_slice(bytes).ok()?;
    Id::parse(text.cart_id)
}

/// Id and state of an order.
pub fn order(answer: &Answer<'_>) -> Option<OrderSeen> {
    match answer.body {
        Body::Json(bytes) => order_of_json(bytes),
        Body::Wire(answer) => match answer.outcome()? {
            Outcome::Order(order) => Some(order_of_wire(order)),
            _ => None,
        },
    }
}

/// Id and state of an order in JSON.
pub fn order_of_json(body: &[u8]) -> Option<OrderSeen> {
    let text: OrderText<'_> = serde_json::from_slice(body).ok()?;
    let state = match text.state {
        "placed" | "shipped" | "refunded" => OrderState::Placed,
        "cancelled" => cancelled(text.reason),
        _ => OrderState::Underway,
    };
    Some(OrderSeen { id: Id::parse(text.order_id)?, state })
}

fn order_of_wire(order: &wire::Order<'_>) -> OrderSeen {
    let state = match order.state {
        wire::OrderState::Placed | wire::OrderState::Shipped | wire::OrderState::Refunded => {
            OrderState::Placed
        }
        wire::OrderState::Cancelled => cancelled(order.reason),
        _ => OrderState::Underway,
    };
    OrderSeen { id: order.order, state }
}

fn cancelled(reason: Option<&str>) -> OrderState {
    let reason = Reason::copy(reason.unwrap_or("")).or_else(|| Reason::copy(""));
    OrderState::Cancelled(reason.expect("nothing fits everywhere"))
}

/// Equal for answers that name one order, whatever its state by then.
pub fn identity_of_order(order: Id) -> u64 {
    FixedState::default().hash_one(order.0)
}
