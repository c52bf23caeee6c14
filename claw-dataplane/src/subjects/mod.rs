//! Personal data, sealed for each subject from the first event on, and forgotten by losing a key.
//!
//! The log is never rewritten, so what must be forgettable is never in it as plain text. What the
//! State-Schema marks `personal`, `ship_to` first, is sealed before a command goes to its shard;
//! so are the signatures that would give away a digest of it. Keys lie in a file of their own,
//! outside the log; destroying one makes every event of its subject unreadable wherever copies of
//! the log lie, and leaves each block, hash and receipt as it was.
//!
//! ```text
//!  seed --tree of 2^64 leaves--> leaf of a subject --> key --AES-256-GCM--> sealed member
//!           |                        ^
//!           forgetting replaces       address = keyed hash (subject, generation)
//!           the path by its siblings
//! ```
//! No key is ever made, assigned or handed out: each is a leaf of a tree of seeds ([`SeedTree`]),
//! computed when it is needed. So a key is durable before any event that needs it, an event never
//! waits for one, and the file grows with the subjects forgotten, never with those that exist. A
//! subject that comes back after it was forgotten gets the next generation's leaf.
//!
//! [`Sealer`] is what a core has: it seals a command ([`Sealer::seal`]) between decoding and
//! dispatch, whatever protocol it came by. [`Reader`] opens what the log holds, for people with the
//! key file. [`file`](mod@file) keeps that on disk. Nothing here reads the log or decides who may
//! forget: the command line does.

mod envelope;
mod error;
pub mod file;
mod keys;
mod members;
mod reader;
mod sealer;
mod tree;

#[cfg(test)]
mod tests;

pub use envelope::{Envelope, Purpose, SEALED_PREFIX};
pub use error::{SealError, SubjectFileError};
pub use keys::{BY_BYTES_MAX, Forgotten, Subject, SubjectKeys, subject_digest};
pub use reader::{Reader, Revealed};
pub use sealer::{Carried, Sealer};
pub use tree::SeedTree;
