//! The pure machines: every decision OpenClaw takes, and nothing else.
//!
//! In: a [`command::Request`], a message of another shard, or the time. Out: events in the
//! [`journal`], an encoded [`outcome`], and a list of [`effect`]s for the shell to run. The same
//! inputs give the same outputs and the same state, byte for byte: replay is the proof.
//!
//! Architecture invariant: no I/O, clock, thread, randomness or environment (`.clippy.toml` here
//! is the fence), and no dependency on the shell.

pub mod admission;
pub mod cart;
pub mod checkout;
pub mod clock;
pub mod codec;
pub mod command;
pub mod coupon;
pub mod deduplication;
pub mod effect;
pub mod inventory;
pub mod journal;
pub mod lines;
pub mod log;
pub mod merkle;
pub mod outcome;
pub mod payment;
pub mod protocol;
pub mod saga;
pub mod schema;
pub mod shard;
pub mod stdx;
