//! The keys that fuzzed requests and tokens are signed with, and the keyring that knows them.
//!
//! Fixed, so that an input fails the same way everywhere. They open nothing: no store has them.

use std::sync::LazyLock;

use claw_dataplane::ingest::auth::{KeyEntry, KeyMaterial, Keyring};
use claw_dataplane::ingest::routes::Role;
use claw_sdk::key::{Signer, parse_secret, public_of_pem};

/// The store's name.
pub const STORE_NAME: &str = "shop";
/// The key pair of RFC 8037, appendix A.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                   -----END PRIVATE KEY-----\n";
/// 32 bytes.
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Who signs, and who knows them.
#[derive(Debug)]
pub struct Keys {
    /// An Ed25519 key of the role `storefront`, which may issue tokens.
    pub source: Signer,
    /// A shared secret.
    pub till: Signer,
    /// All of them, and one that was revoked.
    pub keyring: Keyring,
}

/// Made once.
pub fn keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(make);
    &KEYS
}

fn make() -> Keys {
    let public = public_of_pem(PEM).expect("the key of RFC 8037");
    let secret = parse_secret(SECRET).expect("32 bytes");
    let mut keyring = Keyring::default();
    let material = || KeyMaterial::Ed25519(public);
    for (number, name, material, revoked) in [
        (1, "source", material(), false),
        (2, "till", KeyMaterial::Hmac(*secret), false),
        (3, "gone", material(), true),
    ] {
        let entry = KeyEntry { number, name, role: Role::Storefront, material, revoked };
        keyring.put(&entry).expect("three good keys");
    }
    Keys {
        source: Signer::ed25519("source", PEM).expect("the key of RFC 8037"),
        till: Signer::hmac("till", SECRET).expect("32 bytes"),
        keyring,
    }
}
