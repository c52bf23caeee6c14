//! TLS 1.3 without sockets: ciphertext in, plaintext out; answers in, ciphertext out.
//!
//! ```text
//!  records -> Session::receive -> plaintext -> whatever protocol reads it
//!  records <- Session::seal    <- answers      (and handshake, alerts, close_notify before them)
//! ```
//! [`identity`] turns a certificate chain and its key into what every handshake of a node shares,
//! [`session`] is one connection. A session does not know what its plaintext means, and a protocol
//! does not know that it is encrypted, but for the scheme of its requests.
//!
//! TLS 1.3 alone: no older version, so no renegotiation, no compression, no cipher without forward
//! secrecy and authentication. Client certificates are not asked for: requests are signed, and a
//! signature says who asks through any number of proxies. The name a client asks for (SNI) is
//! ignored: a node serves one store under one certificate, whose names say what it is.
//!
//! Resumption is by tickets under keys that rotate (12 hours) and that all cores share, so nothing
//! is remembered per session. A new certificate brings new ticket keys: a session never outlives
//! the certificate it was made under.
//!
//! 0-RTT is off. What it carries can be replayed by whoever saw it; commands are idempotent, but
//! reads, rates and a token's first use are not ours to replay, and all it would save is one round
//! trip per resumed connection, where our clients keep theirs.
//!
//! Deliberately not here: files (the node reads and watches them), sockets, deadlines' clock.

pub mod error;
pub mod identity;
pub mod metrics;
pub mod session;

#[cfg(test)]
mod tests;

pub use error::{IdentityError, SessionError};
pub use identity::{Identity, identify};
pub use metrics::TlsMetrics;
pub use session::{Handshake, Received, Session};
