//! Checks one request's signature: coverage, time, key, digest, then the arithmetic.
//!
//! Cheap checks first, so that a stranger costs little. Where several labels are given, the first
//! whose `keyid` is registered counts and the others are ignored. Coverage is at least what the
//! interface asks; further components are allowed when they can be resolved from the request.
//! A request with a token in place of a signature goes to [`super::token`]; one with both is
//! refused, since two readers could take it for two callers.
//!
//! The arithmetic is split off ([`Verifier::examine`] and [`Verifier::prove`]), so that the ed25519
//! signatures of one reactor tick can be checked together later; today each is checked alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_common::id::Session;
use claw_common::limits::{SIGNATURE_AGE_MS_MAX, SIGNATURE_AHEAD_MS_MAX};
use claw_common::time::UnixMs;
use claw_core::command::AuthMode;
use claw_sdk::signature::{base, digest};
use ed25519_dalek::{Signature, Verifier as _};
use hmac::Mac as _;

use super::components::{Component, ComponentList, ComponentLists, Coverage};
use super::fields::{LABELS_MAX, SignatureInput, find_signature, parse_known_input};
use super::keyring::{Check, Key, Keyring};
use super::token::TokenVerifier;
use crate::ingest::http::Request;
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::routes::Role;
use crate::ingest::scopes::Scopes;

/// Bytes of an ed25519 signature, in front of its base in the evidence.
const SIGNATURE_BYTES: usize = 64;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'k> {
    /// Number of the key in the registry.
    pub key: u32,
    /// `keyid`.
    pub name: &'k str,
    /// Role of the key.
    pub role: Role,
    /// How it signed.
    pub auth_mode: AuthMode,
    /// The one session a shopper's token may touch; `None`: any.
    pub session: Option<Session>,
    /// What a shopper's token is for; none for keys, which need none.
    pub scopes: Scopes,
}

/// A signature that says the right things; whether it is right is not known yet.
#[derive(Debug)]
pub struct Candidate<'k> {
    key: &'k Key,
    signature: [u8; SIGNATURE_BYTES],
}

/// Verifies; keeps its buffer, so that verifying allocates nothing once warm.
#[derive(Debug, Default)]
pub struct Verifier {
    /// Room for the signature, then the base.
    evidence: Vec<u8>,
    provable: bool,
    lists: ComponentLists,
    tokens: TokenVerifier,
}

impl Verifier {
    /// For a store of this name, which tokens must be for.
    pub fn new(store_name: &str) -> Self {
        Self { tokens: TokenVerifier::new(store_name), ..Self::default() }
    }

    /// Believes no token any more that was found good before; call when keys change.
    pub fn forget_tokens(&mut self) {
        self.tokens.forget();
    }

    /// How often a token's signature was verified.
    pub const fn tokens_verified_count(&self) -> u64 {
        self.tokens.verified_count()
    }

