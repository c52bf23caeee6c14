//! The shard loop: take what arrived, decide, commit, run effects.
//!
//! One [`core::Core`] per thread owns everything a data core has: ring, connections, shards, log
//! stream. A turn is always the same:
//!
//! ```text
//!  reap completions --> run the effects that became durable --> take mail --> let time pass
//!      --> decide, oldest first --> seal while fewer than four writes are in flight
//!      --> send --> ring doorbells --> sleep when there is nothing left to do
//! ```
//! Invariants:
//! - One writer: a shard is touched by its core's thread only.
//! - Nothing leaves a shard before the log position it saw is durable ([`lane`]).
//! - What arrived first is decided first; what finds no room waits in place, holding its receive
//!   buffer, until the TCP window closes: memory does not grow with load.
//! - The subsystems do not know each other; they meet here.
//!
//! What is deliberately not here: what a command means (`claw-core`), what a request looks like
//! (`ingest`), how bytes become durable (`log`), which thread runs what (`runtime`).

pub mod certificate;
pub mod clock;
pub mod core;
pub mod envelope;
pub mod gate;
pub mod keys;
pub mod lane;
pub mod peer;
pub mod pending;
pub mod proofs;
pub mod shared;
pub mod slab;
pub mod sockets;
pub mod stream;
pub mod subjects;
pub mod transport;
pub mod vault;
pub mod wire;
pub mod wire_sessions;
pub mod work;

mod deliver;
mod intake;
mod tickets;
mod turn;
