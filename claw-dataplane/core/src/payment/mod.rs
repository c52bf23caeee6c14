//! Payments as the pure machines see them: what is asked of the vault, and what it answers.
//!
//! ```text
//!   home shard                    vault (own process)              gateway
//!    |-- Ask{order, step} --------->|  intent logged                 |
//!    |                              |-- call, one key per step ----->|
//!    |                              |<-- result, or none ------------|
//!    |<-- Answer{order, step} ------|  result logged first           |
//! ```
//! An order and a step name one thing to be done, however often it is asked: the vault calls the
//! gateway again with the same key, or repeats what it has logged. So asking is harmless, and a
//! shard whose answer is overdue, or that comes back from a crash, simply asks once more.
//!
//! Owns the two messages and their bytes. Deliberately knows no gateway, no card, no socket, no
//! retry schedule (that is the saga's), and no result that is guessed: what nobody knows is
//! [`Verdict::Unavailable`].

mod answer;
mod ask;

#[cfg(test)]
mod tests;

use claw_common::limits::PAYMENT_TEXT_BYTES_MAX;

pub use answer::{Answer, Verdict};
pub(crate) use ask::bounded as bounded_text;
pub use ask::{Ask, PaymentStep};

/// Most bytes an ask needs.
pub const ASK_BYTES_MAX: usize = 16 + 2 + 1 + 4 + 8 + 3 + 2 * (2 + PAYMENT_TEXT_BYTES_MAX);
/// Most bytes an answer needs.
pub const ANSWER_BYTES_MAX: usize = 16 + 2 + 1 + 1 + 2 * (2 + PAYMENT_TEXT_BYTES_MAX);
