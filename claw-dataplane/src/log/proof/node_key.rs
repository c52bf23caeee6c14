//! The node's own key: signs checkpoints, and nothing else.
//!
//! `keys/node.pem` is the private half (PKCS#8, mode 0600), `keys/node.pub` the public one: base64
//! of 32 bytes on one line, to be handed to whoever verifies, by another way than the node.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};

use super::error::ProofError;

/// See the module. Not shown: it is a secret.
pub struct NodeKey(SigningKey);

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NodeKey").field(&STANDARD.encode(self.public())).finish()
    }
}

impl NodeKey {
    /// From 32 secret bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// From `keys/node.pem` of a store.
    pub fn load(store_dir: &Path) -> Result<Self, ProofError> {
        let path = store_dir.join("keys").join("node.pem");
        let refuse = |reason: String| ProofError::Key { path: path.clone(), reason };
        let pem = fs::read_to_string(&path).map_err(|error| {
            refuse(format!("{error}: the node signs checkpoints with it; restore it from a copy"))
        })?;
        match SigningKey::from_pkcs8_pem(&pem) {
            Ok(key) => Ok(Self(key)),
            Err(_invalid) => Err(refuse("not an Ed25519 private key in PKCS#8".to_owned())),
        }
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(super) fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.0.sign(text).to_bytes()
    }
}

/// A public key as people have it: PEM, or base64 of 32 bytes.
pub fn parse_public_key(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    if text.starts_with("-----BEGIN") {
        return VerifyingKey::from_public_key_pem(text).ok().map(|key| key.to_bytes());
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}
