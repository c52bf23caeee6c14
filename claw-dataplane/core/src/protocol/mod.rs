//! The wire protocol over byte slices: frames and commands, read in place.
//!
//! ```text
//!  bytes --read_frame--> Frame --split_command--> bytes of a command --CommandView--> Asked
//! ```
//! What is read borrows from the bytes and is checked for shape only: lengths, kinds, reserved
//! bytes, UTF-8. Tags, roles, the State-Schema and bounds of values are ingest's. The layouts are
//! `claw_common::wire`; their meaning is in `claw-dataplane/docs/wire.md`.

mod body;
mod command;
mod frame;
#[cfg(test)]
mod tests;

pub use body::{Asked, AskedBasket, AskedCoupon, AskedLine, AskedLines, AskedProduct};
pub use command::{CommandView, split_command};
pub use frame::{Frame, read_frame};

/// Bytes that are not of this protocol: what is wrong with them, to be told to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProtocolError(pub &'static str);
