//! Signatures made with the signing client, whole and broken in every way a caller may break them.

use claw_sdk::key::{NewKey, Signer, generate_ed25519, generate_secret, parse_secret};
use claw_sdk::signature::sign::RequestParts;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::*;
use crate::ingest::http::{Connection, Event, Flow, Scheme, Timeouts};
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::routes::Role;

const NOW_MS: u64 = 1_800_000_000_000;
const NOW_S: u64 = NOW_MS / 1000;
const KEY: &str = "00000000-0000-4000-8000-000000000001";

struct World {
    keyring: Keyring,
    source: Signer,
    front: Signer,
}

fn world() -> World {
    let NewKey { pem, public } = generate_ed25519().unwrap();
    let secret = generate_secret().unwrap();
    let mut keyring = Keyring::default();
    let source = KeyEntry {
        number: 1,
        name: "source",
        role: Role::Source,
        material: KeyMaterial::Ed25519(public),
        revoked: false,
    };
    keyring.put(&source).unwrap();
    let front = KeyEntry {
        number: 2,
        name: "front",
        role: Role::Storefront,
        material: KeyMaterial::Hmac(*parse_secret(&secret).unwrap()),
        revoked: false,
    };
    keyring.put(&front).unwrap();
    World {
        keyring,
        source: Signer::ed25519("source", &pem).unwrap(),
        front: Signer::hmac("front", &secret).unwrap(),
    }
}

fn post() -> RequestParts<'static> {
    RequestParts {
        method: "POST",
        authority: "127.0.0.1:7070",
        path: "/v1/holds",
        query: None,
        body: b"{\"session\":\"s\"}",
        idempotency_key: Some(KEY),
    }
}

/// A request as bytes: head lines signed by `signer`, then the body.
fn signed(signer: &Signer, parts: &RequestParts<'_>, created_s: u64) -> String {
    let mut lines = Vec::new();
    signer.sign_into(&mut lines, parts, created_s);
    let query = parts.query.map_or(String::new(), |query| format!("?{query}"));
    format!(
        "{} {}{query} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{}\r\n{}",
        parts.method,
        parts.path,
        parts.authority,
        parts.body.len(),
        String::from_utf8(lines).unwrap(),
        std::str::from_utf8(parts.body).unwrap(),
    )
}

fn authenticate(world: &World, bytes: &str) -> Result<(String, usize), Problem> {
    let mut verdict = None;
    Connection::new(0, Timeouts::default()).ingest(bytes.as_bytes(), 0, &mut |event| {
        let Event::Request(request) = event else { panic!("{event:?}\n{bytes}") };
        let mut verifier = Verifier::default();
        let caller = verifier.authenticate(&world.keyring, request, NOW_MS);
        verdict = Some(caller.map(|caller| (caller.name.to_owned(), verifier.evidence().len())));
        Flow::Continue
    });
    verdict.unwrap()
}

fn refusal(world: &World, bytes: &str) -> (ProblemKind, String) {
    match authenticate(world, bytes) {
        Ok(caller) => panic!("{caller:?} was taken\n{bytes}"),
        Err(problem) => (problem.kind, problem.detail),
    }
}

#[test]
fn requests_of_both_kinds_hold_and_only_ed25519_leaves_evidence() {
    let world = world();
    let (name, evidence) = authenticate(&world, &signed(&world.source, &post(), NOW_S)).unwrap();
    assert_eq!(name, "source");
    assert!(evidence > 64 + 200);
    let read = RequestParts {
        method: "GET",
        query: Some("after=x&limit=2"),
        body: b"",
        idempotency_key: None,
        ..post()
    };
    let (name, evidence) = authenticate(&world, &signed(&world.front, &read, NOW_S)).unwrap();
    assert_eq!((name.as_str(), evidence), ("front", 0));
}

/// Each row: how it came, the host as sent, the scheme and authority that a client signed.
const CARRIED: &[(Scheme, &str, &str, &str, bool)] = &[
    (Scheme::Http, "shop:7070", "http", "shop:7070", true),
    (Scheme::Http, "shop:80", "http", "shop", true),
    (Scheme::Http, "shop:443", "http", "shop:443", true),
    (Scheme::Https, "shop:7443", "https", "shop:7443", true),
    (Scheme::Https, "shop:443", "https", "shop", true),
    (Scheme::Https, "Shop", "https", "shop", true),
    (Scheme::Https, "shop", "http", "shop", false),
    (Scheme::Http, "shop", "https", "shop", false),
];

#[test]
fn scheme_that_was_signed_is_the_one_it_came_by() {
    let mut keyring = Keyring::default();
    let role = Role::Operator;
    let material = KeyMaterial::Hmac([7; 32]);
    let key = KeyEntry { number: 1, name: "k", role, material, revoked: false };
    keyring.put(&key).unwrap();
    for &(scheme, host, signed_scheme, signed_authority, holds) in CARRIED {
        let covered = "(\"@method\" \"@authority\" \"@path\" \"@scheme\")";
        let parameters = format!("{covered};created={NOW_S};keyid=\"k\"");
        let base = format!(
            "\"@method\": GET\n\"@authority\": {signed_authority}\n\"@path\": /v1/products\n\
             \"@scheme\": {signed_scheme}\n\"@signature-params\": {parameters}"
        );
        let mut state = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        state.update(base.as_bytes());
        let tag = STANDARD.encode(state.finalize().into_bytes());
        let bytes = format!(
            "GET /v1/products HTTP/1.1\r\nHost: {host}\r\nSignature-Input: s={parameters}\r\n\
             Signature: s=:{tag}:\r\n\r\n"
        );
        let mut verdict = None;
        let mut connection = Connection::new(0, Timeouts::default()).carried_by(scheme);
        connection.ingest(bytes.as_bytes(), 0, &mut |event| {
            let Event::Request(request) = event else { panic!("{event:?}") };
            verdict = Some(Verifier::default().authenticate(&keyring, request, NOW_MS).is_ok());
            Flow::Continue
        });
        assert_eq!(verdict, Some(holds), "{scheme:?} {host} {signed_scheme}");
    }
}

