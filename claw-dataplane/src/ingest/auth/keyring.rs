//! The registered keys as the verifier needs them: by name, decompressed, keyed, with their role.
//!
//! Built whole from the store's registry; the node puts it in force once its log has every change.
//! Keeps revoked keys, so that their use is told from the use of a name nobody registered.

use claw_common::limits::KEYS_MAX;
use ed25519_dalek::VerifyingKey;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hmac::Hmac;
use sha2::Sha256;

use crate::ingest::routes::Role;

/// What a key verifies with.
pub enum KeyMaterial {
    /// The public key as registered.
    Ed25519([u8; 32]),
    /// The secret's bytes; only the keyed state is kept.
    Hmac([u8; 32]),
}

impl std::fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ed25519(_) => "Ed25519",
            Self::Hmac(_) => "Hmac",
        })
    }
}

/// A key as registered.
#[derive(Debug)]
pub struct KeyEntry<'a> {
    /// Number in the registry; not 0.
    pub number: u32,
    /// `keyid`.
    pub name: &'a str,
    /// Role.
    pub role: Role,
    /// What it verifies with.
    pub material: KeyMaterial,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// An entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Not a point of the curve, or one of small order.
    #[error("use key {name}: not an Ed25519 public key; register it again")]
    Public {
        /// `keyid`.
        name: String,
    },
    /// Too many.
    #[error("use key {name}: a store has at most {KEYS_MAX} keys; revoke some")]
    Full {
        /// `keyid`.
        name: String,
    },
}

/// A key ready to verify with.
#[derive(Debug)]
pub(in crate::ingest) struct Key {
    /// Number in the registry.
    pub(in crate::ingest) number: u32,
    /// `keyid`.
    pub(in crate::ingest) name: Box<str>,
    /// Role.
    pub(in crate::ingest) role: Role,
    /// Whether it was revoked.
    pub(in crate::ingest) revoked: bool,
    /// What it verifies with.
    pub(in crate::ingest) check: Check,
}

/// Ready key state.
pub(in crate::ingest) enum Check {
    /// Decompressed.
    Ed25519(Box<VerifyingKey>),
    /// Keyed: cloned per message.
    Hmac(Box<Hmac<Sha256>>),
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.algorithm())
    }
}

impl Check {
    pub(in crate::ingest) const fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519",
            Self::Hmac(_) => "hmac-sha256",
        }
    }
}

/// All keys of a store.
#[derive(Debug, Default)]
pub struct Keyring {
    by_name: HashMap<Box<str>, Key, RandomState>,
}

impl Keyring {
    /// Adds a key or replaces the one of that name.
    pub fn put(&mut self, entry: &KeyEntry<'_>) -> Result<(), KeyringError> {
        let full = self.by_name.len() >= KEYS_MAX && !self.by_name.contains_key(entry.name);
        if full {
            return Err(KeyringError::Full { name: entry.name.to_owned() });
        }
        let check = match &entry.material {
            KeyMaterial::Ed25519(public) => {
                let key = VerifyingKey::from_bytes(public).ok().filter(|key| !key.is_weak());
                let key =
                    key.ok_or_else(|| KeyringError::Public { name: entry.name.to_owned() })?;
                Check::Ed25519(Box::new(key))
            }
            KeyMaterial::Hmac(secret) => Check::Hmac(Box::new(claw_sdk::key::keyed_state(secret))),
        };
        let key = Key {
            number: entry.number,
            name: entry.name.into(),
            role: entry.role,
            revoked: entry.revoked,
            check,
        };
        self.by_name.insert(entry.name.into(), key);
        Ok(())
    }

    /// Revokes a key; false when there is none of that name.
    pub fn revoke(&mut self, name: &str) -> bool {
        self.by_name.get_mut(name).map(|key| key.revoked = true).is_some()
    }

    /// The key of a name.
    pub(in crate::ingest) fn find(&self, name: &str) -> Option<&Key> {
        self.by_name.get(name)
    }

    /// How many, revoked ones included.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}
