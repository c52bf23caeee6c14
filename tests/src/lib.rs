//! Whole-process tests: the harness they share.
//!
//! Stores are made by the real `claw init`, nodes are real processes on loopback with a port the
//! system picks, requests go through the real client. Nothing here is a stand-in. The tests
//! themselves are in `tests/`; one whose name starts with `slow_` is skipped by
//! `cargo xtask test --quick`.

pub mod browser;
pub mod document;
pub mod frames;
pub mod fuzzed;
pub mod gateway;
pub mod generated;
pub mod node;
pub mod program;
pub mod store;
pub mod system_clock;
pub mod wire;

pub use browser::Browser;
pub use frames::Frames;
pub use gateway::Gateway;
pub use node::Node;
pub use store::Store;
pub use system_clock::SystemClock;
pub use wire::{Draft, Wire};
