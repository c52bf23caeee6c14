//! Signed requests: RFC 9421's two fields, and the base that is made of a request.
//!
//! The promises: a request that our client signs is taken, whatever it says; one that is taken is
//! refused as soon as anything that it must cover is changed; a verifier that was used before says
//! what a fresh one says; a field that is read is written again as it was. An input is a request as
//! it is sent, or the parts of one that is signed here. Deliberately not here: tokens.

use claw_dataplane::ingest::auth::Verifier;
use claw_dataplane::ingest::auth::fields::{LABELS_MAX, parse_signature_input};
use claw_dataplane::ingest::http::{Connection, Event, Flow, Request, Timeouts};
use claw_sdk::key::Signer;
use claw_sdk::signature::sign::RequestParts;

use super::keys::{STORE_NAME, keys};
use super::store::NOW_MS;

/// Reads the rest of `bytes` as their first byte says.
pub fn check(bytes: &[u8]) {
    match bytes {
        [0, request @ ..] => with_request(request, |request| {
            authenticate(request);
        }),
        [1, parts @ ..] => check_signed(parts, &keys().source),
        [2, parts @ ..] => check_signed(parts, &keys().till),
        _ => {}
    }
}

/// The first request in `bytes`, if one is there.
fn with_request(bytes: &[u8], then: impl FnOnce(&Request<'_>)) {
    let mut then = Some(then);
    Connection::new(0, Timeouts::default()).ingest(bytes, 0, &mut |event| {
        if let (Event::Request(request), Some(then)) = (event, then.take()) {
            then(request);
        }
        Flow::Close
    });
}

/// Method, then authority, path, query, key and body, with line feeds between.
fn check_signed(bytes: &[u8], signer: &Signer) {
    let Some((&method, rest)) = bytes.split_first() else { return };
    let method = ["GET", "POST", "PUT", "DELETE"][usize::from(method % 4)];
    let mut fields = rest.splitn(5, |&byte| byte == b'\n');
    let mut text = || fields.next().and_then(|field| std::str::from_utf8(field).ok());
    let (Some(authority), Some(path), Some(query), Some(key)) = (text(), text(), text(), text())
    else {
        return;
    };
    let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let (query, idempotency_key) = (some(query), some(key));
    let body = fields.next().unwrap_or_default();
    let parts = RequestParts { method, authority, path, query, body, idempotency_key };
    with_request(&sent(signer, &parts), |request| {
        let same = (request.path, request.query, request.authority) == (path, query, authority)
            && (request.fields.idempotency_key, request.body) == (idempotency_key, body);
        if same {
            assert!(authenticate(request), "what our client signs is taken: {request:?}");
        }
    });
}

/// As our client sends it.
fn sent(signer: &Signer, parts: &RequestParts<'_>) -> Vec<u8> {
    let query = parts.query.map_or(String::new(), |query| format!("?{query}"));
    let (method, path, host) = (parts.method, parts.path, parts.authority);
    let mut out = format!("{method} {path}{query} HTTP/1.1\r\nHost: {host}\r\n").into_bytes();
    out.extend_from_slice(format!("Content-Length: {}\r\n", parts.body.len()).as_bytes());
    signer.sign_into(&mut out, parts, NOW_MS / 1000);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(parts.body);
    out
}

/// Whether a request is taken; if so, no other one may be taken in its place.
fn authenticate(request: &Request<'_>) -> bool {
    check_fields(request.fields.signature_input.unwrap_or_default());
    let mut verifier = Verifier::new(STORE_NAME);
    let mut taken = |request: &Request<'_>| {
        let caller = verifier.authenticate(&keys().keyring, request, NOW_MS);
        let said = caller.map(|caller| (caller.key, caller.name.to_owned()));
        let fresh = Verifier::new(STORE_NAME)
            .authenticate(&keys().keyring, request, NOW_MS)
            .map(|caller| (caller.key, caller.name.to_owned()));
        assert_eq!(said, fresh, "what was asked before changes nothing");
        if said.is_err() {
            assert!(verifier.evidence().is_empty(), "what was refused is no evidence");
        }
        said.is_ok()
    };
    if !taken(request) || request.fields.authorization.is_some() {
        return false;
    }
    let changed = |text: &str| format!("{text}x");
    let (path, authority) = (changed(request.path), changed(request.authority));
    let query = changed(request.query.unwrap_or_default());
    let body = [request.body, b"x"].concat();
    for other in [
        Request { method: "PATCH", ..*request },
        Request { path: &path, ..*request },
        Request { authority: &authority, ..*request },
        Request { query: Some(&query), ..*request },
        Request { body: &body, ..*request },
    ] {
        assert!(!taken(&other), "{other:?} is not what was signed: {request:?}");
    }
    taken(request)
}

/// Every label that is read is written again as it was.
fn check_fields(text: &str) {
    let mut rest = text;
    for _ in 0..=LABELS_MAX {
        let Some(input) = parse_signature_input(&mut rest) else { return };
        let names: Vec<String> = input.components().map(|name| format!("\"{name}\"")).collect();
        assert_eq!(names.join(" "), input.components_text);
        let again = format!("{}={}", input.label, input.parameters);
        assert_eq!(parse_signature_input(&mut again.as_str()), Some(input));
    }
}
