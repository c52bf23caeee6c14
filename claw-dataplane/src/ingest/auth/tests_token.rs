//! Tokens made with the signing client, good ones and those broken in every way; what is remembered
//! of them, and what ends that.

use claw_sdk::TokenClaims;
use claw_sdk::key::{NewKey, Signer, generate_ed25519, generate_secret, parse_secret};
use serde_json::{Value, json};

use super::*;
use crate::ingest::http::{Connection, Event, Flow, Timeouts};
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::routes::Role;

const NOW_MS: u64 = 1_800_000_000_000;
const NOW_S: u64 = NOW_MS / 1000;
const DAY_S: u64 = 24 * 3600;

struct World {
    keyring: Keyring,
    verifier: Verifier,
    front: Signer,
    source: Signer,
    public: [u8; 32],
}

fn world() -> World {
    let mut keyring = Keyring::default();
    let front = generate_ed25519().unwrap();
    let source = generate_ed25519().unwrap();
    let secret = generate_secret().unwrap();
    let rows = [
        ("source", Role::Source, KeyMaterial::Ed25519(source.public)),
        ("front", Role::Storefront, KeyMaterial::Ed25519(front.public)),
        ("till", Role::Storefront, KeyMaterial::Hmac(*parse_secret(&secret).unwrap())),
    ];
    for (number, (name, role, material)) in (1..).zip(rows) {
        keyring.put(&KeyEntry { number, name, role, material, revoked: false }).unwrap();
    }
    World {
        keyring,
        verifier: Verifier::new("shop"),
        front: Signer::ed25519("front", &front.pem).unwrap(),
        source: Signer::ed25519("source", &source.pem).unwrap(),
        public: front.public,
    }
}

fn claims() -> Value {
    json!({ "aud": "shop", "sub": "ada", "iat": NOW_S, "exp": NOW_S + 60, "scope": "cart" })
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "front" })
}

