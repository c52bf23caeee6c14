//! Who asks: RFC 9421 signatures against the store's registered keys.
//!
//! [`keyring`] holds what is needed of each key, ready for use; [`fields`] parses the two signature
//! fields, strictly and only as far as the interface allows; [`verify`] puts the base together and
//! checks it. Refusals say which rule was broken; they never say what a right signature would be.
//!
//! `Authorization: Bearer` tokens are not accepted yet; [`Caller::session`] is where a shopper's
//! session will stand.

pub mod fields;
pub mod keyring;
pub mod verify;

#[cfg(test)]
mod tests;

pub use keyring::{KeyEntry, KeyMaterial, Keyring};
pub use verify::{Caller, Verifier};
