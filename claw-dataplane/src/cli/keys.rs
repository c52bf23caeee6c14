//! `claw keys add|revoke|list|tls`: who may sign for a store, and a certificate to try HTTPS with.
//!
//! Edits `keys/` and `keys/registry.toml`; a running node notices by itself and logs the change.

use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{certificate, output};
use crate::config::KeyRegistry;
use crate::config::key_registry::{KeyDraft, KeyEntry, KeyMaterial, NewMaterial, Role};

/// Add, revoke and list the keys that a store trusts; make a certificate for development.
#[derive(Args, Debug)]
pub struct KeysArgs {
    #[command(subcommand)]
    verb: KeysVerb,
}

#[derive(Debug, Subcommand)]
enum KeysVerb {
    Add(AddArgs),
    Revoke(RevokeArgs),
    List(ListArgs),
    Tls(certificate::TlsArgs),
}

/// Trust a new key. Without further options an Ed25519 pair is made, private half in keys/NAME.pem.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw keys add warehouse --role source
  claw keys add shop-eu --role storefront --hmac
  claw keys add partner --role source --public-key partner.pub.pem")]
struct AddArgs {
    /// The key's name, also its keyid: 1 to 64 of A-Z a-z 0-9 . _ -
    name: String,
    /// What its owner may do
    #[arg(long, value_enum)]
    role: Role,
    /// Trust this Ed25519 public key (PEM, or 32 bytes in base64) instead of making a pair
    #[arg(long, value_name = "FILE", conflicts_with = "hmac")]
    public_key: Option<PathBuf>,
    /// Make a shared secret for hmac-sha256, in keys/NAME.secret
    #[arg(long)]
    hmac: bool,
    #[command(flatten)]
    place: Place,
}

/// Trust a key no longer, from here on. What it signed before stays valid.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw keys revoke partner --store shop")]
struct RevokeArgs {
    /// The key's name
    name: String,
    #[command(flatten)]
    place: Place,
}

/// List the keys, revoked ones included.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw keys list --store shop
  claw keys list --store shop --json | jq -r '.[].name'")]
struct ListArgs {
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
struct Place {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: KeysArgs) -> anyhow::Result<ExitCode> {
    match args.verb {
        KeysVerb::Add(args) => add(args),
        KeysVerb::Revoke(args) => revoke(&args),
        KeysVerb::List(args) => list(&args),
        KeysVerb::Tls(args) => certificate::run(&args),
    }
}

fn add(args: AddArgs) -> anyhow::Result<ExitCode> {
    let material = match args.public_key {
        Some(path) => NewMaterial::Ed25519From(path),
        None if args.hmac => NewMaterial::HmacSha256,
        None => NewMaterial::Ed25519,
    };
    let file = match material {
        NewMaterial::Ed25519 => Some(format!("keys/{}.pem", args.name)),
        NewMaterial::Ed25519From(_) => None,
        NewMaterial::HmacSha256 => Some(format!("keys/{}.secret", args.name)),
    };
    let draft = KeyDraft { name: args.name, role: args.role, material };
    let key = KeyRegistry::add(&args.place.store, &draft)?;
    show(&key, &args.place)?;
    if let Some(file) = file {
        output::talk(&format!("{file} signs as `{}`: hand it over and keep no copy", key.name));
    }
    Ok(ExitCode::SUCCESS)
}

fn revoke(args: &RevokeArgs) -> anyhow::Result<ExitCode> {
    let key = KeyRegistry::revoke(&args.place.store, &args.name)?;
    show(&key, &args.place)?;
    output::talk("a running node notices within seconds; the log says from which position");
    Ok(ExitCode::SUCCESS)
}

fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let registry = KeyRegistry::load(&args.place.store)?;
    if args.place.json {
        output::json(&registry.keys().iter().map(describe).collect())?;
    } else {
        let width = registry.keys().iter().map(|key| key.name.len()).max().unwrap_or(0);
        for key in registry.keys() {
            output::data(&row(key, width))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(key: &KeyEntry, place: &Place) -> std::io::Result<()> {
    if place.json { output::json(&describe(key)) } else { output::data(&row(key, 0)) }
}

fn row(key: &KeyEntry, width: usize) -> String {
    let state = if key.revoked { "revoked" } else { "active" };
    format!(
        "{:>4}  {:width$}  {:10}  {:11}  {state:7}  {}",
        key.number,
        key.name,
        key.role.as_str(),
        key.material.algorithm(),
        public_text(key).unwrap_or_else(|| "-".to_owned()),
    )
}

fn describe(key: &KeyEntry) -> Value {
    json!({
        "number": key.number,
        "name": key.name,
        "role": key.role.as_str(),
        "algorithm": key.material.algorithm(),
        "public_key": public_text(key),
        "revoked": key.revoked,
    })
}

fn public_text(key: &KeyEntry) -> Option<String> {
    match &key.material {
        KeyMaterial::Ed25519(public) => Some(STANDARD.encode(public)),
        KeyMaterial::HmacSha256(_) => None,
    }
}