impl World {
    /// What becomes of a request with these header lines.
    fn ask(&mut self, lines: &str, now_ms: u64) -> Result<(String, Option<String>), Problem> {
        let bytes = format!("GET /v1/holds/x HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let mut verdict = None;
        let (verifier, keyring) = (&mut self.verifier, &self.keyring);
        Connection::new(0, Timeouts::default()).ingest(bytes.as_bytes(), 0, &mut |event| {
            let Event::Request(request) = event else { panic!("{event:?}\n{bytes}") };
            let caller = verifier.authenticate(keyring, request, now_ms);
            verdict = Some(caller.map(|caller| {
                let session = caller.session.map(|session| session.as_str().to_owned());
                (format!("{} {:?} {:?}", caller.name, caller.role, caller.auth_mode), session)
            }));
            Flow::Continue
        });
        verdict.unwrap()
    }

    fn bear(&mut self, token: &str) -> Result<(String, Option<String>), Problem> {
        self.ask(&format!("Authorization: Bearer {token}\r\n"), NOW_MS)
    }

    fn refusal(&mut self, token: &str) -> ProblemKind {
        let problem = self.bear(token).expect_err(token);
        assert!(problem.of_token, "{problem:?}");
        problem.kind
    }

    fn made(&self, header: &Value, claims: &Value) -> String {
        self.front.compact_jws(&header.to_string(), &claims.to_string())
    }
}

#[test]
fn bearer_is_the_shopper_of_its_session_and_leaves_no_evidence() {
    let mut world = world();
    let token = world.made(&header(), &claims());
    let (who, session) = world.bear(&token).unwrap();
    assert_eq!((who.as_str(), session.as_deref()), ("front Shopper Token", Some("ada")));
    assert!(world.verifier.evidence().is_empty());
    let named = json!({ "alg": "Ed25519", "kid": "front" });
    let token = world.made(&named, &claims());
    assert!(world.ask(&format!("authorization: BEARER  {token}\r\n"), NOW_MS).is_ok());
    let of_client = world.front.token(&TokenClaims {
        audience: "shop",
        session: "eve",
        scope: "",
        issued_s: NOW_S,
        life_s: DAY_S,
    });
    assert_eq!(world.bear(&of_client.unwrap()).unwrap().1.as_deref(), Some("eve"));
}

#[test]
fn only_the_key_says_how_its_tokens_are_verified() {
    let mut world = world();
    let good = claims();
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "RS256", "ES256", "eddsa", "Ed448"] {
        let token = world.made(&json!({ "alg": alg, "kid": "front" }), &good);
        assert_eq!(world.refusal(&token), ProblemKind::BadToken, "{alg}");
    }
    // The public key as the secret of an HMAC, under the name of either algorithm.
    let public = claw_sdk::signature::digest::extend_base64;
    let mut text = Vec::new();
    public(&mut text, &world.public);
    let forger = Signer::hmac("front", std::str::from_utf8(&text).unwrap()).unwrap();
    for alg in ["HS256", "EdDSA"] {
        let header = json!({ "alg": alg, "kid": "front" }).to_string();
        let token = forger.compact_jws(&header, &good.to_string());
        assert_eq!(world.refusal(&token), ProblemKind::BadToken, "{alg}");
    }
    // A key that the token brings along is not looked at.
    let NewKey { pem, .. } = generate_ed25519().unwrap();
    let stranger = Signer::ed25519("front", &pem).unwrap();
    let own = json!({ "alg": "EdDSA", "kid": "front", "jwk": { "kty": "OKP", "crv": "Ed25519" } });
    let token = stranger.compact_jws(&own.to_string(), &good.to_string());
    assert_eq!(world.refusal(&token), ProblemKind::BadToken);
    let issuers = [
        ("nobody", ProblemKind::UnknownKey),
        ("source", ProblemKind::TokenIssuer),
        ("till", ProblemKind::TokenIssuer),
    ];
    for (kid, kind) in issuers {
        let header = json!({ "alg": "EdDSA", "kid": kid }).to_string();
        let token = world.source.compact_jws(&header, &good.to_string());
        assert_eq!(world.refusal(&token), kind, "{kid}");
    }
    assert_eq!(world.verifier.tokens_verified_count(), 1, "the arithmetic comes last");
}

#[test]
fn lives_are_bounded_and_times_are_of_now() {
    let mut world = world();
    let rows = [
        (NOW_S, NOW_S + DAY_S, None),
        (NOW_S - 60, NOW_S + 1, None),
        (NOW_S + 30, NOW_S + 31, None),
        (NOW_S - DAY_S + 1, NOW_S + 1, None),
        (NOW_S, NOW_S + DAY_S + 1, Some(ProblemKind::TokenLifetime)),
        (NOW_S - DAY_S, NOW_S + 1, Some(ProblemKind::TokenLifetime)),
        (0, u64::MAX, Some(ProblemKind::TokenLifetime)),
        (NOW_S, NOW_S, Some(ProblemKind::TokenLifetime)),
        (NOW_S + 20, NOW_S + 10, Some(ProblemKind::TokenLifetime)),
        (u64::MAX, 0, Some(ProblemKind::TokenLifetime)),
        (NOW_S + 31, NOW_S + 60, Some(ProblemKind::TokenExpired)),
        (NOW_S - 60, NOW_S, Some(ProblemKind::TokenExpired)),
        (u64::MAX - 9, u64::MAX, Some(ProblemKind::TokenExpired)),
    ];
    for (iat, exp, refused) in rows {
        let mut claims = claims();
        (claims["iat"], claims["exp"]) = (json!(iat), json!(exp));
        let token = world.made(&header(), &claims);
        let verdict = world.bear(&token);
        assert_eq!(verdict.err().map(|problem| problem.kind), refused, "{iat} {exp}");
    }
    let mut later = claims();
    later["nbf"] = json!(NOW_S + 31);
    let token = world.made(&header(), &later);
    assert_eq!(world.refusal(&token), ProblemKind::TokenExpired);
}

