//! `Content-Digest` of RFC 9530, sha-256 only.
//!
//! A field may name several algorithms; only sha-256 is read, and it must be there. Comparing is
//! not secret: an attacker knows the body and its digest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Base64 of 32 bytes.
pub const SHA256_BASE64_BYTES: usize = 44;

/// Why a body does not match its digest field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The field has no well-formed `sha-256=:...:` member.
    #[error("content-digest has no well-formed sha-256 member")]
    Missing,
    /// The body has another digest.
    #[error("content-digest does not match the body")]
    Mismatch,
}

/// Appends the field's value for `body`.
pub fn write_digest(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(b"sha-256=:");
    extend_base64(out, &Sha256::digest(body));
    out.push(b':');
}

/// Checks `body` against the field's value.
pub fn check_digest(field: &[u8], body: &[u8]) -> Result<(), DigestError> {
    let encoded = sha256_member(field).ok_or(DigestError::Missing)?;
    let mut expected = [0; SHA256_BASE64_BYTES];
    match STANDARD.decode_slice(encoded, &mut expected) {
        Ok(32) => {}
        Ok(_) | Err(_) => return Err(DigestError::Missing),
    }
    if expected[..32] == Sha256::digest(body)[..] { Ok(()) } else { Err(DigestError::Mismatch) }
}

/// Appends bytes in base64 with padding.
pub fn extend_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).expect("resized to fit");
    assert_eq!(start + written, out.len());
}

fn sha256_member(field: &[u8]) -> Option<&[u8]> {
    field.split(|&byte| byte == b',').find_map(|member| {
        member.trim_ascii().strip_prefix(b"sha-256=:".as_slice())?.strip_suffix(b":".as_slice())
    })
}
