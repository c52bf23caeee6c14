//! The TLS listener from outside, looked at by OpenSSL and curl, which share no line with ours.
//!
//! Needs OpenSSL's program; where that could not be had, `cargo xtask test` says so and sets
//! `CLAW_WITHOUT_OPENSSL`.

mod accepted;
mod certificates;
mod clients;
mod openssl;
mod refused;
mod wire;
