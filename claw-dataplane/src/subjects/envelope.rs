//! One sealed value: its bytes, sealed and opened.
//!
//! ```text
//!  "claw-sealed-1." | purpose u8 | address u64 le | nonce 12 | ciphertext | tag 16
//! ```
//! AES-256-GCM (NIST SP 800-38D) with a random nonce; a key seals a few values, so nonces do not
//! meet. What is authenticated beside the text is the store, the purpose, the address and the
//! member's path: a sealed value that was moved to another store, event or member does not open.
//! Where JSON stands, all after the prefix is base64url and the whole is a JSON string; where bytes
//! stand, it is as it is. JSON is padded with spaces before it is sealed, so that the length tells
//! little of the value.

use aws_lc_rs::aead::{Aad, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claw_core::schema::BuiltIn;
use claw_core::shard::event::EventKind;

use super::error::SealError;
use super::keys::{SubjectKey, SubjectKeys};

/// Begins every sealed value, with the version of what follows.
pub const SEALED_PREFIX: &str = "claw-sealed-1.";
const ADDRESS_AT: usize = 1;
const NONCE_AT: usize = ADDRESS_AT + 8;
const NONCE_BYTES: usize = 12;
const TEXT_AT: usize = NONCE_AT + NONCE_BYTES;
const TAG_BYTES: usize = 16;
/// JSON is padded to a multiple of this.
const PAD_BYTES: usize = 32;

/// What a value was sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// A signature and what it covers.
    Evidence = 1,
    /// A member of `cart-created`.
    CartCreated = 2,
    /// A member of `cart-changed`.
    CartChanged = 3,
    /// A member of `hold-granted`.
    HoldGranted = 4,
    /// A member of `hold-extended`.
    HoldExtended = 5,
    /// A member of `order-started`.
    OrderStarted = 6,
    /// A member of an event that the store declared.
    Own = 7,
}

impl Purpose {
    const ALL: [Self; 7] = [
        Self::Evidence,
        Self::CartCreated,
        Self::CartChanged,
        Self::HoldGranted,
        Self::HoldExtended,
        Self::OrderStarted,
        Self::Own,
    ];

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1..=7 => Some(Self::ALL[code as usize - 1]),
            _ => None,
        }
    }

    /// Members of this event; `None` for those that have no subject.
    pub const fn of(event: BuiltIn) -> Option<Self> {
        match event {
            BuiltIn::CartCreated => Some(Self::CartCreated),
            BuiltIn::CartChanged => Some(Self::CartChanged),
            BuiltIn::HoldGranted => Some(Self::HoldGranted),
            BuiltIn::HoldExtended => Some(Self::HoldExtended),
            BuiltIn::OrderStarted => Some(Self::OrderStarted),
            _ => None,
        }
    }

    /// Whether a record of this kind may hold it. A refused command's record holds what the command
    /// brought.
    pub fn fits(self, kind: EventKind) -> bool {
        match kind {
            EventKind::CommandRefused | EventKind::CommandUnchanged => true,
            EventKind::CartCreated => self == Self::CartCreated,
            EventKind::CartChanged => self == Self::CartChanged,
            EventKind::HoldReserving | EventKind::HoldGranted | EventKind::HoldWaiting => {
                self == Self::HoldGranted
            }
            EventKind::HoldExtended => self == Self::HoldExtended,
            EventKind::OrderCreated => self == Self::OrderStarted,
            EventKind::StoreEvent => self == Self::Own,
            _ => false,
        }
    }
}

/// Where a value stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) purpose: Purpose,
    /// Path of the member; empty for evidence.
    pub(super) member: &'a str,
}

/// Authenticated beside the text.
fn bound(store_id: &[u8; 16], head: &[u8], member: &str) -> Vec<u8> {
    [SEALED_PREFIX.as_bytes(), store_id, head, member.as_bytes()].concat()
}

/// Appends the sealed value without its prefix.
pub(super) fn seal(
    key: &SubjectKey,
    place: Place<'_>,
    plain: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let start = out.len();
    out.push(place.purpose as u8);
    out.extend_from_slice(&key.address.to_le_bytes());
    let associated = bound(&key.store_id, &out[start..], place.member);
    out.extend_from_slice(&[0; NONCE_BYTES]);
    out.extend_from_slice(plain);
    let sealed = key
        .cipher
        .seal_in_place_separate_tag(Aad::from(associated), &mut out[start + TEXT_AT..])
        .ok();
    let Some((nonce, tag)) = sealed else {
        // Nothing of the plain text may be left where a caller could send it on.
        out.truncate(start);
        return Err(SealError::Cipher);
    };
    out[start + NONCE_AT..start + TEXT_AT].copy_from_slice(nonce.as_ref());
    out.extend_from_slice(tag.as_ref());
    Ok(())
}

/// Seals canonical JSON; appends a JSON string.
pub(super) fn seal_json(
    key: &SubjectKey,
    place: Place<'_>,
    json: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let mut padded = json.to_vec();
    padded.resize(json.len().next_multiple_of(PAD_BYTES), b' ');
    let mut raw = Vec::with_capacity(TEXT_AT + padded.len() + TAG_BYTES);
    seal(key, place, &padded, &mut raw)?;
    out.push(b'"');
    out.extend_from_slice(SEALED_PREFIX.as_bytes());
    out.extend_from_slice(URL_SAFE_NO_PAD.encode(&raw).as_bytes());
    out.push(b'"');
    Ok(())
}

/// A sealed value as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    purpose: Purpose,
    address: u64,
    raw: Vec<u8>,
}

impl Envelope {
    /// The envelope in a text; `None` when it is none.
    pub fn of_text(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(SEALED_PREFIX)?;
        Self::of_raw(URL_SAFE_NO_PAD.decode(encoded).ok()?)
    }

    /// The envelope in bytes; `None` when it is none.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        Self::of_raw(bytes.strip_prefix(SEALED_PREFIX.as_bytes())?.to_vec())
    }

    fn of_raw(raw: Vec<u8>) -> Option<Self> {
        if raw.len() < TEXT_AT + TAG_BYTES {
            return None;
        }
        let purpose = Purpose::from_code(raw[0])?;
        let address = raw[ADDRESS_AT..NONCE_AT].try_into().expect("8 bytes");
        Some(Self { purpose, address: u64::from_le_bytes(address), raw })
    }

    /// What it was sealed for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The leaf it was sealed with.
    pub const fn address(&self) -> u64 {
        self.address
    }

    /// The text; `Ok(None)` once its key was destroyed, an error when it is not what was sealed for
    /// this member.
    pub(super) fn open(
        &self,
        keys: &SubjectKeys,
        member: &str,
    ) -> Result<Option<Vec<u8>>, SealError> {
        let Some(key) = keys.key(self.address)? else { return Ok(None) };
        let associated = bound(&key.store_id, &self.raw[..NONCE_AT], member);
        let nonce = self.raw[NONCE_AT..TEXT_AT].try_into().expect("12 bytes");
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut text = self.raw[TEXT_AT..].to_vec();
        let opened = key.cipher.open_in_place(nonce, Aad::from(associated), &mut text);
        let length = opened.ok().ok_or(SealError::Cipher)?.len();
        text.truncate(length);
        Ok(Some(text))
    }
}