    /// Checks a request at `now_ms`.
    pub fn authenticate<'k>(
        &mut self,
        keyring: &'k Keyring,
        request: &Request<'_>,
        now_ms: UnixMs,
    ) -> Result<Caller<'k>, Problem> {
        let fields = &request.fields;
        let Some(authorization) = fields.authorization else {
            let candidate = self.examine(keyring, request, now_ms)?;
            return self.prove(&candidate);
        };
        self.provable = false;
        if fields.signature.is_some() || fields.signature_input.is_some() {
            let detail = "send either Authorization or a signature";
            return Err(Problem::new(ProblemKind::TwoCredentials, detail));
        }
        let caller = self.tokens.authenticate(keyring, authorization, now_ms);
        let caller = caller.map_err(Problem::of_token)?;
        check_sent_digest(request)?;
        Ok(caller)
    }

    /// For ed25519 the signature and the base it covers, of the last request that was
    /// authenticated; else empty.
    pub fn evidence(&self) -> &[u8] {
        if self.provable { &self.evidence } else { &[] }
    }

    /// Everything but the arithmetic; the base is kept until the next call.
    pub fn examine<'k>(
        &mut self,
        keyring: &'k Keyring,
        request: &Request<'_>,
        now_ms: UnixMs,
    ) -> Result<Candidate<'k>, Problem> {
        self.provable = false;
        let fields = &request.fields;
        let (Some(inputs), Some(signatures)) = (fields.signature_input, fields.signature) else {
            return Err(unsigned());
        };
        let (input, key) = choose_label(inputs, &self.lists, keyring)?;
        check_time(&input, now_ms)?;
        if input.algorithm.is_some_and(|algorithm| algorithm != key.check.algorithm()) {
            let detail = format!("the key {} signs with {}", key.name, key.check.algorithm());
            return Err(bad(detail));
        }
        let signature = decode_signature(signatures, input.label, &key.check)?;
        self.write_base(request, &input)?;
        check_digest(request)?;
        Ok(Candidate { key, signature })
    }

    /// The arithmetic for what was examined last.
    pub fn prove<'k>(&mut self, candidate: &Candidate<'k>) -> Result<Caller<'k>, Problem> {
        let base = &self.evidence[SIGNATURE_BYTES..];
        let (holds, auth_mode) = match &candidate.key.check {
            Check::Ed25519(key) => {
                let signature = Signature::from_bytes(&candidate.signature);
                (key.verify(base, &signature).is_ok(), AuthMode::Ed25519)
            }
            Check::Hmac(state) => {
                let mut state = state.as_ref().clone();
                state.update(base);
                // Compares in constant time.
                let holds = state.verify_slice(&candidate.signature[..32]).is_ok();
                (holds, AuthMode::HmacSha256)
            }
        };
        if !holds {
            return Err(bad("the signature is not the key's over this request"));
        }
        self.lists.keep();
        self.provable = auth_mode == AuthMode::Ed25519;
        self.evidence[..SIGNATURE_BYTES].copy_from_slice(&candidate.signature);
        let (key, scopes) = (candidate.key, Scopes::NONE);
        Ok(Caller {
            key: key.number,
            name: &key.name,
            role: key.role,
            auth_mode,
            session: None,
            scopes,
        })
    }

    fn write_base(
        &mut self,
        request: &Request<'_>,
        input: &SignatureInput<'_>,
    ) -> Result<(), Problem> {
        let list = self.lists.get(input.components_text)?;
        let out = &mut self.evidence;
        out.clear();
        out.extend_from_slice(&[0; SIGNATURE_BYTES]);
        for (component, opening) in list.iter() {
            out.extend_from_slice(opening);
            write_value(out, request, (list, component))?;
            out.push(b'\n');
        }
        base::open_parameters(out);
        out.extend_from_slice(input.parameters.as_bytes());
        check_coverage(list.coverage(), request)
    }
}

fn check_coverage(coverage: Coverage, request: &Request<'_>) -> Result<(), Problem> {
    let keyed = matches!(request.method, "POST" | "PUT" | "DELETE");
    let required = [
        true,
        true,
        true,
        request.query.is_some(),
        !request.body.is_empty(),
        keyed && request.fields.idempotency_key.is_some(),
    ];
    for (index, name) in Coverage::NAMES.into_iter().enumerate() {
        if required[index] && !coverage.has(index) {
            return Err(bad(format!("the signature does not cover \"{name}\"")));
        }
    }
    Ok(())
}

fn unsigned() -> Problem {
    Problem::new(
        ProblemKind::Unsigned,
        "send Signature-Input and Signature (RFC 9421), or a shopper's token; `claw sign` and \
         `claw token` print them",
    )
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::BadSignature, detail)
}

/// The first label whose key is registered. All are read: one that comes twice is two signatures,
/// of which the next reader may take the other.
fn choose_label<'a, 'k>(
    inputs: &'a str,
    lists: &ComponentLists,
    keyring: &'k Keyring,
) -> Result<(SignatureInput<'a>, &'k Key), Problem> {
    let mut rest = inputs;
    let (mut chosen, mut unknown) = (None, None);
    let (mut labels, mut count) = ([""; LABELS_MAX], 0);
    while !rest.is_empty() {
        let input = parse_known_input(&mut rest, |rest| lists.known_bytes(rest))
            .ok_or_else(|| bad("Signature-Input is not written as RFC 8941 serialises it"))?;
        if labels[..count].contains(&input.label) || count == LABELS_MAX {
            return Err(bad(format!("a label comes twice, or there are more than {LABELS_MAX}")));
        }
        labels[count] = input.label;
        count += 1;
        if chosen.is_some() {
            continue;
        }
        let Some(keyid) = input.keyid else { return Err(bad("the signature names no keyid")) };
        match keyring.find(keyid) {
            Some(key) if key.revoked => {
                let detail = format!("the key {keyid} was revoked");
                return Err(Problem::new(ProblemKind::RevokedKey, detail));
            }
            Some(key) => chosen = Some((input, key)),
            None => unknown = unknown.or(Some(keyid)),
        }
    }
    if let Some(chosen) = chosen {
        return Ok(chosen);
    }
    let detail = format!("no key is registered as {:?}", unknown.unwrap_or_default());
    Err(Problem::new(ProblemKind::UnknownKey, detail))
}

