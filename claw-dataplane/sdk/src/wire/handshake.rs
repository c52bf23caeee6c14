//! How a connection is opened: the hello, the welcome, and the keys between them.
//!
//! Two modes. *Signed*: the registered key signs each frame. *Session*: it signs the hello once, an
//! X25519 exchange gives keys for this connection alone, and frames carry keyed BLAKE3
//! (`docs/wire.md`, section 3). Entropy comes in; nothing here reads a clock or a socket.

use claw_common::checksum::blake3_parts;
use claw_common::limits::{
    SHARDS_MAX, WIRE_COMMANDS_MAX, WIRE_FRAME_BYTES_MAX, WIRE_IN_FLIGHT_MAX,
};
use claw_common::wire::{
    ALGORITHM_ED25519, ALGORITHM_HMAC_SHA256, DOMAIN_HELLO, DOMAIN_PROOF, FRAME_HELLO, FrameHeader,
    HelloHeader, MODE_SESSION, MODE_SIGNED, OUTCOME_VERSION, PREFACE, PREFACE_BYTES, SessionKeys,
    ShardPlace, TAG_BYTES_HASH, TAG_BYTES_SIGNATURE, VERSION, WelcomeHeader, session_keys,
    session_tag,
};
use x25519_dalek::{PublicKey, StaticSecret};
use zerocopy::IntoBytes as _;

use super::answer::split;
use super::error::WireError;
use super::outbox::HEADER_BYTES;
use crate::key::Signer;

/// How frames are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// A key of the session, agreed on once: the node keeps nothing that proves a frame to others.
    #[default]
    Session,
    /// The registered key signs every frame; with ed25519 the node keeps the proof.
    Signed,
}

/// What the node says when it lets a connection in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Shards of the store.
    pub shards_count: u16,
    /// Core that serves this connection.
    pub core: u16,
    /// Commands that may be unanswered.
    pub in_flight_max: usize,
    /// Commands in one frame.
    pub commands_max: usize,
    /// Bytes of one frame.
    pub frame_bytes_max: usize,
    /// Highest number of this session that the core has taken; 0 when it knows none.
    pub sequence_taken: u64,
    /// The connection's own 16 bytes.
    pub connection: [u8; 16],
    /// Core and port (0: the same as ours) of each shard.
    pub shards: Vec<Place>,
}

/// Where a shard is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its core.
    pub core: u16,
    /// A port where that core alone accepts; 0 for none.
    pub port: u16,
}

/// A hello that waits for its welcome.
pub(super) struct Opening {
    /// Preface and hello frame, with its tag.
    pub(super) bytes: Vec<u8>,
    secret: Option<StaticSecret>,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opening").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// Tag of a registered key, bytes.
pub(super) fn registered_tag_bytes(signer: &Signer) -> u8 {
    let bytes = if signer.is_hmac() { TAG_BYTES_HASH } else { TAG_BYTES_SIGNATURE };
    u8::try_from(bytes).expect("32 or 64")
}

impl Opening {
    /// Says hello at `now_ms`. `entropy` must be fresh and is used for nothing else.
    pub(super) fn new(
        signer: &Signer,
        mode: Mode,
        session: [u8; 16],
        (now_ms, entropy): (u64, [u8; 32]),
    ) -> Self {
        let secret = (mode == Mode::Session).then(|| StaticSecret::from(entropy));
        let public = secret.as_ref().map_or([0; 32], |secret| PublicKey::from(secret).to_bytes());
        let name = signer.keyid().as_bytes();
        let tag_bytes = registered_tag_bytes(signer);
        let length = HEADER_BYTES + size_of::<HelloHeader>() + name.len() + usize::from(tag_bytes);
        let header = FrameHeader {
            length_bytes: u32::try_from(length).expect("a hello is small").into(),
            kind: FRAME_HELLO,
            tag_bytes,
            count: 0.into(),
            sequence: 0.into(),
            created_ms: now_ms.into(),
        };
        let hello = HelloHeader {
            mode: if mode == Mode::Session { MODE_SESSION } else { MODE_SIGNED },
            algorithm: if signer.is_hmac() { ALGORITHM_HMAC_SHA256 } else { ALGORITHM_ED25519 },
            key_name_bytes: u8::try_from(name.len()).expect("a key's name is checked"),
            reserved: [0; 5],
            session,
            ephemeral: public,
        };
        // What the tag covers begins with the domain, which is not sent.
        let mut bytes = Vec::with_capacity(DOMAIN_HELLO.len() + PREFACE_BYTES + length);
        for part in [&DOMAIN_HELLO[..], &PREFACE, header.as_bytes(), hello.as_bytes(), name] {
            bytes.extend_from_slice(part);
        }
        let tag = signer.tag(&bytes);
        bytes.extend_from_slice(tag.as_bytes());
        bytes.drain(..DOMAIN_HELLO.len());
        Self { bytes, secret }
    }

