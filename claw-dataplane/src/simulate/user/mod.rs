//! A shopper as a state machine: events in, the next request or a pause out.
//!
//! Owns one shopper's journey through the interface, its random choices and its patience. The
//! `Stage` names the request that is next or out; an answer moves it on:
//!
//! ```text
//!   browse       View -> View -> Start
//!   hold         Hold -> Checkout | Release | (left to expire)
//!   cart         OpenCart -> Fill ... -> Checkout | (left behind)
//!   checkout     Checkout -> Watch ... until the order is placed or cancelled
//!   bot          Grab -> Grab ..., every hold left to expire
//!   retry-storm  Storm, the same key again and again, then Watch
//! ```
//!
//! 429 and 503 are asked again with the same key after `Retry-After`; an answer that never came is
//! asked for again on a new connection, with the same key, as a careful client does. After
//! [`ATTEMPTS_MAX`] the shopper gives up and the ledger notes the doubt. Pure: no clock, no
//! socket, no allocation per step; it does not render requests.

mod answers;
mod journey;
#[cfg(test)]
mod tests;

use std::time::Duration;

use claw_common::id::Id;
use claw_common::time::UnixMs;
use rand::rngs::SmallRng;

use super::answer::{Answer, OrderSeen};
use super::ledger::{Ledger, Line, Lines};
use super::scenario::{Chooser, HammerTarget, Scenario, StormTarget};

/// How often one request is sent before a shopper gives up.
pub const ATTEMPTS_MAX: u8 = 6;

/// What a checkout buys.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A cart.
    Cart(Id),
    /// A hold.
    Hold(Id),
    /// The lines themselves.
    Items,
}

/// A request, without its bytes.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// `POST /v1/checkouts`.
    Checkout { source: Source, lines: Lines, coupon: Option<usize> },
    /// `PUT /v1/carts/{cart}/items/{sku}`.
    FillCart { cart: Id, line: Line },
    /// `GET /v1/health`.
    Health,
    /// `POST /v1/holds`.
    Hold { lines: Lines, ttl_ms: Option<u64> },
    /// `POST /v1/carts`.
    OpenCart,
    /// `DELETE /v1/holds/{id}`.
    Release { hold: Id },
    /// `GET /v1/orders/{id}`.
    ViewOrder { order: Id },
    /// `GET /v1/products/{sku}`.
    ViewProduct { product: u32 },
}

impl Operation {
    /// Whether it changes anything, and so carries an idempotency key.
    pub const fn is_command(&self) -> bool {
        !matches!(self, Self::Health | Self::ViewOrder { .. } | Self::ViewProduct { .. })
    }
}

/// How a request uses the shopper's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// The connection that is open; a new one when there is none.
    Kept,
    /// A new connection; the old one is dropped.
    Fresh,
    /// Sent, then the connection is cut before the answer can be read.
    Unread,
}

/// A request to send.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// What it asks.
    pub operation: Operation,
    /// Its idempotency key; the same for every attempt.
    pub key: Option<Id>,
    /// How it uses the connection.
    pub manner: Manner,
}

/// What happened to a shopper.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The answer to the request that is out.
    Answered(&'a Answer<'a>),
    /// The connection was cut as [`Manner::Unread`] asked.
    Cut,
    /// No answer: the connection broke or the time is up.
    Lost,
    /// The pause is over.
    Ready,
}

/// What a shopper does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Wait, then [`Event::Ready`].
    Pause(Duration),
    /// Send [`User::request`].
    Send,
}

/// What all shoppers share.
#[derive(Debug)]
pub struct Crowd<'a> {
    /// What they came for.
    pub scenario: &'a Scenario,
    /// Its draws.
    pub chooser: &'a Chooser,
    /// Their book.
    pub ledger: &'a mut Ledger,
    /// Makes keys differ between two runs with one seed, so that a second run over the same store
    /// is not answered from the first one's window.
    pub run_nonce: u128,
    /// Wall clock, for holds' expiry.
    pub now_ms: UnixMs,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Checkout { source: Source },
    Fill { cart: Id, index: usize },
    Hammer { target: HammerTarget },
    Grab { left: u32 },
    Hold,
    OpenCart,
    Release { hold: Id },
    Start,
    Storm { of: StormTarget, left: u32, first: Option<u64>, seen: Option<OrderSeen> },
    View { left: u32 },
    Watch { order: Id, left: u8 },
}

/// One shopper.
#[derive(Debug)]
pub struct User {
    number: u32,
    rng: SmallRng,
    behaviour: usize,
    stage: Stage,
    lines: Lines,
    coupon: Option<usize>,
    request: Request,
    attempts: u8,
    resend: bool,
    /// The request is out.
    in_flight: bool,
    /// An attempt went out whose answer never came: it may have been done.
    unheard: bool,
    /// The storm's one request is made.
    storming: bool,
}
