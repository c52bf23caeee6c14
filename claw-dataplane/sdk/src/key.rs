//! Keys of a store: making, reading and writing their files, and signing with them.
//!
//! `keys/NAME.pem` is an Ed25519 private key (PKCS#8), `keys/NAME.secret` 32 random bytes in
//! base64 for hmac-sha256; `NAME` is the `keyid`. Secrets are wiped when dropped. Roles are no
//! business of this file: the store's registry knows them.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_common::limits::KEY_NAME_BYTES_MAX;
use ed25519_dalek::pkcs8::{self, DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of an HMAC secret.
pub const SECRET_BYTES: usize = 32;

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A name that is not allowed.
    #[error("use key {name:?}: a name is 1 to 64 of A-Z a-z 0-9 . _ -")]
    Name {
        /// As given.
        name: String,
    },
    /// Neither file of a key can be read.
    #[error("read key {path}: {source} (`claw keys list` names the keys there are)")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not a PKCS#8 Ed25519 private key.
    #[error("parse an Ed25519 private key: not PKCS#8 PEM ({reason})")]
    Pem {
        /// What the parser says.
        reason: String,
    },
    /// Not 32 bytes in base64.
    #[error("parse an HMAC secret: not 32 bytes in base64")]
    Secret,
    /// The system gave no randomness.
    #[error("make a key: the system gave no randomness ({reason})")]
    Random {
        /// What it said.
        reason: String,
    },
}

/// A private key with its name, ready to sign.
pub struct Signer {
    keyid: String,
    material: Material,
}

enum Material {
    /// Boxed: it is large and rarely alone.
    Ed25519(Box<SigningKey>),
    /// The state after keying; cloned per message, which is cheaper than keying.
    Hmac(Box<Hmac<Sha256>>),
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("keyid", &self.keyid)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// From a PKCS#8 PEM text.
    pub fn ed25519(keyid: &str, pem: &str) -> Result<Self, KeyError> {
        let key = SigningKey::from_pkcs8_pem(pem)
            .map_err(|error| KeyError::Pem { reason: error.to_string() })?;
        Ok(Self { keyid: check_name(keyid)?, material: Material::Ed25519(Box::new(key)) })
    }

    /// From the text of a secret file: base64, white space around it allowed.
    pub fn hmac(keyid: &str, secret: &str) -> Result<Self, KeyError> {
        let secret = parse_secret(secret)?;
        let state = keyed_state(secret.as_slice());
        Ok(Self { keyid: check_name(keyid)?, material: Material::Hmac(Box::new(state)) })
    }

    /// From a store's `keys/NAME.pem`, else `keys/NAME.secret`.
    pub fn load(store_dir: &Path, key_name: &str) -> Result<Self, KeyError> {
        check_name(key_name)?;
        let pem_path = store_dir.join("keys").join(format!("{key_name}.pem"));
        match std::fs::read_to_string(&pem_path) {
            Ok(pem) => return Self::ed25519(key_name, &Zeroizing::new(pem)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(KeyError::Read { path: pem_path, source }),
        }
        let path = pem_path.with_file_name(format!("{key_name}.secret"));
        match std::fs::read_to_string(&path) {
            Ok(secret) => Self::hmac(key_name, &Zeroizing::new(secret)),
            Err(source) => Err(KeyError::Read { path, source }),
        }
    }

    /// The key's name.
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    /// The algorithm as RFC 9421 registers it.
    pub const fn algorithm(&self) -> &'static str {
        match self.material {
            Material::Ed25519(_) => "ed25519",
            Material::Hmac(_) => "hmac-sha256",
        }
    }

    /// Whether it is an hmac-sha256 secret; else it is an Ed25519 key.
    pub const fn is_hmac(&self) -> bool {
        matches!(self.material, Material::Hmac(_))
    }

    /// The authentication code over parts that follow each other; `None` for an Ed25519 key.
    pub fn code(&self, parts: &[&[u8]]) -> Option<Tag> {
        let Material::Hmac(state) = &self.material else { return None };
        let mut state = state.as_ref().clone();
        for part in parts {
            state.update(part);
        }
        let mut tag = Tag { bytes: [0; 64], length: 32 };
        tag.bytes[..32].copy_from_slice(&state.finalize().into_bytes());
        Some(tag)
    }

    /// The signature or authentication code over a base.
    pub fn tag(&self, base: &[u8]) -> Tag {
        let mut tag = Tag { bytes: [0; 64], length: 64 };
        match &self.material {
            Material::Ed25519(key) => tag.bytes = key.sign(base).to_bytes(),
            Material::Hmac(state) => {
                let mut state = state.as_ref().clone();
                state.update(base);
                tag.bytes[..32].copy_from_slice(&state.finalize().into_bytes());
                tag.length = 32;
            }
        }
        tag
    }
}

/// 64 bytes for ed25519, 32 for hmac-sha256.
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    bytes: [u8; 64],
    length: usize,
}

impl Tag {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A new Ed25519 key: the text of its private file and its public half.
#[derive(Debug)]
pub struct NewKey {
    /// PKCS#8 PEM, version 1, as OpenSSL and others write it.
    pub pem: Zeroizing<String>,
    /// The public key.
    pub public: [u8; 32],
}

/// Makes an Ed25519 key.
pub fn generate_ed25519() -> Result<NewKey, KeyError> {
    let seed = random_bytes()?;
    let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    // Without the public half (version 1): some readers refuse version 2.
    let pair = pkcs8::KeypairBytes { secret_key: *seed, public_key: None };
    let pem = pair
        .to_pkcs8_pem(pkcs8::spki::der::pem::LineEnding::LF)
        .map_err(|error| KeyError::Pem { reason: error.to_string() })?;
    Ok(NewKey { pem: Zeroizing::new(pem.to_string()), public })
}

/// Makes the text of a secret file.
pub fn generate_secret() -> Result<Zeroizing<String>, KeyError> {
    let mut text = STANDARD.encode(*random_bytes()?);
    text.push('\n');
    Ok(Zeroizing::new(text))
}

/// The public half of a private key in PKCS#8 PEM.
pub fn public_of_pem(pem: &str) -> Result<[u8; 32], KeyError> {
    SigningKey::from_pkcs8_pem(pem)
        .map(|key| key.verifying_key().to_bytes())
        .map_err(|error| KeyError::Pem { reason: error.to_string() })
}

/// Parses the text of a secret file.
pub fn parse_secret(text: &str) -> Result<Zeroizing<[u8; SECRET_BYTES]>, KeyError> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES + 1]);
    match STANDARD.decode_slice(text.trim(), bytes.as_mut_slice()) {
        Ok(SECRET_BYTES) => {
            let mut secret = Zeroizing::new([0; SECRET_BYTES]);
            secret.copy_from_slice(&bytes[..SECRET_BYTES]);
            Ok(secret)
        }
        Ok(_) | Err(_) => Err(KeyError::Secret),
    }
}

/// The HMAC state after keying: what both sides keep.
pub fn keyed_state(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

fn random_bytes() -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| KeyError::Random { reason: error.to_string() })?;
    Ok(bytes)
}

fn check_name(name: &str) -> Result<String, KeyError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fits = (1..=KEY_NAME_BYTES_MAX).contains(&name.len());
    if fits && name.bytes().all(allowed) && !name.starts_with('.') {
        Ok(name.to_owned())
    } else {
        Err(KeyError::Name { name: name.to_owned() })
    }
}
