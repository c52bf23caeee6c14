//! What others link: keys, RFC 9421 signing, shoppers' tokens, a small blocking HTTP client, and
//! the wire protocol.
//!
//! The node verifies with the same [`signature`] code that clients sign with, so the two cannot
//! drift apart; vectors of the RFC and an independent implementation keep both honest. Nothing
//! here knows a route: requests are bytes with a method and a path.

pub mod client;
pub mod key;
pub mod signature;
pub mod token;
pub mod transport;
pub mod wire;

pub use client::{Call, Client, ClientError, Response};
pub use key::{KeyError, Signer};
pub use signature::sign::RequestParts;
pub use token::{TokenClaims, TokenError};
#[cfg(feature = "tls")]
pub use transport::{Trust, TrustError};
