//! Checkpoints as text: what the node promises about one shard's tree, in the manner of C2SP's
//! tlog-checkpoint and signed-note.
//!
//! ```text
//!  openclaw/019abc00-0000-7000-8000-000000000000/0     origin: openclaw/STORE-ID/SHARD
//!  4711                                                tree size: records 1 to 4711 of the shard
//!  bm90IGEgcmVhbCByb290IGJ1dCAzMiBieXRlcyBsb25nISE=    root, base64 of 32 bytes
//!  time 1764111111123                                  when, Unix ms by the node's clock
//!  previous 4700 bm90IGEgcmVhbCByb290IGJ1dC4uLg==      size and root of the checkpoint before
//!                                                      empty line: end of what is signed
//!  U+2014 openclaw/019abc00-.../0 BASE64               key name, then base64 of 4 + 64 bytes
//! ```
//! Each line ends with LF (0x0A). The 64 bytes are the Ed25519 signature over the first five lines,
//! their line ends included. The 4 bytes before it name the key: the first four of
//! `SHA-256(key name || 0x0A || 0x01 || public key)`. The first checkpoint of a shard names the
//! empty tree as its previous one: size 0 and `SHA-256("")`.
//!
//! Owns text, signature and their check. A line of another signer below ours is allowed and passed
//! over: that is where the nodes of a cluster will cosign.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_common::id::{Id, ShardId};
use claw_common::time::UnixMs;
use claw_core::merkle::Hash;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use super::node_key::NodeKey;

const ORIGIN: &str = "openclaw";
/// An em dash and a blank: what a signature's line begins with (C2SP signed-note).
const SIGNATURE_LINE: &str = "\u{2014} ";
/// The signature type of Ed25519 in a key's id (C2SP signed-note).
const ED25519_TYPE: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const SIGNATURE_BYTES: usize = 64;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The store.
    pub store: Id,
    /// The shard.
    pub shard: ShardId,
    /// Records in the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// When, by the node's clock.
    pub at_ms: UnixMs,
    /// Size of the tree in the checkpoint before.
    pub previous_size: u64,
    /// Its root.
    pub previous_root: Hash,
}

/// A checkpoint with its signature, as it was read; nothing is verified yet.
#[derive(Clone, Copy, Debug)]
pub struct SignedNote<'a> {
    checkpoint: Checkpoint,
    signed: &'a str,
    signatures: &'a str,
}

/// A note that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not the text of a checkpoint.
    #[error("not a checkpoint: {0}")]
    Text(&'static str),
    /// No signature of this key.
    #[error("it carries no signature of this node key")]
    OtherKey,
    /// The signature does not hold.
    #[error("its signature does not hold: it was altered, or the key is not the node's")]
    Signature,
}

impl Checkpoint {
    /// Who promises: the first line, and the name of the key.
    pub fn origin(&self) -> String {
        format!("{ORIGIN}/{}/{}", self.store, self.shard)
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        let Self { size, at_ms, previous_size, .. } = self;
        let (root, previous) = (STANDARD.encode(self.root), STANDARD.encode(self.previous_root));
        let origin = self.origin();
        format!("{origin}\n{size}\n{root}\ntime {at_ms}\nprevious {previous_size} {previous}\n")
    }

    /// The signed note.
    pub fn sign(&self, key: &NodeKey) -> String {
        let mut note = self.text();
        let signature = key.sign(note.as_bytes());
        let origin = self.origin();
        let bytes = [&key_id(&origin, &key.public())[..], &signature].concat();
        // Writing to a String cannot fail.
        writeln!(note, "\n{SIGNATURE_LINE}{origin} {}", STANDARD.encode(bytes)).ok();
        note
    }
}

