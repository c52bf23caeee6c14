//! Keys made, added, revoked and read back, on a real folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use claw_sdk::Signer;
use claw_sdk::key::{generate_ed25519, public_of_pem};

use super::*;

fn store() -> tempfile::TempDir {
    let store = tempfile::tempdir().unwrap();
    fs::create_dir(store.path().join("keys")).unwrap();
    KeyRegistry::create(store.path()).unwrap();
    store
}

fn add(store: &Path, name: &str, material: NewMaterial) -> Result<KeyEntry, String> {
    let draft = KeyDraft { name: name.to_owned(), role: Role::Source, material };
    KeyRegistry::add(store, &draft).map_err(|error| error.to_string())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn made_keys_sign_with_what_the_registry_names() {
    let store = store();
    let pair = add(store.path(), "a", NewMaterial::Ed25519).unwrap();
    let secret = add(store.path(), "b", NewMaterial::HmacSha256).unwrap();
    assert_eq!((pair.number, secret.number), (1, 2));
    let pem = fs::read_to_string(store.path().join("keys/a.pem")).unwrap();
    assert_eq!(pair.material, KeyMaterial::Ed25519(public_of_pem(&pem).unwrap()));
    assert_eq!(secret.material, KeyMaterial::HmacSha256(store.path().join("keys/b.secret")));
    for name in ["a.pem", "b.secret", "node.pem", "registry.toml"] {
        assert_eq!(mode(&store.path().join("keys").join(name)), 0o600, "{name}");
    }
    assert_eq!(Signer::load(store.path(), "a").unwrap().algorithm(), "ed25519");
    assert_eq!(Signer::load(store.path(), "b").unwrap().algorithm(), "hmac-sha256");
    let registry = KeyRegistry::load(store.path()).unwrap();
    assert_eq!(registry.keys(), [pair, secret]);
    let node_pem = fs::read_to_string(store.path().join("keys/node.pem")).unwrap();
    assert_eq!(registry.node_public_key(), Some(public_of_pem(&node_pem).unwrap()));
    assert!(registry.warnings(Profile::Development).is_empty());
    let warnings = registry.warnings(Profile::Production);
    assert!(warnings.len() == 1 && warnings[0].contains("keys/a.pem"), "{warnings:?}");
}

#[test]
fn names_and_numbers_are_never_used_again() {
    let store = store();
    add(store.path(), "a", NewMaterial::Ed25519).unwrap();
    assert!(KeyRegistry::revoke(store.path(), "a").unwrap().revoked);
    assert!(KeyRegistry::revoke(store.path(), "a").is_err(), "revoked already");
    assert!(KeyRegistry::revoke(store.path(), "b").is_err(), "never there");
    assert!(add(store.path(), "a", NewMaterial::Ed25519).unwrap_err().contains("had a key"));
    assert_eq!(add(store.path(), "b", NewMaterial::HmacSha256).unwrap().number, 2);
    for name in ["", "node", "../x", "a/b", ".hidden", "-x", &"x".repeat(65)] {
        assert!(add(store.path(), name, NewMaterial::Ed25519).is_err(), "{name}");
    }
    assert!(KeyRegistry::load(store.path()).unwrap().find("a").unwrap().revoked);
}

#[test]
fn public_keys_of_others_are_taken_in_pem_and_base64_and_nothing_else() {
    let store = store();
    let theirs = generate_ed25519().unwrap();
    let path = store.path().join("theirs");
    // The fixed head of an Ed25519 public key (RFC 8410, section 10.1), then the key.
    let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    der.extend(theirs.public);
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
    for (name, text) in [("pem", pem), ("raw", STANDARD.encode(theirs.public) + "\n")] {
        fs::write(&path, text).unwrap();
        let key = add(store.path(), name, NewMaterial::Ed25519From(path.clone())).unwrap();
        assert_eq!(key.material, KeyMaterial::Ed25519(theirs.public));
        assert!(!store.path().join(format!("keys/{name}.pem")).exists());
    }
    let weak = STANDARD.encode([0; 32]);
    for (text, said) in
        [(theirs.pem.as_str(), "private key"), ("nonsense", "neither"), (weak.as_str(), "weak")]
    {
        fs::write(&path, text).unwrap();
        let refused = add(store.path(), "c", NewMaterial::Ed25519From(path.clone())).unwrap_err();
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!(KeyRegistry::load(store.path()).unwrap().keys().len(), 2);
}

#[test]
fn changes_at_once_lose_nothing() {
    let store = store();
    let path = store.path();
    std::thread::scope(|scope| {
        for index in 0..8 {
            scope.spawn(move || {
                add(path, &format!("key-{index}"), NewMaterial::HmacSha256).unwrap();
            });
        }
    });
    let registry = KeyRegistry::load(path).unwrap();
    let numbers: Vec<_> = registry.keys().iter().map(|key| key.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_damaged_registry_is_refused_with_its_line() {
    let store = store();
    add(store.path(), "a", NewMaterial::Ed25519).unwrap();
    let path = store.path().join("keys/registry.toml");
    let whole = fs::read_to_string(&path).unwrap();
    let rows = [
        ("number = 1", "number = 0", "is not above 0"),
        ("role = \"source\"", "role = \"root\"", "line 9: unknown variant `root`"),
        ("algorithm = \"ed25519\"", "algorithm = \"rsa\"", "is neither ed25519"),
        ("revoked = false", "revoked = false\nx = 1", "line 13: unknown field `x`"),
        ("name = \"a\"", "name = \"../a\"", "is not a name"),
    ];
    for (from, to, said) in rows {
        assert!(whole.contains(from), "{from}");
        fs::write(&path, whole.replace(from, to)).unwrap();
        let refused = KeyRegistry::load(store.path()).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}