#[test]
fn token_is_for_one_store_and_travels_alone() {
    let mut world = world();
    for aud in [json!("other"), json!("Shop"), json!(""), json!(["other"])] {
        let mut claims = claims();
        claims["aud"] = aud;
        let token = world.made(&header(), &claims);
        assert_eq!(world.refusal(&token), ProblemKind::TokenAudience, "{claims}");
    }
    let token = world.made(&header(), &claims());
    let long = format!("{token}{}", "A".repeat(2048));
    assert_eq!(world.refusal(&long), ProblemKind::BadToken);
    let (body, signature) = token.rsplit_once('.').unwrap();
    let other = world.made(
        &header(),
        &json!({ "aud": "shop", "sub": "eve", "iat": NOW_S,
        "exp": NOW_S + 60 }),
    );
    let mixed = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    for bad in [body, &format!("{body}."), &mixed, &format!("{token} "), &format!("{token},x")] {
        let wanted = if bad.ends_with(' ') { None } else { Some(ProblemKind::BadToken) };
        assert_eq!(world.bear(bad).err().map(|problem| problem.kind), wanted, "{bad}");
    }
    let rows = [
        (format!("Authorization: Basic {token}\r\n"), ProblemKind::Unsigned),
        (format!("Authorization: Bearer{token}\r\n"), ProblemKind::Unsigned),
        ("Authorization: Bearer\r\n".to_owned(), ProblemKind::BadToken),
        ("Authorization: \r\n".to_owned(), ProblemKind::Unsigned),
        (format!("Authorization: Bearer {token}\r\nSignature: a\r\n"), ProblemKind::TwoCredentials),
        (
            format!("Authorization: Bearer {token}\r\nSignature-Input: a\r\n"),
            ProblemKind::TwoCredentials,
        ),
    ];
    for (lines, kind) in rows {
        assert_eq!(world.ask(&lines, NOW_MS).unwrap_err().kind, kind, "{lines}");
    }
}

#[test]
fn good_token_is_verified_once_and_looked_at_on_every_use() {
    let mut world = world();
    let token = world.made(&header(), &claims());
    for _ in 0..5 {
        world.bear(&token).unwrap();
    }
    assert_eq!(world.verifier.tokens_verified_count(), 1);
    // Its end comes while it is remembered.
    let line = format!("Authorization: Bearer {token}\r\n");
    assert!(world.ask(&line, NOW_MS + 59_999).is_ok());
    let ended = world.ask(&line, NOW_MS + 60_000).unwrap_err();
    assert_eq!(ended.kind, ProblemKind::TokenExpired);
    // A bad one is not remembered as good, nor a good one lost through it.
    world.bear(&token).unwrap();
    let (body, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let spoilt = format!("{body}.{first}{}", &signature[1..]);
    assert_eq!(world.refusal(&spoilt), ProblemKind::BadToken);
    assert_eq!(world.refusal(&spoilt), ProblemKind::BadToken);
    let verified = world.verifier.tokens_verified_count();
    world.bear(&token).unwrap();
    assert_eq!(world.verifier.tokens_verified_count(), verified);
    world.verifier.forget_tokens();
    world.bear(&token).unwrap();
    assert_eq!(world.verifier.tokens_verified_count(), verified + 1);
    // Its key is revoked: it ends at once.
    assert!(world.keyring.revoke("front"));
    assert_eq!(world.refusal(&token), ProblemKind::RevokedKey);
}

#[test]
fn remembered_token_ends_when_another_key_takes_the_name() {
    let mut world = world();
    let token = world.made(&header(), &claims());
    world.bear(&token).unwrap();
    let public = generate_ed25519().unwrap().public;
    let entry = KeyEntry {
        number: 9,
        name: "front",
        role: Role::Storefront,
        material: KeyMaterial::Ed25519(public),
        revoked: false,
    };
    world.keyring.put(&entry).unwrap();
    assert_eq!(world.refusal(&token), ProblemKind::BadToken);
}
