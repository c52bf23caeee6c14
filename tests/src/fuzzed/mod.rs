//! What must hold for any bytes that a stranger may send, leave on a disk, or hand in as a file.
//!
//! One function a reader, `check(bytes)`, which panics when the reader breaks a promise: not only
//! by panicking itself, but by reading in pieces what it does not read whole, by taking what it
//! would not have written, by growing beyond its bound, or by keeping something of what it
//! refused. They stand here, and not beside libFuzzer in `claw-dataplane/fuzz`, so that the
//! ordinary tests replay every kept input without a fuzzer (`tests/tests/fuzzed_inputs.rs`).
//!
//! Deliberately not here: how inputs are found and kept; that is `cargo xtask fuzz`.

pub mod block;
pub mod body;
pub mod book;
pub mod card;
pub mod codec;
pub mod http;
pub mod keys;
pub mod log;
pub mod receipt;
pub mod routed;
pub mod schema;
pub mod seeds;
pub mod shard;
pub mod signature;
pub mod snapshot;
pub mod socket;
pub mod store;
pub mod token;
pub mod wire;

/// What is called with each input; it panics when a promise is broken.
pub type Check = fn(&[u8]);

/// Everything under test: the name of the fuzz target, which is also that of its folder of inputs,
/// and its check.
pub const TARGETS: &[(&str, Check)] = &[
    ("block", block::check),
    ("body", body::check),
    ("book", book::check),
    ("card", card::check),
    ("codec", codec::check),
    ("http", http::check),
    ("receipt", receipt::check),
    ("schema", schema::check),
    ("signature", signature::check),
    ("snapshot", snapshot::check),
    ("socket", socket::check),
    ("token", token::check),
    ("wire", wire::check),
];
