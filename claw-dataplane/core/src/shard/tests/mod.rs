//! The machine under test: a small world of shards, a bus between them, and their logs.

mod expiry;
mod world;
