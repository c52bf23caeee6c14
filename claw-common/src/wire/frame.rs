//! Frames and the two that open a connection.

use core::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First four bytes of a connection that speaks this protocol; no HTTP method begins so.
pub const MAGIC: [u8; 4] = *b"CLAW";
/// Version of the protocol in this module.
pub const VERSION: u16 = 1;
/// Length of the preface.
pub const PREFACE_BYTES: usize = 8;
/// What a client sends before its first frame: [`MAGIC`], [`VERSION`], two zero bytes.
pub const PREFACE: [u8; PREFACE_BYTES] = [b'C', b'L', b'A', b'W', 1, 0, 0, 0];

/// Frame kind: the client's first.
pub const FRAME_HELLO: u8 = 1;
/// Frame kind: commands. With a count of 0 it keeps the connection alive, and is answered by an
/// answers frame with a count of 0.
pub const FRAME_COMMANDS: u8 = 2;
/// Frame kind: the server's first.
pub const FRAME_WELCOME: u8 = 129;
/// Frame kind: answers.
pub const FRAME_ANSWERS: u8 = 130;
/// Frame kind: the server's last, a problem that ends the connection.
pub const FRAME_CLOSING: u8 = 131;

/// Mode: every frame of the client carries a signature of the registered key.
pub const MODE_SIGNED: u8 = 1;
/// Mode: the hello carries a signature and an X25519 key; later frames of both sides carry a keyed
/// BLAKE3 tag.
pub const MODE_SESSION: u8 = 2;

/// Algorithm of the registered key: ed25519 (RFC 8032).
pub const ALGORITHM_ED25519: u8 = 1;
/// Algorithm of the registered key: hmac-sha256 (RFC 2104).
pub const ALGORITHM_HMAC_SHA256: u8 = 2;

/// The header of every frame, of both directions.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct FrameHeader {
    /// The whole frame, bytes: header, payload and tag.
    pub length_bytes: U32,
    /// What the payload is: one of the `FRAME_*`.
    pub kind: u8,
    /// Tag at the end of the frame, bytes: 0, 32 or 64.
    pub tag_bytes: u8,
    /// Commands or answers in the payload; 0 in other frames.
    pub count: U16,
    /// Number of the frame in its direction of this connection: 0, 1, 2 ... without gaps.
    pub sequence: U64,
    /// The sender's clock, Unix milliseconds. Checked where the tag is a registered key's.
    pub created_ms: U64,
}

/// The fixed part of a hello; the key's name follows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct HelloHeader {
    /// [`MODE_SIGNED`] or [`MODE_SESSION`].
    pub mode: u8,
    /// Algorithm of the registered key.
    pub algorithm: u8,
    /// Name of the registered key (`keyid`), bytes.
    pub key_name_bytes: u8,
    /// Zero.
    pub reserved: [u8; 5],
    /// The client's session: 16 random bytes, kept over reconnects. With the key's name and a
    /// command's sequence it is what a command is known by.
    pub session: [u8; 16],
    /// The client's X25519 key (RFC 7748), fresh for each connection; zero in [`MODE_SIGNED`].
    pub ephemeral: [u8; 32],
}

/// The fixed part of a welcome; one [`ShardPlace`] for each shard follows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct WelcomeHeader {
    /// [`VERSION`].
    pub version: U16,
    /// Version of the outcomes in answers: [`super::OUTCOME_VERSION`].
    pub outcome_version: U16,
    /// Shards of the store: a SKU's shard is `id::shard_of_key(sku, shards_count)`.
    pub shards_count: U16,
    /// Core that serves this connection.
    pub core: U16,
    /// Commands that may be unanswered on this connection; one more ends it.
    pub in_flight_max: U32,
    /// Commands in one frame.
    pub commands_max: U32,
    /// Bytes of one frame.
    pub frame_bytes_max: U32,
    /// Zero.
    pub reserved: U32,
    /// Highest command sequence of the client's session that this core has taken, 0 when it knows
    /// none. Not a promise that all below were taken.
    pub sequence_taken: U64,
    /// 16 random bytes for this connection, covered by every signature of [`MODE_SIGNED`].
    pub connection: [u8; 16],
    /// The server's X25519 key, fresh for each connection; zero in [`MODE_SIGNED`].
    pub ephemeral: [u8; 32],
}

/// Where a shard is served.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct ShardPlace {
    /// Its core: a command for it needs no hop on a connection that this core serves.
    pub core: U16,
    /// Port on which that core alone accepts; 0 where cores share the one the client came by.
    pub port: U16,
}

const _: () = {
    assert!(size_of::<FrameHeader>() == 24);
    assert!(offset_of!(FrameHeader, kind) == 4);
    assert!(offset_of!(FrameHeader, tag_bytes) == 5);
    assert!(offset_of!(FrameHeader, count) == 6);
    assert!(offset_of!(FrameHeader, sequence) == 8);
    assert!(offset_of!(FrameHeader, created_ms) == 16);
    assert!(size_of::<HelloHeader>() == 56);
    assert!(offset_of!(HelloHeader, algorithm) == 1);
    assert!(offset_of!(HelloHeader, key_name_bytes) == 2);
    assert!(offset_of!(HelloHeader, session) == 8);
    assert!(offset_of!(HelloHeader, ephemeral) == 24);
    assert!(size_of::<WelcomeHeader>() == 80);
    assert!(offset_of!(WelcomeHeader, outcome_version) == 2);
    assert!(offset_of!(WelcomeHeader, shards_count) == 4);
    assert!(offset_of!(WelcomeHeader, core) == 6);
    assert!(offset_of!(WelcomeHeader, in_flight_max) == 8);
    assert!(offset_of!(WelcomeHeader, commands_max) == 12);
    assert!(offset_of!(WelcomeHeader, frame_bytes_max) == 16);
    assert!(offset_of!(WelcomeHeader, sequence_taken) == 24);
    assert!(offset_of!(WelcomeHeader, connection) == 32);
    assert!(offset_of!(WelcomeHeader, ephemeral) == 48);
    assert!(size_of::<ShardPlace>() == 4);
    assert!(offset_of!(ShardPlace, port) == 2);
};