#[test]
fn time_is_bounded_on_both_sides() {
    let world = world();
    for (created_s, holds) in
        [(NOW_S - 300, true), (NOW_S - 301, false), (NOW_S + 30, true), (NOW_S + 31, false)]
    {
        let verdict = authenticate(&world, &signed(&world.front, &post(), created_s));
        assert_eq!(verdict.is_ok(), holds, "{created_s}: {verdict:?}");
        if let Err(problem) = verdict {
            assert_eq!(problem.kind, ProblemKind::SignatureExpired);
        }
    }
}

#[test]
fn whatever_is_changed_after_signing_is_found() {
    let world = world();
    for signer in [&world.source, &world.front] {
        let good = signed(signer, &post(), NOW_S);
        for (from, to) in [
            ("POST ", "PUT "),
            ("/v1/holds", "/v1/carts"),
            ("/v1/holds HTTP", "/v1/holds?a=1 HTTP"),
            ("Host: 127.0.0.1:7070", "Host: 127.0.0.2:7070"),
            ("\"session\":\"s\"", "\"session\":\"t\""),
            (KEY, "00000000-0000-4000-8000-000000000002"),
            ("created=18", "created=17"),
            ("claw=:", "claw=:A"),
            ("alg=\"", "alg=\"x"),
            ("Content-Digest", "X-Digest"),
            (" \"@path\"", ""),
            (" \"content-digest\"", ""),
            (" \"idempotency-key\"", ""),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            let (kind, _) = refusal(&world, &bad);
            assert_eq!(kind.status(), 401, "{from} -> {to}");
        }
    }
}

#[test]
fn every_refusal_has_its_name() {
    let mut world = world();
    let good = signed(&world.front, &post(), NOW_S);
    let rows = [
        (good.replace("Signature: ", "X-Signature: "), ProblemKind::Unsigned),
        (good.replace("Signature-Input: ", "X-Input: "), ProblemKind::Unsigned),
        (
            good.replace("Signature-Input: ", "Authorization: Bearer x\r\nX-Input: "),
            ProblemKind::TwoCredentials,
        ),
        (good.replace("keyid=\"front\"", "keyid=\"nobody\""), ProblemKind::UnknownKey),
        (good.replace("keyid=\"front\"", "keyid=\"source\""), ProblemKind::BadSignature),
        (good.replace(";created=", ";other="), ProblemKind::BadSignature),
        (good.replace(";keyid=\"front\"", ""), ProblemKind::BadSignature),
        (good.replace("hmac-sha256", "ed25519"), ProblemKind::BadSignature),
    ];
    for (bytes, kind) in rows {
        assert_eq!(refusal(&world, &bytes).0, kind, "{bytes}");
    }
    assert!(world.keyring.revoke("front"));
    assert_eq!(refusal(&world, &good).0, ProblemKind::RevokedKey);
}

#[test]
fn first_label_of_a_known_key_counts_and_covered_fields_are_joined() {
    use claw_sdk::signature::{base, digest};
    let world = world();
    let mut text = Vec::new();
    base::write_component(&mut text, "@method", b"GET");
    base::write_authority(&mut text, "Shop.example");
    base::write_component(&mut text, "@path", b"/v1/ready");
    base::write_component(&mut text, "x-extra", b"one, two");
    base::open_parameters(&mut text);
    let parameters = format!(
        "(\"@method\" \"@authority\" \"@path\" \"x-extra\");created={NOW_S};keyid=\"front\";\
         tag=\"t\";expires={}",
        NOW_S + 5
    );
    text.extend_from_slice(parameters.as_bytes());
    let mut tag = Vec::new();
    digest::extend_base64(&mut tag, world.front.tag(&text).as_bytes());
    let tag = String::from_utf8(tag).unwrap();
    let request = format!(
        "GET /v1/ready HTTP/1.1\r\nHost: SHOP.example:80\r\nX-Extra:  one \r\nx-extra: two\r\n\
         Signature-Input: other=(\"@method\");created={NOW_S};keyid=\"stranger\", us={parameters}\r\n\
         Signature: other=:AAAA:, us=:{tag}:\r\n\r\n"
    );
    assert_eq!(authenticate(&world, &request).unwrap().0, "front");
    let missing = request.replace("\"x-extra\")", "\"x-extra\" \"x-none\")");
    assert!(refusal(&world, &missing).1.contains("x-none"));
}

#[test]
fn weak_public_keys_are_not_registered() {
    let entry = KeyEntry {
        number: 1,
        name: "weak",
        role: Role::Operator,
        material: KeyMaterial::Ed25519([0; 32]),
        revoked: false,
    };
    assert!(Keyring::default().put(&entry).is_err());
}
