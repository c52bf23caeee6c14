//! RFC 9421 message signatures and RFC 9530 digests: the parts that signer and verifier share.
//!
//! A signature base is a list of lines, one per covered component, and a last line with the
//! signature's parameters. [`base`] writes those lines, [`digest`] the digest field, [`sign`]
//! chooses what a request of ours covers. Parsing what a stranger sent lives in the node.

pub mod base;
pub mod digest;
pub mod sign;

#[cfg(test)]
mod tests;
