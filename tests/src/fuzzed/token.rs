//! Shoppers' tokens: JWTs that anybody may write, and that few may sign.
//!
//! The promises: what is taken was signed by a key of the store, for this store, for now, and says
//! whose session it is; no other spelling of it is taken; a token that was seen before is judged as
//! if it were new; one that is refused stays refused. An input is a whole token, or header and
//! claims that are signed here. Deliberately not here: scopes against routes.

use claw_common::limits::TOKEN_LIFE_S_MAX;
use claw_dataplane::ingest::auth::Verifier;
use claw_dataplane::ingest::http::head::Fields;
use claw_dataplane::ingest::http::{Request, Scheme};
use serde_json::Value;

use super::keys::{STORE_NAME, keys};
use super::store::NOW_MS;

/// Whose session, by which key.
type Said = (u32, Option<String>);

/// Reads the rest of `bytes` as their first byte says.
pub fn check(bytes: &[u8]) {
    let Some((&mode, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match mode {
        0 => {
            authenticate(text);
        }
        1 => {
            let Some((header, claims)) = text.split_once('\n') else { return };
            let token = keys().source.compact_jws(header, claims);
            if let Some((_, session)) = authenticate(&token) {
                check_claims(claims, session.as_deref());
            }
        }
        _ => {}
    }
}

fn authenticate(token: &str) -> Option<Said> {
    let mut verifier = Verifier::new(STORE_NAME);
    let said = take(&mut verifier, token);
    assert_eq!(said, take(&mut verifier, token), "the second time as the first");
    verifier.forget_tokens();
    assert_eq!(said, take(&mut verifier, token), "and when everything was forgotten");
    if said.is_some() {
        for at in [1, token.find('.').unwrap_or(0) + 1, token.len() - 1] {
            let other = other_letter(token, at);
            assert_eq!(take(&mut verifier, &other), None, "{other} is not {token}");
        }
        assert_eq!(take(&mut verifier, &format!("{token}=")), None, "padding is another spelling");
    }
    said
}

fn take(verifier: &mut Verifier, token: &str) -> Option<Said> {
    let authorization = format!("Bearer {token}");
    let fields = Fields { authorization: Some(&authorization), ..Fields::default() };
    let request = Request {
        method: "GET",
        target: "/v1/tickets",
        path: "/v1/tickets",
        query: None,
        authority: "a",
        fields,
        all: &[],
        body: b"",
        close: false,
        scheme: Scheme::Https,
    };
    let caller = verifier.authenticate(&keys().keyring, &request, NOW_MS).ok()?;
    Some((caller.key, caller.session.map(|session| session.as_str().to_owned())))
}

/// `token` with another letter at `at`.
fn other_letter(token: &str, at: usize) -> String {
    let letter = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{letter}{}", &token[..at], &token[at + 1..])
}

/// What must be so of claims that were believed, read by somebody else.
fn check_claims(claims: &str, session: Option<&str>) {
    let claims: Value = serde_json::from_str(claims).expect("claims that are believed are JSON");
    let audience = &claims["aud"];
    assert!(audience == STORE_NAME || audience == &Value::from(vec![STORE_NAME]), "{claims}");
    assert_eq!(claims["sub"].as_str(), session);
    let (issued_s, expires_s) = (claims["iat"].as_u64(), claims["exp"].as_u64());
    let (issued_s, expires_s) = issued_s.zip(expires_s).expect("both are whole seconds");
    assert!(expires_s > NOW_MS / 1000, "{claims}");
    assert!(expires_s.saturating_sub(issued_s) <= TOKEN_LIFE_S_MAX, "{claims}");
}
