//! The wire protocol without sockets: received bytes in, commands out; outcomes in, frames out.
//!
//! ```text
//!  bytes -> Preface -> Framing -> Session::open / Session::admit -> decode -> Routed command
//!  bytes <- Answers (frames, tagged) <- encoded Outcome, or Problem
//! ```
//! [`framing`] finds whole frames and hands their commands on one by one, [`session`] says whose a
//! frame is, [`decode`] makes the command, [`answers`] writes frames. The layouts are
//! `claw_common::wire`, shapes are read by `claw_core::protocol`, the page is `docs/wire.md`.
//!
//! The order of trust is that of HTTP: nothing of a payload is looked at before its tag holds.
//! Deliberately not here: sockets, clocks, randomness, who decides, and what a command means.

pub mod ahead;
pub mod answers;
mod coupon;
pub mod decode;
pub mod framing;
pub mod preface;
pub mod session;

#[cfg(test)]
mod tests;

pub use answers::Answers;
pub use framing::{Event, Framing};
pub use preface::{Preface, Protocol};
pub use session::{Opening, Session, Stranger};

use claw_core::protocol::ProtocolError;

use super::problem::Problem;

/// One connection that speaks this protocol, but for what it is owed.
#[derive(Debug)]
pub struct Wire {
    /// The receiving half.
    pub framing: Framing,
    /// The rest.
    pub link: Link,
}

/// Who is at the other end, and the sending half.
#[derive(Debug, Default)]
pub struct Link {
    /// Set by the hello.
    pub session: Option<Session>,
    /// The sending half.
    pub answers: Answers,
    /// Commands taken and not answered yet.
    pub in_flight_count: usize,
}

impl From<ProtocolError> for Problem {
    fn from(error: ProtocolError) -> Self {
        Self::malformed(error.0)
    }
}
