//! The State-Schema: what a store says its events look like, compiled once and checked fast.
//!
//! A store's `schema/*.toml` files are one document in parts. Together they declare
//! - tighter bounds for members of the built-in events (`[events.hold-granted.fields]`): the
//!   built-in declarations themselves are written in the same language, in `built_in.toml`;
//! - the store's own *extra* members of built-in requests (`[events.hold-granted.extra]`) and of a
//!   product's `attributes` (`[events.product-put.attributes]`);
//! - event types of its own (`[events.gift-wrapped]` with `fields`; `by` says whose keys may send
//!   them, `key` the member that says where they lie);
//! - how older versions of extras and own events are read today (`upcasters`).
//!
//! ```text
//!  texts --read--> declarations --compile--> CompiledSchema --check--> canonical JSON | Violation
//!            \                     \
//!             +---- Diagnostic: file:line:column, reason, suggestion (all of them at once)
//! ```
//! Invariants: a compiled schema has no reference left to resolve and no text left to parse; every
//! value is bounded in bytes, count and depth; the hash depends on the meaning alone, not on
//! comments, order or the division into files; a store may only *tighten* what is built in.
//!
//! Members marked `personal` belong to events that name somebody they are about; the shell seals
//! them before a command goes to its shard.
//!
//! Deliberately absent: reading files (the shell hands texts in), sealing itself, floating point in
//! declared members, defaults computed from other members, and any way for an event to carry a
//! member that nobody declared.

mod built_in;
mod canonical;
mod chain;
mod check;
pub mod codegen;
mod compile;
mod compiled;
mod diagnostic;
mod diff;
mod event_type;
mod field;
mod json_schema;
mod narrow;
mod own;
mod pattern;
mod read;
mod requests;
mod suggest;
mod text;
mod upcast;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use built_in::{BuiltIn, FieldValue};
pub use check::{Violation, canonical_json};
pub use compiled::CompiledSchema;
pub use diagnostic::{Diagnostic, SchemaFile};
pub use diff::{Change, Verdict, compare};
pub use event_type::EventType;
pub use field::{Allowed, Field, Fields, Kind, Presence};
pub use pattern::{Pattern, PatternError};
pub use suggest::closest;
pub use upcast::{Step, UpcastError, Upcaster};
