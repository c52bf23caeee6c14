//! Keys that are wrong, unknown, named twice, of a role that may not issue, or revoked.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claw_sdk::{TokenClaims, client::now_s};
use claw_tests::Wire;
use serde_json::{Value, json};

use crate::forge::{ALL_SCOPES, STORE, Shop, claims, forged, header, refused};

const SHIRT: (&str, &str) = ("GET", "/v1/products/shirt");
/// A change of keys takes force within a few seconds: the node looks about once a second.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[test]
fn token_is_verified_with_the_key_it_names_and_no_other() {
    let shop = Shop::open();
    let storefront = shop.store.signer("storefront");
    let operator = shop.store.signer("operator");
    shop.unmoved(|| {
        let rows = [
            ("operator", "bad-token"),
            ("source", "token-issuer"),
            ("storefront-hmac", "token-issuer"),
            ("nobody", "unknown-key"),
            ("node", "unknown-key"),
            ("", "unknown-key"),
            ("Storefront", "unknown-key"),
            (" storefront", "unknown-key"),
            ("storefront\u{0}", "unknown-key"),
            ("../keys/storefront", "unknown-key"),
            ("storefront.pem", "unknown-key"),
            ("' OR 1=1 --", "unknown-key"),
        ];
        for (kid, name) in rows {
            let token = forged(&storefront, &json!({"alg": "EdDSA", "kid": kid}), &claims());
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, name), kid);
        }
        for kid in [json!(null), json!(2), json!(["storefront"]), json!({"storefront": 1})] {
            let token = forged(&storefront, &json!({"alg": "EdDSA", "kid": kid}), &claims());
            let about = kid.to_string();
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), &about);
        }
        let token = forged(&storefront, &json!({"alg": "EdDSA"}), &claims());
        refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), "no kid");
        let token = forged(&operator, &header(), &claims());
        refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), "another's kid");
    });
}

#[test]
fn members_that_come_twice_are_refused() {
    let shop = Shop::open();
    let signer = shop.store.signer("storefront");
    let good = claims().to_string();
    let now_s = now_s();
    shop.unmoved(|| {
        for header in [
            r#"{"alg":"EdDSA","kid":"storefront","kid":"storefront"}"#,
            r#"{"alg":"EdDSA","kid":"nobody","kid":"storefront"}"#,
            r#"{"alg":"EdDSA","kid":"storefront","\u006bid":"operator"}"#,
            r#"{"alg":"none","kid":"storefront","alg":"EdDSA"}"#,
            r#"["EdDSA","storefront"]"#,
            r#"{"alg":"EdDSA","kid":"storefront"}{}"#,
            r#"{"alg":"EdDSA","kid":"storefront"#,
            "",
        ] {
            let token = signer.compact_jws(header, &good);
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), header);
        }
        let rest = format!(r#""aud":"{STORE}","iat":{now_s},"exp":{}"#, now_s + 60);
        for claims in [
            format!(r#"{{{rest},"sub":"ada","sub":"eve"}}"#),
            format!(r#"{{{rest},"sub":"ada","\u0073ub":"eve"}}"#),
            format!(r#"{{{rest},"sub":"ada","exp":{}}}"#, now_s + 9),
            format!(r#"{{{rest},"sub":"ada","aud":"{STORE}"}}"#),
            format!(r#"{{{rest},"sub":"ada","scope":"cart","scope":"checkout"}}"#),
            format!(r#"{{{rest},"sub":["ada"]}}"#),
            format!(r#"{{{rest},"sub":"ada eve"}}"#),
            format!(r#"{{{rest},"sub":""}}"#),
            format!(r#"{{{rest},"sub":"{}"}}"#, "s".repeat(65)),
            format!("{{{rest}}}"),
        ] {
            let token = signer.compact_jws(&header().to_string(), &claims);
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), &claims);
        }
    });
}

#[test]
fn altered_tokens_and_tokens_for_others_are_refused() {
    let shop = Shop::open();
    let signer = shop.store.signer("storefront");
    let good = forged(&signer, &header(), &claims());
    shop.unmoved(|| {
        assert_eq!(shop.bear(&good, SHIRT, &Value::Null).status, 200);
        let parts: Vec<&str> = good.split('.').collect();
        let mut theirs = claims();
        theirs["sub"] = json!("eve");
        let theirs = URL_SAFE_NO_PAD.encode(theirs.to_string());
        let altered = [
            format!("{}.{theirs}.{}", parts[0], parts[2]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{good}.{}", parts[2]),
            format!("{}..{}", parts[0], parts[2]),
            format!("{}={}", &good[..good.len() - 1], &good[good.len() - 1..]),
            format!("{good}="),
            good.replace('.', " ."),
            good.to_ascii_uppercase(),
            "null".to_owned(),
            "..".to_owned(),
        ];
        for token in altered {
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), &token);
        }
        for aud in [json!("other"), json!("Store"), json!(["other"]), json!("")] {
            let mut claims = claims();
            claims["aud"] = aud.clone();
            let token = forged(&signer, &header(), &claims);
            let about = aud.to_string();
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "token-audience"), &about);
        }
        for aud in [json!([STORE, "other"]), json!([]), json!(null), json!(7)] {
            let mut claims = claims();
            claims["aud"] = aud.clone();
            let token = forged(&signer, &header(), &claims);
            let about = aud.to_string();
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), &about);
        }
    });
}

/// The token was verified and remembered on this very connection; the key is revoked under it.
#[test]
fn revoked_key_closes_its_tokens_on_open_connections() {
    let shop = Shop::open();
    let token = shop.token("ada", ALL_SCOPES);
    let claims = TokenClaims {
        audience: STORE,
        session: "ada",
        scope: ALL_SCOPES,
        issued_s: now_s(),
        life_s: 600,
    };
    let others = shop.store.signer("operator").token(&claims).expect("a good token");
    let mut wire = Wire::connect(&shop.node);
    let mut ask = |token: &str| {
        wire.send(&shop.borne(token, SHIRT, &Value::Null));
        wire.answer()
    };
    for token in [&token, &others, &token] {
        assert_eq!(ask(token).status, 200);
    }
    let (code, said) = shop.store.claw(&["keys", "revoke", "storefront"]);
    assert_eq!(code, Some(0), "{said}");
    let deadline = Instant::now() + PATIENCE;
    let answer = loop {
        let answer = ask(&token);
        if answer.status != 200 {
            break answer;
        }
        assert!(Instant::now() < deadline, "still accepted");
        std::thread::park_timeout(LOOK_AGAIN);
    };
    refused(&answer, (401, "revoked-key"), "the connection is open, the key is not");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    assert_eq!(ask(&others).status, 200, "another key's token is as before");
    let fresh = shop.token("ada", ALL_SCOPES);
    refused(&ask(&fresh), (401, "revoked-key"), "a fresh token of the same key");
}
