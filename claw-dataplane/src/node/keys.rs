//! Keys in force: from the registry file, through the log, to every core.
//!
//! Owns the watch of one core (that of shard 0) over `keys/registry.toml`. A change becomes
//! `key-changed` events of shard 0; once they are durable the new keyring is in force on every
//! core. So a key is trusted from a position in the log on, and a node does not serve before the
//! keys it starts with are logged. Does not verify anything.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use claw_common::checksum::blake3;
use claw_common::id::ShardId;
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, Request};
use rand::RngCore as _;

use crate::config::key_registry::{KeyEntry, KeyMaterial, KeyRegistry, REGISTRY_FILE, Role};
use crate::ingest::auth::{KeyEntry as RingEntry, KeyMaterial as RingMaterial, Keyring};
use crate::ingest::routes::Role as RingRole;

use super::core::Core;
use super::envelope::Envelope;
use super::pending::{Pending, Stage};

/// The shard that logs keys.
pub const KEY_SHARD: ShardId = ShardId(0);

/// A registry that cannot come into force.
#[derive(Debug, thiserror::Error)]
pub enum KeyLoadError {
    /// The file.
    #[error("{0}")]
    Registry(#[from] crate::config::key_registry::KeyRegistryError),
    /// A secret.
    #[error("read the secret {path}: {reason}")]
    Secret {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A key.
    #[error("{0}")]
    Keyring(#[from] crate::ingest::auth::keyring::KeyringError),
}

/// See the module.
#[derive(Debug)]
pub struct KeyWatch {
    store_dir: PathBuf,
    modified: Option<SystemTime>,
    /// What the log says of each number: its digest with the revocation.
    logged: BTreeMap<u32, [u8; 32]>,
    outstanding_count: usize,
    next: Option<Arc<Keyring>>,
}

impl KeyWatch {
    /// A watch that has seen nothing yet.
    pub fn new(store_dir: PathBuf) -> Self {
        let (logged, next) = (BTreeMap::new(), None);
        Self { store_dir, modified: None, logged, outstanding_count: 0, next }
    }

    fn changed(&mut self) -> bool {
        let path = self.store_dir.join("keys").join(REGISTRY_FILE);
        let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let changed = modified != self.modified;
        self.modified = modified;
        changed
    }
}

impl Core {
    /// Learns which keys the log already has; before the first look at the registry.
    pub(super) fn recall_keys(&mut self) {
        let Some(lane) = self.lane_index(KEY_SHARD) else { return };
        let logged = self.lanes[lane].shard().keys().map(|(number, key)| {
            let public = (key.algorithm, key.public);
            (number, key_digest(&key.name, &key.role, public, key.revoked))
        });
        let logged: BTreeMap<_, _> = logged.collect();
        if let Some(watch) = &mut self.key_watch {
            watch.logged = logged;
        }
    }

    /// Looks at the registry; call about once a second.
    pub(super) fn watch_keys(&mut self) {
        let Some(watch) = &mut self.key_watch else { return };
        if watch.outstanding_count > 0 || !watch.changed() {
            return;
        }
        match load(&watch.store_dir) {
            Ok((entries, keyring)) => self.log_keys(&entries, keyring),
            Err(error) => {
                log::error!("key registry not taken over, the keys before stay in force: {error}");
            }
        }
    }

    fn log_keys(&mut self, entries: &[KeyEntry], keyring: Keyring) {
        let watch = self.key_watch.as_mut().expect("the caller has it");
        watch.next = Some(Arc::new(keyring));
        let mut news = Vec::new();
        for entry in entries {
            let digest = entry_digest(entry);
            if watch.logged.insert(entry.number, digest) != Some(digest) {
                news.push((entry, digest));
            }
        }
        watch.outstanding_count = news.len();
        for (entry, digest) in news {
            self.log_key(entry, digest);
        }
        self.settle_keys();
    }

    fn log_key(&mut self, entry: &KeyEntry, digest: [u8; 32]) {
        let pending = Pending { asker: None, stage: Stage::KeyChange };
        let Ok(key) = self.pending.insert(pending) else {
            // Too busy to log it now: forget that we saw it and look again in a second.
            let watch = self.key_watch.as_mut().expect("the caller has it");
            watch.outstanding_count -= 1;
            watch.modified = None;
            watch.logged.remove(&entry.number);
            return;
        };
        let (algorithm, public) = public_part(entry);
        // A key may be revoked, put back and revoked again: each change is a command of its own.
        let nonce = blake3(&[&digest[..], &self.entropy.next_u64().to_le_bytes()].concat());
        let (half, _) = nonce.split_at(16);
        let identity = CommandKey {
            key: half.try_into().expect("16 bytes"),
            digest: digest[..16].try_into().expect("16 bytes"),
        };
        let request = Request {
            command: Command::ChangeKey {
                number: entry.number,
                name: &entry.name,
                role: ring_role(entry.role).name(),
                algorithm,
                public,
                revoked: entry.revoked,
            },
            identity,
            reply_to: self.reply_to(key),
            key: 0,
            auth_mode: AuthMode::Node,
            accepted: self.next_stamp(),
            entropy: self.entropy.next_u64(),
            extra: &[],
            extra_type: ExtraType::default(),
            evidence: &[],
        };
        self.send_request(KEY_SHARD, &request, key).expect("shard 0 is on this core");
    }

    /// One of the changes is durable.
    pub(super) fn key_logged(&mut self) {
        let watch = self.key_watch.as_mut().expect("only a watch logs keys");
        watch.outstanding_count -= 1;
        self.settle_keys();
    }

    /// Puts the new keyring in force once all of it is durable.
    fn settle_keys(&mut self) {
        let watch = self.key_watch.as_mut().expect("the caller has it");
        if watch.outstanding_count > 0 {
            return;
        }
        let Some(keyring) = watch.next.take() else { return };
        log::info!("{} keys in force", keyring.len());
        for core in self.placement.cores().filter(|&core| core != self.id).collect::<Vec<_>>() {
            self.mesh.send(core, Envelope::Keyring(Arc::clone(&keyring)));
        }
        self.use_keyring(keyring);
    }

    /// Serves with these keys from now on; the first time this makes the core ready.
    pub(super) fn use_keyring(&mut self, keyring: Arc<Keyring>) {
        self.keyring_next = Some(keyring);
    }

    /// Takes over a keyring that came while the gate was in use.
    pub(super) fn settle_keyring(&mut self) {
        let Some(keyring) = self.keyring_next.take() else { return };
        let gate = self.gate.as_mut().expect("not in use between steps");
        if gate.use_keyring(keyring) {
            self.shared.core_ready();
        }
    }
}

/// The registry and the keyring it makes.
pub fn load(store_dir: &std::path::Path) -> Result<(Vec<KeyEntry>, Keyring), KeyLoadError> {
    let registry = KeyRegistry::load(store_dir)?;
    let mut keyring = Keyring::default();
    for entry in registry.keys() {
        let material = match &entry.material {
            KeyMaterial::Ed25519(public) => RingMaterial::Ed25519(*public),
            KeyMaterial::HmacSha256(path) => {
                let failed = |reason: String| KeyLoadError::Secret { path: path.clone(), reason };
                let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
                let secret =
                    claw_sdk::key::parse_secret(&text).map_err(|e| failed(e.to_string()))?;
                RingMaterial::Hmac(*secret)
            }
        };
        keyring.put(&RingEntry {
            number: entry.number,
            name: &entry.name,
            role: ring_role(entry.role),
            material,
            revoked: entry.revoked,
        })?;
    }
    Ok((registry.keys().to_vec(), keyring))
}

fn ring_role(role: Role) -> RingRole {
    match role {
        Role::Source => RingRole::Source,
        Role::Storefront => RingRole::Storefront,
        Role::Operator => RingRole::Operator,
    }
}

/// What the log says of a key: 1 and the public key, or 2 and a digest of the secret's file name;
/// a secret leaves no trace in the log.
fn public_part(entry: &KeyEntry) -> (u16, [u8; 32]) {
    match &entry.material {
        KeyMaterial::Ed25519(public) => (1, *public),
        KeyMaterial::HmacSha256(_) => (2, blake3(entry.name.as_bytes())),
    }
}

fn entry_digest(entry: &KeyEntry) -> [u8; 32] {
    key_digest(&entry.name, ring_role(entry.role).name(), public_part(entry), entry.revoked)
}

fn key_digest(name: &str, role: &str, public: (u16, [u8; 32]), revoked: bool) -> [u8; 32] {
    let (algorithm, bytes) = public;
    blake3(format!("{name} {role} {algorithm} {bytes:?} {revoked}").as_bytes())
}
