//! From bytes on a socket to authenticated commands, and from outcomes back to bytes.
//!
//! ```text
//!  bytes -> http::Connection -> routes -> auth::Verifier -> limits -> decode -> Routed command
//!  bytes <- http::ResponseQueue <- render <- encoded Outcome, or Problem
//! ```
//! Everything here is sans-I/O: the node moves the bytes, knows the time and drives deadlines.
//! The order is the order of trust: nothing of a body is looked at before its signature holds.
//!
//! Architecture invariant: no socket, clock, thread or log in here, and no state of the business.

pub mod auth;
pub mod http;
pub mod problem;
pub mod routes;
