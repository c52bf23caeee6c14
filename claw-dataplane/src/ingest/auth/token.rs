//! Shoppers' tokens: JWTs that a registered Ed25519 key of the shop signed for one session.
//!
//! The key decides everything: it is found by `kid`, must be an Ed25519 key whose role may issue,
//! and is the only thing the signature is checked with; `alg` may only name what the key does
//! (`EdDSA`, or `Ed25519` of RFC 9864). Keys or algorithms that a token brings along are never
//! looked at. Cheap checks come first, the arithmetic last and once: what held is remembered by
//! digest ([`super::token_memory`]); its end and its key are looked at on every use, so a revoked
//! key closes its tokens on open connections too.
//!
//! A token authenticates and proves nothing to third parties: records say so (`AuthMode::Token`).

use claw_common::id::Text;
use claw_common::limits::{TOKEN_AHEAD_S_MAX, TOKEN_BYTES_MAX, TOKEN_LIFE_S_MAX};
use claw_common::time::UnixMs;
use claw_core::command::AuthMode;
use ed25519_dalek::{Signature, VerifyingKey};

use super::Caller;
use super::keyring::{Check, Key, Keyring};
use super::token_claims::{TokenClaims, TokenParts, bad};
use super::token_memory::{KnownToken, TokenMemory};
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::routes::Role;
use crate::ingest::scopes::Scopes;

/// Verifies tokens for one store.
#[derive(Debug, Default)]
pub(super) struct TokenVerifier {
    /// The store's name: `aud`.
    audience: String,
    memory: TokenMemory,
    verified_count: u64,
}

impl TokenVerifier {
    /// For the store of this name.
    pub(super) fn new(audience: &str) -> Self {
        Self { audience: audience.to_owned(), ..Self::default() }
    }

    /// How often the arithmetic was done.
    pub(super) const fn verified_count(&self) -> u64 {
        self.verified_count
    }

    /// Verifies everything anew from here on.
    pub(super) fn forget(&mut self) {
        self.memory.clear();
    }

    /// Checks the token of an `Authorization` field at `now_ms`.
    pub(super) fn authenticate<'k>(
        &mut self,
        keyring: &'k Keyring,
        authorization: &str,
        now_ms: UnixMs,
    ) -> Result<Caller<'k>, Problem> {
        let token = bearer(authorization)?;
        let now_s = now_ms / 1000;
        let digest = TokenMemory::digest(token);
        let known = match self.memory.find(&digest) {
            Some(known) => *known,
            None => self.verify(keyring, token, now_s)?,
        };
        match still_holds(keyring, &known, now_s) {
            Ok(key) => Ok(caller(key, &known)),
            Err(problem) => {
                self.memory.forget(&digest);
                Err(problem)
            }
        }
    }

    fn verify(
        &mut self,
        keyring: &Keyring,
        token: &str,
        now_s: u64,
    ) -> Result<KnownToken, Problem> {
        let parts = TokenParts::split(token)?;
        let header = parts.header()?;
        if !matches!(header.alg.as_str(), "EdDSA" | "Ed25519") {
            return Err(bad("the token's alg is neither EdDSA nor Ed25519"));
        }
        let (key, public) = issuer(keyring, &header.kid)?;
        let claims = parts.claims()?;
        if claims.audience != self.audience {
            let detail = "the token's aud is not the name of this store";
            return Err(Problem::new(ProblemKind::TokenAudience, detail));
        }
        check_time(&claims, now_s)?;
        let signature = Signature::from_bytes(&parts.signature()?);
        self.verified_count += 1;
        // Strictly, unlike the signatures of requests: once in a token's life it costs nothing.
        if public.verify_strict(parts.signed.as_bytes(), &signature).is_err() {
            return Err(bad("the signature is not the key's over this token"));
        }
        let known = KnownToken {
            digest: TokenMemory::digest(token),
            keyid: Text::copy(&key.name).expect("names are bounded"),
            key: key.number,
            session: claims.session,
            scopes: Scopes::parse(&claims.scope),
            expires_s: claims.expires_s,
        };
        self.memory.put(known);
        Ok(known)
    }
}

/// What may have changed since a token was verified.
fn still_holds<'k>(
    keyring: &'k Keyring,
    known: &KnownToken,
    now_s: u64,
) -> Result<&'k Key, Problem> {
    let (key, _) = issuer(keyring, known.keyid.as_str())?;
    if key.number != known.key {
        return Err(bad("the token is another key's of that name"));
    }
    if now_s >= known.expires_s {
        return Err(expired("the token has ended: ask the shop for a fresh one"));
    }
    Ok(key)
}

fn caller<'k>(key: &'k Key, known: &KnownToken) -> Caller<'k> {
    Caller {
        key: key.number,
        name: &key.name,
        role: Role::Shopper,
        auth_mode: AuthMode::Token,
        session: Some(known.session),
        scopes: known.scopes,
    }
}

/// The token of an `Authorization` field; RFC 6750, section 2.1.
fn bearer(authorization: &str) -> Result<&str, Problem> {
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        let detail = "Authorization takes a Bearer token; shops sign their requests (RFC 9421)";
        return Err(Problem::new(ProblemKind::Unsigned, detail));
    }
    let token = token.trim_start_matches(' ');
    if token.len() > TOKEN_BYTES_MAX {
        return Err(bad(format!("a token has at most {TOKEN_BYTES_MAX} bytes")));
    }
    Ok(token)
}

/// The key that may have signed, and what it verifies with.
fn issuer<'k>(keyring: &'k Keyring, keyid: &str) -> Result<(&'k Key, &'k VerifyingKey), Problem> {
    let Some(key) = keyring.find(keyid) else {
        let detail = "no key is registered by the token's kid";
        return Err(Problem::new(ProblemKind::UnknownKey, detail));
    };
    let name = &key.name;
    if key.revoked {
        let detail = format!("the key {name} was revoked, and its tokens with it");
        return Err(Problem::new(ProblemKind::RevokedKey, detail));
    }
    let refused = |detail| Err(Problem::new(ProblemKind::TokenIssuer, detail));
    if !matches!(key.role, Role::Storefront | Role::Operator) {
        return refused(format!(
            "the key {name} may not issue tokens: its role is {}",
            key.role.name()
        ));
    }
    match &key.check {
        Check::Ed25519(public) => Ok((key, public)),
        Check::Hmac(_) => refused(format!("the key {name} is not Ed25519: it issues no tokens")),
    }
}

fn check_time(claims: &TokenClaims, now_s: u64) -> Result<(), Problem> {
    let TokenClaims { issued_s, expires_s, begins_s, .. } = *claims;
    let life_s = expires_s.checked_sub(issued_s).filter(|&life_s| life_s > 0);
    if life_s.is_none_or(|life_s| life_s > TOKEN_LIFE_S_MAX) {
        let detail = "a token's exp is at most 24 h after its iat, and not before";
        return Err(Problem::new(ProblemKind::TokenLifetime, detail));
    }
    let latest_s = now_s + TOKEN_AHEAD_S_MAX;
    if issued_s > latest_s || begins_s.is_some_and(|begins_s| begins_s > latest_s) {
        return Err(expired("the token begins more than 30 s ahead of the node's clock"));
    }
    if now_s >= expires_s {
        return Err(expired("the token has ended: ask the shop for a fresh one"));
    }
    Ok(())
}

fn expired(detail: &str) -> Problem {
    Problem::new(ProblemKind::TokenExpired, detail)
}
