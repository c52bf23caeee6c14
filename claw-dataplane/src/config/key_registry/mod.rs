//! Which keys a store trusts, in what role: `keys/registry.toml`.
//!
//! ```text
//!  keys/registry.toml     number, name, role, algorithm, public key or secret file, revoked
//!  keys/NAME.pem          an Ed25519 private key (clients; a production node needs none)
//!  keys/NAME.secret       an HMAC secret (client and node)
//!  keys/node.pem          the node's own key, for the checkpoints it signs
//!  keys/node.pub          its public half, base64: to be pinned by whoever verifies receipts
//! ```
//! Numbers and names are never used again, revoked or not: events name a key by its number for as
//! long as the log lives. The file is replaced as a whole, so a reader sees the old registry or the
//! new one; changes hold a lock on the folder, so two of them cannot lose each other.
//!
//! A running node reads the registry again when the file changes, and logs what changed as events:
//! a key is trusted from a position in the log, not from a time on a disk. Noticing the change,
//! checking signatures and logging are not done here.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_common::id::is_sku;
use claw_common::limits::{KEY_NAME_BYTES_MAX, KEYS_MAX};
use serde::{Deserialize, Serialize};

use super::Profile;

mod edit;
#[cfg(test)]
mod tests;

pub use edit::{KeyDraft, NewMaterial};

/// The registry's file name in `keys/`.
pub const REGISTRY_FILE: &str = "registry.toml";
/// The name of the node's own key.
pub const NODE_KEY: &str = "node";

/// The keys of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRegistry {
    keys: Vec<KeyEntry>,
    node_public_key: Option<[u8; 32]>,
    folder: PathBuf,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// From 1, in the order of adding; 0 in an event is the node itself.
    pub number: u32,
    /// The `keyid`.
    pub name: String,
    /// What its owner may do.
    pub role: Role,
    /// What signatures are checked against.
    pub material: KeyMaterial,
    /// No longer trusted.
    pub revoked: bool,
}

/// What signatures are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMaterial {
    /// An Ed25519 public key.
    Ed25519([u8; 32]),
    /// The file with the shared secret.
    HmacSha256(PathBuf),
}

/// What a key's owner may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Products, prices, stock, coupons.
    Source,
    /// Carts, holds, checkouts and orders of any session; shoppers' tokens.
    Storefront,
    /// Everything.
    Operator,
}

/// A registry that cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyRegistryError {
    /// It cannot be parsed, or says something impossible.
    #[error("read {path}: {reason}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What is wrong and where.
        reason: String,
    },
    /// A file of it cannot be read or written.
    #[error("{action} {path} (`--store` names the store that has it)")]
    Io {
        /// "read", "write" and so on.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The change contradicts what is there.
    #[error("{0}")]
    Refused(String),
    /// A key could not be made or read.
    #[error(transparent)]
    Key(#[from] claw_sdk::KeyError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<NodeRow>,
    #[serde(default)]
    keys: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeRow {
    public_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    number: u32,
    name: String,
    role: Role,
    algorithm: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_file: Option<String>,
    #[serde(default)]
    revoked: bool,
}

impl Role {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Storefront => "storefront",
            Self::Operator => "operator",
        }
    }
}

impl KeyMaterial {
    /// As RFC 9421 registers it.
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519",
            Self::HmacSha256(_) => "hmac-sha256",
        }
    }
}

impl KeyRegistry {
    /// Reads the registry of the store in `store_dir`.
    pub fn load(store_dir: &Path) -> Result<Self, KeyRegistryError> {
        let folder = store_dir.join("keys");
        let path = folder.join(REGISTRY_FILE);
        let text = fs::read_to_string(&path).map_err(|source| KeyRegistryError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        parse(&folder, &text).map_err(|reason| KeyRegistryError::Invalid { path, reason })
    }

    /// All keys by number, revoked ones included.
    pub fn keys(&self) -> &[KeyEntry] {
        &self.keys
    }

    /// The key `name`.
    pub fn find(&self, name: &str) -> Option<&KeyEntry> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The node's own public key, when it was made here.
    pub const fn node_public_key(&self) -> Option<[u8; 32]> {
        self.node_public_key
    }

    /// Private keys that lie beside the registry: fine for development, one line each where the
    /// store is meant for production.
    pub fn warnings(&self, profile: Profile) -> Vec<String> {
        if profile == Profile::Development {
            return Vec::new();
        }
        let files = self.keys.iter().map(|key| self.folder.join(format!("{}.pem", key.name)));
        let present = files.filter(|path| path.exists());
        let say = |path: PathBuf| {
            format!("{} is a private key the node does not need: move it away", path.display())
        };
        present.map(say).collect()
    }
}

/// True when `name` may be a key's: a file name and a `keyid` at once.
fn name_allowed(name: &str) -> bool {
    name.len() <= KEY_NAME_BYTES_MAX && is_sku(name) && !name.starts_with(['.', '-'])
}

fn parse(folder: &Path, text: &str) -> Result<KeyRegistry, String> {
    let document: Document = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count()) + 1;
        format!("line {line}: {}", error.message())
    })?;
    if document.keys.len() > KEYS_MAX {
        return Err(format!("more than {KEYS_MAX} keys"));
    }
    let node_public_key = document.node.map(|node| public_key(NODE_KEY, &node.public_key));
    let mut keys: Vec<KeyEntry> = Vec::with_capacity(document.keys.len());
    for row in document.keys {
        let last = keys.last().map_or(0, |key| key.number);
        if row.number <= last {
            return Err(format!("key {} (`{}`) is not above {last}", row.number, row.name));
        }
        if !name_allowed(&row.name) || keys.iter().any(|key| key.name == row.name) {
            return Err(format!("`{}` is not a name, or a second of that name", row.name));
        }
        let material = material(folder, &row)?;
        let Row { number, name, role, revoked, .. } = row;
        keys.push(KeyEntry { number, name, role, material, revoked });
    }
    let node_public_key = node_public_key.transpose()?;
    Ok(KeyRegistry { keys, node_public_key, folder: folder.to_owned() })
}

fn material(folder: &Path, row: &Row) -> Result<KeyMaterial, String> {
    let name = &row.name;
    match (row.algorithm.as_str(), &row.public_key, &row.secret_file) {
        ("ed25519", Some(text), None) => Ok(KeyMaterial::Ed25519(public_key(name, text)?)),
        ("hmac-sha256", None, Some(file)) if !file.contains('/') => {
            Ok(KeyMaterial::HmacSha256(folder.join(file)))
        }
        _ => Err(format!(
            "key `{name}` is neither ed25519 with a public_key nor hmac-sha256 with a secret_file"
        )),
    }
}

fn public_key(name: &str, text: &str) -> Result<[u8; 32], String> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("the public key of `{name}` is not 32 bytes in base64"))
}
