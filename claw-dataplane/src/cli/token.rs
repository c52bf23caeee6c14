//! `claw token`: a shopper's token, so that a browser may act for one session.
//!
//! Signs with a key of the store and asks no node. What a node would refuse is refused here, as far
//! as the store's own files know it: the key's role, a revoked key, a life above a day.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use claw_common::limits::TOKEN_LIFE_S_MAX;
use claw_sdk::client::now_s;
use claw_sdk::{Signer, TokenClaims, TokenError};
use serde_json::json;

use super::output::{self, UsageError};
use crate::config::key_registry::Role;
use crate::config::{Config, KeyRegistry, Overrides};
use crate::ingest::scopes::{Scope, Scopes};

/// Print a shopper's token (a JWT): it acts for one session until it ends.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  TOKEN=$(claw token --session ada --store shop)
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:7070/v1/products/SHOE-42

  claw token --session ada --scope cart --ttl 15m --store shop
  claw token --session ada --key operator --json --store shop | jq -r .token

Whoever has the token is the shopper. Unsafe requests need an Idempotency-Key of their own.")]
pub struct TokenArgs {
    /// The shopper's session: 1 to 64 printable characters
    #[arg(long, value_name = "SESSION")]
    session: String,
    /// What it is for, with spaces between: cart, checkout, watch
    #[arg(long, value_name = "SCOPES", default_value = "cart checkout watch")]
    scope: String,
    /// How long it lives, at most 24h: a number with s, m or h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_life)]
    ttl: u64,
    /// The Ed25519 key to sign with, from the store's keys/
    #[arg(long, value_name = "NAME", default_value = "storefront")]
    key: String,
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Print the token and what it says as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: &TokenArgs) -> anyhow::Result<ExitCode> {
    let scope = check_scope(&args.scope)?;
    let config = Config::load(&args.store, &Overrides::from_environment())?;
    let signer = Signer::load(&args.store, &args.key)?;
    check_issuer(args)?;
    let claims = TokenClaims {
        audience: &config.store.name,
        session: &args.session,
        scope: &scope,
        issued_s: now_s(),
        life_s: args.ttl,
    };
    let token = signer.token(&claims).map_err(|error| match error {
        TokenError::Key { .. } => anyhow::Error::new(error),
        TokenError::Session | TokenError::Life { .. } => UsageError(error.to_string()).into(),
    })?;
    if args.json {
        output::json(&json!({
            "token": token,
            "session": args.session,
            "scope": scope,
            "issued_at": claims.issued_s,
            "expires_at": claims.issued_s + claims.life_s,
        }))?;
    } else {
        output::data(&token)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The scopes as a token names them. A node passes over names it does not know; here they are a
/// slip.
fn check_scope(list: &str) -> Result<String, UsageError> {
    let unknown = list.split_whitespace().find(|name| Scope::parse(name).is_none());
    if let Some(name) = unknown {
        let known = Scope::ALL.map(Scope::name).join(", ");
        return Err(UsageError(format!("issue a token: there is no scope `{name}`, only {known}")));
    }
    let joined = list.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Scopes::parse(&joined).names().collect::<Vec<_>>().join(" "))
}

/// Whether a node would take this key's tokens, as far as the registry says.
fn check_issuer(args: &TokenArgs) -> anyhow::Result<()> {
    let name = &args.key;
    let registry = KeyRegistry::load(&args.store)?;
    match registry.find(name) {
        None => {
            anyhow::bail!("issue a token: the key {name} is not registered: `claw keys add` it")
        }
        Some(key) if key.revoked => anyhow::bail!("issue a token: the key {name} is revoked"),
        Some(key) if key.role == Role::Source => anyhow::bail!(
            "issue a token: the key {name} has the role source; use one of storefront or operator"
        ),
        Some(_) => Ok(()),
    }
}

/// `90s`, `15m`, `1h` as seconds.
fn parse_life(text: &str) -> Result<u64, String> {
    let wrong = || "expected a number with s, m or h, such as 15m".to_owned();
    let unit = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
    let factor = match &text[unit..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..unit].parse().map_err(|_number| wrong())?;
    number
        .checked_mul(factor)
        .filter(|life_s| (1..=TOKEN_LIFE_S_MAX).contains(life_s))
        .ok_or_else(|| "a token lives at least 1s and at most 24h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_and_scopes_are_read_and_slips_are_told() {
        let rows = [("1s", 1), ("15m", 900), ("1h", 3600), ("24h", 86_400), ("86400s", 86_400)];
        for (text, life_s) in rows {
            assert_eq!(parse_life(text), Ok(life_s), "{text}");
        }
        for text in ["", "1", "0s", "25h", "1d", "h", "-1s", "1 h", "99999999999999999999h"] {
            assert!(parse_life(text).is_err(), "{text}");
        }
        assert_eq!(check_scope("watch  cart").unwrap(), "cart watch");
        assert_eq!(check_scope("").unwrap(), "");
        assert!(check_scope("cart admin").unwrap_err().0.contains("`admin`"));
    }
}
