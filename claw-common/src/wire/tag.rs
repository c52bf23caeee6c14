//! What tags cover, how session keys are derived, and what a command is known by.
//!
//! Pure arithmetic that both sides must agree on. Signing and verifying with registered keys, and
//! the X25519 exchange, are the two sides' own.

use core::mem::{offset_of, size_of};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::frame::FrameHeader;

/// A tag that is a hash: hmac-sha256 or keyed BLAKE3.
pub const TAG_BYTES_HASH: usize = 32;
/// A tag that is an ed25519 signature.
pub const TAG_BYTES_SIGNATURE: usize = 64;

/// First bytes under the signature of a hello.
pub const DOMAIN_HELLO: [u8; 16] = *b"claw/1 hello\0\0\0\0";
/// First bytes under the signature of a frame.
pub const DOMAIN_FRAME: [u8; 16] = *b"claw/1 frame\0\0\0\0";
/// First bytes of what the holder of an HMAC secret proves in a session.
pub const DOMAIN_PROOF: [u8; 16] = *b"claw/1 proof\0\0\0\0";

/// Key derivation contexts (BLAKE3's `derive_key`).
const CONTEXT_CLIENT: &str = "openclaw 2026-11-25 claw/1 client to server";
const CONTEXT_SERVER: &str = "openclaw 2026-11-25 claw/1 server to client";
const CONTEXT_IDENTITY: &str = "openclaw 2026-11-25 claw/1 command identity";

/// The front of what the signature of a frame covers. What follows it: with ed25519 the digest of
/// each command ([`command_digest`]), with hmac-sha256 the payload itself.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct FrameBase {
    /// [`DOMAIN_FRAME`].
    pub domain: [u8; 16],
    /// The client's session.
    pub session: [u8; 16],
    /// The connection, as the welcome names it.
    pub connection: [u8; 16],
    /// The frame's header.
    pub header: FrameHeader,
}

const _: () = {
    assert!(size_of::<FrameBase>() == 72);
    assert!(offset_of!(FrameBase, session) == 16);
    assert!(offset_of!(FrameBase, connection) == 32);
    assert!(offset_of!(FrameBase, header) == 48);
};

/// The two keys of a session.
#[derive(Clone)]
pub struct SessionKeys {
    /// Of what the client sends.
    pub client: [u8; 32],
    /// Of what the server sends, the welcome included.
    pub server: [u8; 32],
}

impl core::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SessionKeys")
    }
}

/// Derives the keys of a session from the X25519 secret, the proof (HMAC over [`DOMAIN_PROOF`] and
/// the transcript with the registered secret; zero for ed25519 keys) and the transcript (BLAKE3
/// over the hello frame with its tag and the welcome frame without its tag).
pub fn session_keys(secret: &[u8; 32], proof: &[u8; 32], transcript: &[u8; 32]) -> SessionKeys {
    let mut material = [0; 96];
    material[..32].copy_from_slice(secret);
    material[32..64].copy_from_slice(proof);
    material[64..].copy_from_slice(transcript);
    SessionKeys {
        client: blake3::derive_key(CONTEXT_CLIENT, &material),
        server: blake3::derive_key(CONTEXT_SERVER, &material),
    }
}

/// The tag of a frame (header and payload) in a session.
pub fn session_tag(key: &[u8; 32], frame: &[u8]) -> [u8; TAG_BYTES_HASH] {
    *blake3::keyed_hash(key, frame).as_bytes()
}

/// Digest of a command's bytes, header included.
pub fn command_digest(command: &[u8]) -> [u8; 32] {
    *blake3::hash(command).as_bytes()
}

/// The key that numbers of one client session are hashed with: made once a connection.
pub fn identity_key(key_name: &str, session: &[u8; 16]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT_IDENTITY);
    hasher.update(session);
    hasher.update(key_name.as_bytes());
    *hasher.finalize().as_bytes()
}

/// What a command is known by: the same for the same key, session and sequence.
pub fn identity_of(identity_key: &[u8; 32], sequence: u64) -> [u8; 16] {
    let hash = blake3::keyed_hash(identity_key, &sequence.to_le_bytes());
    let mut identity = [0; 16];
    identity.copy_from_slice(&hash.as_bytes()[..16]);
    identity
}
