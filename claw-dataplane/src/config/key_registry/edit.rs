//! Changes of the registry: keys made, added and revoked, one atomic replacement each.
//!
//! Private halves and secrets are written before the registry names them, with mode 0600 and never
//! over a file that is there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_common::limits::KEYS_MAX;
use claw_sdk::key::{generate_ed25519, generate_secret};
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey as _;

use super::{
    Document, KeyEntry, KeyMaterial, KeyRegistry, KeyRegistryError, NODE_KEY, NodeRow,
    REGISTRY_FILE, Role, Row, name_allowed,
};

/// A key to be added.
#[derive(Clone, Debug)]
pub struct KeyDraft {
    /// Its `keyid`.
    pub name: String,
    /// What its owner may do.
    pub role: Role,
    /// Where its material comes from.
    pub material: NewMaterial,
}

/// Where a new key's material comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewMaterial {
    /// A new pair; the private half goes to `keys/NAME.pem`.
    Ed25519,
    /// Somebody else's public key, PEM or base64, from this file.
    Ed25519From(PathBuf),
    /// A new secret in `keys/NAME.secret`.
    HmacSha256,
}

impl KeyRegistry {
    /// An empty registry in `store_dir/keys`, which must exist, with the node's own key.
    pub fn create(store_dir: &Path) -> Result<Self, KeyRegistryError> {
        let folder = store_dir.join("keys");
        let node = generate_ed25519()?;
        write_private(&folder.join(format!("{NODE_KEY}.pem")), node.pem.as_bytes())?;
        let public = format!("{}\n", STANDARD.encode(node.public));
        write_public(&folder.join(format!("{NODE_KEY}.pub")), public.as_bytes())?;
        let registry = Self { keys: Vec::new(), node_public_key: Some(node.public), folder };
        registry.save()?;
        Ok(registry)
    }

    /// Adds a key to the store in `store_dir` and returns it.
    pub fn add(store_dir: &Path, draft: &KeyDraft) -> Result<KeyEntry, KeyRegistryError> {
        let (mut registry, _lock) = Self::load_locked(store_dir)?;
        registry.refuse_name(&draft.name)?;
        if registry.keys.len() >= KEYS_MAX {
            let reason = format!("add a key: the store has {KEYS_MAX}, revoked ones included");
            return Err(KeyRegistryError::Refused(reason));
        }
        let material = registry.make_material(draft)?;
        let number = registry.keys.last().map_or(0, |key| key.number) + 1;
        let name = draft.name.clone();
        let entry = KeyEntry { number, name, role: draft.role, material, revoked: false };
        registry.keys.push(entry.clone());
        registry.save()?;
        Ok(entry)
    }