    /// Reads the welcome; `frame` is whole, tag included. The keys are those of the session mode.
    pub(super) fn welcomed(
        &self,
        signer: &Signer,
        header: &FrameHeader,
        frame: &[u8],
    ) -> Result<(Welcome, Option<SessionKeys>), WireError> {
        let tag_bytes = usize::from(header.tag_bytes);
        let wanted = if self.secret.is_some() { TAG_BYTES_HASH } else { 0 };
        if tag_bytes != wanted {
            return Err(broken("a welcome with a tag of another mode"));
        }
        let (untagged, tag) = frame.split_at(frame.len() - tag_bytes);
        let (welcome, places) = split::<WelcomeHeader>(&untagged[HEADER_BYTES..])?;
        let keys = match &self.secret {
            None => None,
            Some(secret) => {
                let shared = secret.diffie_hellman(&PublicKey::from(welcome.ephemeral));
                if !shared.was_contributory() {
                    return Err(broken("the node's ephemeral key is of low order"));
                }
                let transcript = blake3_parts(&[&self.bytes[PREFACE_BYTES..], untagged]);
                let mut proof = [0; 32];
                if let Some(code) = signer.code(&[&DOMAIN_PROOF, &transcript]) {
                    proof.copy_from_slice(code.as_bytes());
                }
                let keys = session_keys(shared.as_bytes(), &proof, &transcript);
                if !same(&session_tag(&keys.server, untagged), tag) {
                    return Err(broken("the welcome's tag is wrong: not the node we know"));
                }
                Some(keys)
            }
        };
        Ok((read_welcome(&welcome, places)?, keys))
    }
}

const fn broken(reason: &'static str) -> WireError {
    WireError::Protocol { reason }
}

/// Whether two tags are the same, in a time that does not tell where they differ.
pub(super) fn same(ours: &[u8; TAG_BYTES_HASH], theirs: &[u8]) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).fold(0, |differs, (ours, theirs)| differs | (ours ^ theirs)) == 0
}

fn read_welcome(header: &WelcomeHeader, places: &[u8]) -> Result<Welcome, WireError> {
    if header.version.get() != VERSION || header.outcome_version.get() != OUTCOME_VERSION {
        return Err(broken("a welcome of another version"));
    }
    let shards_count = header.shards_count.get();
    let shards = usize::from(shards_count);
    if shards == 0 || shards > SHARDS_MAX || places.len() != shards * size_of::<ShardPlace>() {
        return Err(broken("a welcome with an impossible number of shards"));
    }
    let bounded = |number: u32, most: usize| super::answer::length(number).min(most);
    let welcome = Welcome {
        shards_count,
        core: header.core.get(),
        in_flight_max: bounded(header.in_flight_max.get(), WIRE_IN_FLIGHT_MAX),
        commands_max: bounded(header.commands_max.get(), WIRE_COMMANDS_MAX),
        frame_bytes_max: bounded(header.frame_bytes_max.get(), WIRE_FRAME_BYTES_MAX),
        sequence_taken: header.sequence_taken.get(),
        connection: header.connection,
        shards: places
            .chunks_exact(size_of::<ShardPlace>())
            .map(|place| {
                let (place, _) = split::<ShardPlace>(place)?;
                Ok(Place { core: place.core.get(), port: place.port.get() })
            })
            .collect::<Result<_, WireError>>()?,
    };
    let frame_bytes_min = HEADER_BYTES + TAG_BYTES_SIGNATURE;
    if welcome.in_flight_max == 0
        || welcome.commands_max == 0
        || welcome.frame_bytes_max <= frame_bytes_min
    {
        return Err(broken("a welcome that allows nothing"));
    }
    Ok(welcome)
}
