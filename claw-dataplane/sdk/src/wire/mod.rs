//! The client of the wire protocol `claw/1`: framed, batched, pipelined, no JSON on the path.
//!
//! ```text
//!   Command --encode in place--> outbox ==\            /== inbox --borrowed--> Answer
//!                                          Machine (sans-I/O)
//!                                         /         \
//!                        Client (blocking)           Sender, Receiver (any executor)
//!                              |
//!                        Pool: a connection for each core, commands by shard
//! ```
//! The protocol in words and bytes is `claw-dataplane/docs/wire.md`; its layouts are
//! `claw_common::wire`. [`Machine`] is the whole of it without a socket; [`Client`] and
//! [`Sender`]/[`Receiver`] only move its bytes. What all of them promise: a command is encoded once
//! and its answer read where it arrived; never more commands unanswered than the node allows, and
//! then the caller waits; a connection that breaks is made again and everything unanswered sent
//! again under its number, so that each command is done once and gets its first answer.
//!
//! Deliberately not here: TLS (bring a stream), lists and administration (they are HTTP's).

mod answer;
mod asynchronous;
mod backoff;
mod blocking;
mod command;
mod error;
mod handshake;
mod inbox;
mod machine;
mod outbox;
mod outcome;
mod pool;
mod routing;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Body, Problem, Value};
pub use asynchronous::{Connector, Receiver, Sender, halves};
pub use backoff::Backoff;
pub use blocking::{Client, Options};
pub use command::{Basket, Checkout, Command, Coupon, CouponValue, Extras, Line};
pub use error::WireError;
pub use handshake::{Mode, Place, Welcome};
pub use machine::{Identity, Machine};
pub use outbox::OUTBOX_BYTES_MAX;
pub use outcome::{
    Cart, CouponView, Hold, HoldState, Lines, Order, OrderState, Outcome, PricedLine, Product,
};
pub use pool::Pool;
pub use routing::Routing;