    /// Revokes the key `name`; its files stay for whoever wants to look at them.
    pub fn revoke(store_dir: &Path, name: &str) -> Result<KeyEntry, KeyRegistryError> {
        let (mut registry, _lock) = Self::load_locked(store_dir)?;
        let Some(key) = registry.keys.iter_mut().find(|key| key.name == name) else {
            let near = claw_core::schema::closest(name, registry.keys.iter().map(|k| &*k.name));
            let advice = near.map_or_else(
                || "`claw keys list` names the keys there are".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(KeyRegistryError::Refused(format!(
                "revoke `{name}`: no such key: {advice}"
            )));
        };
        if key.revoked {
            let reason = format!("revoke `{name}`: it is revoked already");
            return Err(KeyRegistryError::Refused(reason));
        }
        key.revoked = true;
        let entry = key.clone();
        registry.save()?;
        Ok(entry)
    }

    /// The lock is the open folder: it goes with the handle, however the process ends.
    fn load_locked(store_dir: &Path) -> Result<(Self, File), KeyRegistryError> {
        let folder = store_dir.join("keys");
        let lock = File::open(&folder).map_err(io_error("open", &folder))?;
        lock.lock().map_err(io_error("lock", &folder))?;
        Ok((Self::load(store_dir)?, lock))
    }

    fn refuse_name(&self, name: &str) -> Result<(), KeyRegistryError> {
        let reason = if !name_allowed(name) {
            "a name is 1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first"
        } else if name == NODE_KEY {
            "that is the node's own key: choose another name"
        } else if self.find(name).is_some() {
            "the store has or had a key of that name, and events may name it: choose another name"
        } else {
            return Ok(());
        };
        Err(KeyRegistryError::Refused(format!("add key `{name}`: {reason}")))
    }

    fn make_material(&self, draft: &KeyDraft) -> Result<KeyMaterial, KeyRegistryError> {
        match &draft.material {
            NewMaterial::Ed25519 => {
                let pair = generate_ed25519()?;
                let path = self.folder.join(format!("{}.pem", draft.name));
                write_private(&path, pair.pem.as_bytes())?;
                Ok(KeyMaterial::Ed25519(pair.public))
            }
            NewMaterial::Ed25519From(path) => read_public_key(path).map(KeyMaterial::Ed25519),
            NewMaterial::HmacSha256 => {
                let secret = generate_secret()?;
                let path = self.folder.join(format!("{}.secret", draft.name));
                write_private(&path, secret.as_bytes())?;
                Ok(KeyMaterial::HmacSha256(path))
            }
        }
    }

    fn save(&self) -> Result<(), KeyRegistryError> {
        let text =
            "# The keys this store trusts. Change it with `claw keys`: numbers and names are \
                    never used again.\n\n"
                .to_owned()
                + &toml::to_string(&self.document()).expect("a registry is TOML");
        let path = self.folder.join(REGISTRY_FILE);
        let temporary = self.folder.join(format!(".{REGISTRY_FILE}.new"));
        // Left behind by a process that was killed; we hold the lock.
        if temporary.exists() {
            fs::remove_file(&temporary).map_err(io_error("remove", &temporary))?;
        }
        write_private(&temporary, text.as_bytes())?;
        fs::rename(&temporary, &path).map_err(io_error("replace", &path))?;
        sync_folder(&self.folder)
    }

    fn document(&self) -> Document {
        let node = self.node_public_key.map(|key| NodeRow { public_key: STANDARD.encode(key) });
        Document { node, keys: self.keys.iter().map(row_of).collect() }
    }
}

fn row_of(key: &KeyEntry) -> Row {
    let (public_key, secret_file) = match &key.material {
        KeyMaterial::Ed25519(public) => (Some(STANDARD.encode(public)), None),
        KeyMaterial::HmacSha256(path) => {
            (None, path.file_name().map(|name| name.to_string_lossy().into_owned()))
        }
    };
    Row {
        number: key.number,
        name: key.name.clone(),
        role: key.role,
        algorithm: key.material.algorithm().to_owned(),
        public_key,
        secret_file,
        revoked: key.revoked,
    }
}

fn read_public_key(path: &Path) -> Result<[u8; 32], KeyRegistryError> {
    let text = fs::read_to_string(path).map_err(io_error("read", path))?;
    let refused = |reason: &str| {
        KeyRegistryError::Refused(format!("read public key {}: {reason}", path.display()))
    };
    if text.contains("PRIVATE KEY") {
        return Err(refused("it is a private key: `openssl pkey -pubout` makes the public one"));
    }
    let key = if text.contains("-----BEGIN") {
        VerifyingKey::from_public_key_pem(&text).ok()
    } else {
        let bytes = STANDARD.decode(text.trim()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
    };
    let key = key.ok_or_else(|| refused("neither an Ed25519 key in PEM nor 32 bytes in base64"))?;
    if key.is_weak() {
        return Err(refused("a weak key, with which anybody could sign: make a new one"));
    }
    Ok(key.to_bytes())
}

/// Writes a new file that only its owner can read, and waits until it is on the disk.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyRegistryError> {
    write_key(path, bytes, 0o600)
}

fn write_public(path: &Path, bytes: &[u8]) -> Result<(), KeyRegistryError> {
    write_key(path, bytes, 0o644)
}

fn write_key(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyRegistryError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(io_error("write", path))
}

fn sync_folder(folder: &Path) -> Result<(), KeyRegistryError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("sync", folder))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyRegistryError {
    move |source| KeyRegistryError::Io { action, path: path.to_owned(), source }
}
