//! Sagas: work in steps over parties that fail alone, taken back when a step is refused.
//!
//! ```text
//!   step:    reserve   price   coupon   score   authorize   confirm   capture   place
//!   undo:    release     -     return     -       void     give back     -        -
//!                                                                        ^
//!   forward ------------------------------------------------------->  pivot  -----> only forward
//!   refused <-- undone in reverse: what the shard does at once, what others do until they did it
//! ```
//! A saga is a table (one file each under [`catalog`]); where it stands is a [`Progress`], which
//! moves by a [`Signal`] and nothing else, and says what is to be done next. Before the *pivot* a
//! refusal turns it around; the pivot's recorded result is what cannot be taken back; behind it a
//! refusal *parks* the saga, as does an undo that keeps failing: it stays where it is, with an
//! alarm, until somebody retries it.
//!
//! Owns the tables, the stepping and the delays between attempts. Deliberately knows no order, no
//! event, no clock and no vault: `shard::saga` makes signals of events and effects of actions, so
//! that a replay of the events gives the same progress.

pub mod backoff;
pub mod catalog;
mod progress;
mod table;
#[cfg(test)]
mod tests;

pub use progress::{Course, Progress, Signal};
pub use table::{Action, Saga, SagaKind, Step, Way};
