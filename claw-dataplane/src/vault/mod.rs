//! The vault: the only part that talks to the payment gateway, and the only one that has its keys.
//!
//! ```text
//! node --Unix socket--> `runtime::vault` --> [`desk`]: one at a time an order --> workers:
//! [`teller`]
//!                           ^             |  intent, then result: [`journal`]      |
//!                           +--- answer --+                          [`gateway`] <-+
//! ```
//! A process of its own (`claw vault`) with its own log, device and keys and, where it
//! is given one, core.
//! An intent is durable before the gateway is called, a result before the node is told. An order
//! and a step name one thing to be done: its gateway key never changes, so whatever is asked twice,
//! by the node, after a crash of either, or by a webhook, is done once.
//!
//! **What nobody knows** (no answer, 5xx) is asked again with the same key for 23 hours, then
//! looked up by the order's id, then *parked*: said to be unavailable until somebody looks. Never
//! guessed.
//!
//! Deliberately knows no stock, no price and no card: the node sends a token of the gateway's.

pub mod book;
pub mod broker;
pub mod desk;
pub mod gateway;
pub mod journal;
pub mod link;
pub mod sandbox;
pub mod settings;
pub mod stripe;
pub mod teller;
pub mod transport;
pub mod webhook;
