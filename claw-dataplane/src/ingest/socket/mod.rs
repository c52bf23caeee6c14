//! WebSockets without sockets: a request that opens one, frames in and out, and what is told.
//!
//! ```text
//!  GET /v1/ws?ticket=...  --[`upgrade`]-->  101  --[`session`]: frames--  notices as JSON or HTML
//! ```
//! The protocol (RFC 6455) is tungstenite's, over buffers in memory instead of a socket: it is the
//! crate most of Rust's WebSockets stand on, and is run against the Autobahn cases by its authors.
//! [`notices`] writes what is told, [`cursor`] where a watcher goes on from. A client has nothing
//! to say here: what it sends is counted and dropped.
//!
//! Deliberately not here: who watches what (`node::sockets`), compression, and a second way to ask
//! for anything that HTTP answers.

pub mod cursor;
pub mod notices;
pub mod session;
pub mod upgrade;

pub use cursor::Cursor;
pub use notices::Format;
pub use session::Session;
pub use upgrade::Upgrade;
