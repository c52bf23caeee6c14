//! The wire protocol against a real node, byte by byte: what is asked, asked again, and refused.
//!
//! The client is the harness's own ([`claw_tests::frames`]), so that it can send what no client
//! would. [`split`] needs no node: it holds the framing to its promise that pieces do not matter.

#![expect(clippy::unwrap_used, reason = "tests: whatever fails fails them")]

mod batches;
mod catalogue;
mod refused;
mod resume;
mod split;
mod world;