impl<'a> SignedNote<'a> {
    /// Reads a note.
    pub fn parse(note: &'a str) -> Result<Self, NoteError> {
        let end = note.find("\n\n").ok_or(NoteError::Text("it has no signature"))? + 1;
        let (signed, signatures) = (&note[..end], &note[end + 1..]);
        let mut lines = signed.lines();
        let mut line = |what| lines.next().ok_or(NoteError::Text(what));
        let (store, shard) = origin(line("it has no origin")?)?;
        let size = number(line("it has no size")?)?;
        let root = hash(line("it has no root")?)?;
        let time = line("it has no time")?;
        let at_ms = number(time.strip_prefix("time ").ok_or(NoteError::Text("it has no time"))?)?;
        let no_previous = NoteError::Text("it names no previous checkpoint");
        let previous = line("it names no previous checkpoint")?;
        let previous = previous.strip_prefix("previous ").ok_or(no_previous)?;
        let (previous_size, previous_root) = previous.split_once(' ').ok_or(no_previous)?;
        let (previous_size, previous_root) = (number(previous_size)?, hash(previous_root)?);
        let checkpoint =
            Checkpoint { store, shard, size, root, at_ms, previous_size, previous_root };
        // One spelling: else who compares texts and who compares checkpoints see two things.
        if previous_size > size || checkpoint.text() != signed {
            return Err(NoteError::Text("it says more than a checkpoint says"));
        }
        Ok(Self { checkpoint, signed, signatures })
    }

    /// What it says, whether or not that was signed.
    pub const fn unverified(&self) -> Checkpoint {
        self.checkpoint
    }

    /// Checks the signature of `public`.
    pub fn verify(&self, public: &[u8; 32]) -> Result<Checkpoint, NoteError> {
        let origin = self.checkpoint.origin();
        let id = key_id(&origin, public);
        let ours = self.signatures.lines().find_map(|line| {
            let (name, encoded) = line.strip_prefix(SIGNATURE_LINE)?.split_once(' ')?;
            let bytes = STANDARD.decode(encoded).ok().filter(|_| name == origin)?;
            let (named, signature) = bytes.split_at_checked(KEY_ID_BYTES)?;
            <[u8; SIGNATURE_BYTES]>::try_from(signature).ok().filter(|_| named == id)
        });
        let signature = Signature::from_bytes(&ours.ok_or(NoteError::OtherKey)?);
        let key = VerifyingKey::from_bytes(public).map_err(|_invalid| NoteError::OtherKey)?;
        match key.verify_strict(self.signed.as_bytes(), &signature) {
            Ok(()) => Ok(self.checkpoint),
            Err(_invalid) => Err(NoteError::Signature),
        }
    }
}

/// The notes of a file, one after the other; what follows the last whole one is the rest.
pub fn notes(text: &str) -> (Vec<&str>, &str) {
    let mut notes = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        at += line.len();
        if line.starts_with(SIGNATURE_LINE) && line.ends_with('\n') {
            notes.push(&text[start..at]);
            start = at;
        }
    }
    (notes, &text[start..])
}

fn key_id(name: &str, public: &[u8; 32]) -> [u8; KEY_ID_BYTES] {
    let mut hasher = Sha256::new();
    hasher.update(name);
    hasher.update([b'\n', ED25519_TYPE]);
    hasher.update(public);
    let digest: Hash = hasher.finalize().into();
    [digest[0], digest[1], digest[2], digest[3]]
}

fn origin(line: &str) -> Result<(Id, ShardId), NoteError> {
    let invalid = NoteError::Text("its origin is not openclaw/STORE-ID/SHARD");
    let mut parts = line.split('/');
    let (Some(ORIGIN), Some(store), Some(shard), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(invalid);
    };
    let store = Id::parse(store).ok_or(invalid)?;
    let shard = u16::try_from(number(shard)?).map_err(|_large| invalid)?;
    Ok((store, ShardId(shard)))
}

/// A decimal number as it is written, without signs or leading zeros.
fn number(text: &str) -> Result<u64, NoteError> {
    let number: Option<u64> = text.parse().ok();
    number.filter(|number| number.to_string() == text).ok_or(NoteError::Text("a number is none"))
}

fn hash(text: &str) -> Result<Hash, NoteError> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(NoteError::Text("a hash is not 32 bytes in base64"))
}