fn check_time(input: &SignatureInput<'_>, now_ms: UnixMs) -> Result<(), Problem> {
    let Some(created_s) = input.created_s else { return Err(bad("the signature has no created")) };
    let created_ms = created_s * 1000;
    let expired = |detail: &str| Err(Problem::new(ProblemKind::SignatureExpired, detail));
    if created_ms + SIGNATURE_AGE_MS_MAX < now_ms {
        return expired("the signature was created more than 300 s ago");
    }
    if created_ms > now_ms + SIGNATURE_AHEAD_MS_MAX {
        return expired("the signature was created more than 30 s ahead of the node's clock");
    }
    if input.expires_s.is_some_and(|expires_s| expires_s * 1000 < now_ms) {
        return expired("the signature's own expires has passed");
    }
    Ok(())
}

fn decode_signature(
    signatures: &str,
    label: &str,
    check: &Check,
) -> Result<[u8; SIGNATURE_BYTES], Problem> {
    let encoded = find_signature(signatures, label)
        .ok_or_else(|| bad(format!("Signature has no well-formed member {label}")))?;
    let wanted = match check {
        Check::Ed25519(_) => SIGNATURE_BYTES,
        Check::Hmac(_) => 32,
    };
    // The decoder asks for room by the length of the text: up to two bytes more than it writes.
    let mut decoded = [0; SIGNATURE_BYTES + 2];
    match STANDARD.decode_slice(encoded, &mut decoded) {
        Ok(count) if count == wanted => {
            let mut signature = [0; SIGNATURE_BYTES];
            signature.copy_from_slice(&decoded[..SIGNATURE_BYTES]);
            Ok(signature)
        }
        Ok(_) | Err(_) => Err(bad(format!("the signature is not {wanted} bytes in base64"))),
    }
}

fn write_value(
    out: &mut Vec<u8>,
    request: &Request<'_>,
    (list, component): (&ComponentList, &Component),
) -> Result<(), Problem> {
    let value = match component {
        Component::Method => request.method,
        Component::Authority => {
            base::extend_authority(out, request.signed_authority());
            return Ok(());
        }
        Component::Path => request.path,
        Component::Query => {
            out.push(b'?');
            request.query.unwrap_or("")
        }
        Component::RequestTarget => request.target,
        Component::Scheme => request.scheme.name(),
        Component::ContentDigest => there(request.fields.content_digest, base::CONTENT_DIGEST)?,
        Component::IdempotencyKey => there(request.fields.idempotency_key, base::IDEMPOTENCY_KEY)?,
        Component::Field(place) => return write_field(out, request, list.name(place)),
    };
    out.extend_from_slice(value.as_bytes());
    Ok(())
}

fn there<T>(value: Option<T>, name: &str) -> Result<T, Problem> {
    value.ok_or_else(|| bad(format!("{name} is covered and not there")))
}

/// A field's lines, trimmed and joined as RFC 9421 section 2.1 says.
fn write_field(out: &mut Vec<u8>, request: &Request<'_>, name: &str) -> Result<(), Problem> {
    let mut lines = request.all.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    let first = there(lines.next(), name)?;
    out.extend_from_slice(first.value.trim_ascii());
    for line in lines {
        out.extend_from_slice(b", ");
        out.extend_from_slice(line.value.trim_ascii());
    }
    Ok(())
}

fn check_digest(request: &Request<'_>) -> Result<(), Problem> {
    match request.fields.content_digest {
        Some(field) => digest::check_digest(field.as_bytes(), request.body)
            .map_err(|error| bad(error.to_string())),
        None if request.body.is_empty() => Ok(()),
        None => Err(bad("a request with a body needs Content-Digest (RFC 9530)")),
    }
}

/// A token needs no digest; one that is sent must be right.
fn check_sent_digest(request: &Request<'_>) -> Result<(), Problem> {
    let Some(field) = request.fields.content_digest else { return Ok(()) };
    digest::check_digest(field.as_bytes(), request.body)
        .map_err(|error| Problem::malformed(error.to_string()))
}
