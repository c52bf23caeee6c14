//! Who asks: RFC 9421 signatures, or shoppers' tokens, against the store's registered keys.
//!
//! [`keyring`] holds what is needed of each key, ready for use; [`fields`] parses the two signature
//! fields, strictly and only as far as the interface allows; `components` knows lists of covered
//! components again; [`verify`] puts the base together and checks it. Refusals say which rule was
//! broken; they never say what a right signature would be.
//!
//! A shopper sends a token instead ([`token`]): its bytes are read in [`token_claims`], what was
//! found good is kept in [`token_memory`]. [`Caller::session`] then is the one it may touch.

mod components;
pub mod fields;
pub mod keyring;
mod token;
mod token_claims;
mod token_memory;
pub mod verify;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_token;

pub use keyring::{KeyEntry, KeyMaterial, Keyring};
pub use verify::{Caller, Verifier};
