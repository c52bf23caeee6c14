//! The machine under test: a small world of shards, a bus between them, and their logs.

mod events;
mod expiry;
mod payments;
mod random;
mod refusals;
mod several;
mod vault;
mod waiting;
mod world;
