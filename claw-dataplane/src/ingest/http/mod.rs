//! HTTP/1.1 without sockets: received bytes in, requests out; answers in, bytes out in order.
//!
//! [`connection`] finds requests in what arrived, [`head`] reads one head and refuses whatever two
//! readers could take for two different requests, [`chunked`] reads chunked bodies, [`queue`] puts
//! answers in the order of their requests. Deliberately not here: routes, signatures, JSON, HTTP/2.
//!
//! Strictness over tolerance: a message that RFC 9112 lets a server repair is refused here with
//! 400 and the connection closed, since a proxy before us may repair it differently.

pub mod chunked;
pub mod connection;
pub mod head;
pub mod queue;

#[cfg(test)]
mod tests;

pub use connection::{Connection, Event, Expiry, Flow, Timeouts};
pub use head::{Request, Scheme};
pub use queue::{ResponseQueue, Ticket};
