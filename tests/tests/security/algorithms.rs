//! Algorithm confusion: the key decides how it is verified, whatever a token or signature says.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use claw_sdk::key::{keyed_state, public_of_pem};
use claw_sdk::signature::base;
use claw_sdk::{Signer, client::now_s};
use hmac::Mac as _;
use serde_json::{Value, json};

use crate::forge::{Shop, claims, forged, header, refused};

const SHIRT: (&str, &str) = ("GET", "/v1/products/shirt");

fn with_tag(header: &Value, claims: &Value, tag: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let tag = URL_SAFE_NO_PAD.encode(tag(signed.as_bytes()));
    format!("{signed}.{tag}")
}

fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut state = keyed_state(secret);
    state.update(message);
    state.finalize().into_bytes().to_vec()
}

/// The forms in which a public key lies about, each of which was once some library's HMAC secret.
fn public_forms(shop: &Shop) -> Vec<Vec<u8>> {
    let pem = std::fs::read_to_string(shop.store.path().join("keys/storefront.pem"));
    let public = public_of_pem(&pem.expect("made by claw init")).expect("a key");
    let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let der = [prefix.as_slice(), &public].concat();
    let text = STANDARD.encode(&der);
    let spki = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
    vec![
        public.to_vec(),
        STANDARD.encode(public).into_bytes(),
        URL_SAFE_NO_PAD.encode(public).into_bytes(),
        der,
        spki.trim_end().as_bytes().to_vec(),
        spki.into_bytes(),
    ]
}

#[test]
fn tokens_that_name_no_algorithm_or_none_are_refused() {
    let shop = Shop::open();
    let signer = shop.store.signer("storefront");
    shop.unmoved(|| {
        for alg in ["none", "None", "NONE", "nOnE", "none ", " none", "", "null", "\u{0}none"] {
            let header = json!({"alg": alg, "kid": "storefront"});
            let unsigned = with_tag(&header, &claims(), |_| Vec::new());
            let mut bare = unsigned.clone();
            bare.pop();
            let signed = forged(&signer, &header, &claims());
            for token in [unsigned, bare, signed] {
                refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), alg);
            }
        }
        for header in [json!({"kid": "storefront"}), json!({"alg": null, "kid": "storefront"})] {
            let token = forged(&signer, &header, &claims());
            let about = header.to_string();
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), &about);
        }
        // A good header and claims with no signature, or one of nothing.
        for tag in [Vec::new(), vec![0; 64], vec![0; 32], vec![0xff; 64]] {
            let token = with_tag(&header(), &claims(), |_| tag.clone());
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), "no signature");
        }
    });
}

#[test]
fn public_key_is_no_secret_of_a_token() {
    let shop = Shop::open();
    shop.unmoved(|| {
        for secret in public_forms(&shop) {
            for alg in ["HS256", "HS384", "HS512", "EdDSA", "Ed25519"] {
                let header = json!({"alg": alg, "kid": "storefront"});
                let token = with_tag(&header, &claims(), |message| hmac(&secret, message));
                refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), alg);
            }
        }
    });
}

#[test]
fn algorithms_of_other_keys_are_refused_however_well_they_are_signed() {
    let shop = Shop::open();
    let signer = shop.store.signer("storefront");
    let secret = std::fs::read_to_string(shop.store.path().join("keys/storefront-hmac.secret"));
    let secret = STANDARD.decode(secret.expect("made by claw init").trim()).expect("base64");
    shop.unmoved(|| {
        for alg in
            ["RS256", "RS512", "PS256", "ES256", "ES256K", "Ed448", "eddsa", "ed25519", "EDDSA"]
        {
            let header = json!({"alg": alg, "kid": "storefront"});
            for token in [
                forged(&signer, &header, &claims()),
                with_tag(&header, &claims(), |_| vec![1; 256]),
            ] {
                refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), alg);
            }
        }
        // The shop's own HMAC key signs requests, not tokens: right secret, either algorithm.
        for (alg, name) in [("HS256", "bad-token"), ("EdDSA", "token-issuer")] {
            let header = json!({"alg": alg, "kid": "storefront-hmac"});
            let token = with_tag(&header, &claims(), |message| hmac(&secret, message));
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, name), alg);
            let token = forged(&signer, &header, &claims());
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, name), alg);
        }
    });
}

#[test]
fn keys_that_a_token_brings_along_are_not_looked_at() {
    let shop = Shop::open();
    let pem = claw_sdk::key::generate_ed25519().expect("randomness");
    let stranger = Signer::ed25519("storefront", &pem.pem).expect("a key");
    let x = URL_SAFE_NO_PAD.encode(pem.public);
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "storefront"});
    shop.unmoved(|| {
        let extras = [
            json!({"jwk": jwk}),
            json!({"jku": "http://127.0.0.1:1/keys.json"}),
            json!({"x5u": "http://127.0.0.1:1/key.pem"}),
            json!({"x5c": [STANDARD.encode(pem.public)]}),
            json!({"crit": ["exp"]}),
            json!({"crit": [], "b64": false}),
            json!({"typ": "JWE"}),
        ];
        for extra in extras {
            let mut header = header();
            for (name, value) in extra.as_object().expect("an object") {
                header[name] = value.clone();
            }
            let token = forged(&stranger, &header, &claims());
            let about = header.to_string();
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), &about);
        }
    });
}

/// A request of the storefront's Ed25519 key, signed as if it were an HMAC key, and the reverse.
#[test]
fn signatures_of_requests_are_verified_as_their_key_says() {
    let shop = Shop::open();
    let pem = std::fs::read_to_string(shop.store.path().join("keys/source.pem"));
    let as_hmac_key = Signer::ed25519("storefront-hmac", &pem.expect("made by claw init"));
    let as_hmac_key = as_hmac_key.expect("a key");
    shop.unmoved(|| {
        for secret in public_forms(&shop) {
            for alg in [Some("hmac-sha256"), Some("ed25519"), None, Some("none"), Some("")] {
                let tag = |text: &[u8]| hmac(&secret, text);
                let request = read_signed(&shop, "storefront", alg, tag);
                refused(&shop.send(&request), (401, "bad-signature"), &format!("{alg:?}"));
            }
        }
        for alg in [Some("ed25519"), Some("hmac-sha256"), None] {
            let tag = |text: &[u8]| as_hmac_key.tag(text).as_bytes().to_vec();
            let request = read_signed(&shop, "storefront-hmac", alg, tag);
            refused(&shop.send(&request), (401, "bad-signature"), &format!("{alg:?}"));
        }
    });
}

fn read_signed(
    shop: &Shop,
    keyid: &str,
    alg: Option<&str>,
    tag: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let authority = shop.node.authority();
    let alg = alg.map_or(String::new(), |alg| format!(";alg=\"{alg}\""));
    let parameters = format!(
        "(\"@method\" \"@authority\" \"@path\");created={};keyid=\"{keyid}\"{alg}",
        now_s()
    );
    let mut text = Vec::new();
    base::write_component(&mut text, base::METHOD, b"GET");
    base::write_authority(&mut text, authority);
    base::write_component(&mut text, base::PATH, SHIRT.1.as_bytes());
    base::open_parameters(&mut text);
    text.extend_from_slice(parameters.as_bytes());
    let tag = STANDARD.encode(tag(&text));
    format!(
        "GET {} HTTP/1.1\r\nHost: {authority}\r\nSignature-Input: a={parameters}\r\n\
         Signature: a=:{tag}:\r\n\r\n",
        SHIRT.1
    )
    .into_bytes()
}
