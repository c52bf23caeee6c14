//! Requests that say two things at once, so that what stands before the node and the node itself
//! could hear different ones.

use claw_tests::{Draft, Wire};
use serde_json::{Value, json};

use crate::forge::{ALL_SCOPES, Shop, refused};

const KEY: &str = "0190b5a4-7f3c-4c57-8f2e-3d1c5a9b7e10";
const CART: &str = "{\"session\":\"ada\"}";

/// A cart with a token; `lines` come in front of the rest, each with its end.
fn cart(shop: &Shop, lines: &str) -> String {
    format!(
        "POST /v1/carts HTTP/1.1\r\nHost: {}\r\n{lines}Idempotency-Key: {KEY}\r\n\
         Content-Length: {}\r\n\r\n{CART}",
        shop.node.authority(),
        CART.len()
    )
}

/// A cart signed as it should be.
fn signed_cart(shop: &Shop) -> String {
    let signer = shop.store.signer("storefront-hmac");
    let draft = Draft {
        idempotency_key: Some(KEY),
        ..Draft::new(&signer, "POST", "/v1/carts", CART.as_bytes())
    };
    String::from_utf8(draft.bytes(&shop.node)).expect("text")
}

#[test]
fn two_proofs_of_who_asks_are_one_too_many() {
    let shop = Shop::open();
    let token = shop.token("ada", ALL_SCOPES);
    let other = shop.token("eve", ALL_SCOPES);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let signed = signed_cart(&shop);
    let with =
        |line: &str| signed.replacen("\r\nSignature: ", &format!("\r\n{line}Signature: "), 1);
    shop.unmoved(|| {
        let rows = [
            (with(&bearer), 400, "two-credentials"),
            (with("Authorization: Basic c3RvcmU6c3RvcmU=\r\n"), 400, "two-credentials"),
            (
                signed.replace("Signature-Input: ", &format!("{bearer}X-Input: ")),
                400,
                "two-credentials",
            ),
            (
                signed.replace("\r\nSignature: ", &format!("\r\n{bearer}X-Tag: ")),
                400,
                "two-credentials",
            ),
            (cart(&shop, &format!("{bearer}{bearer}")), 400, "malformed"),
            (cart(&shop, &format!("{bearer}authorization: Bearer {other}\r\n")), 400, "malformed"),
            (
                cart(&shop, &format!("Authorization: Bearer {token}, Bearer {other}\r\n")),
                401,
                "bad-token",
            ),
            (cart(&shop, &format!("Authorization: Bearer {token} {other}\r\n")), 401, "bad-token"),
            (cart(&shop, &format!("Authorization: Bearer {token};\r\n")), 401, "bad-token"),
            (cart(&shop, &format!("Authorization: Bearer \"{token}\"\r\n")), 401, "bad-token"),
            (cart(&shop, "Authorization: Bearer\r\n"), 401, "bad-token"),
            (cart(&shop, "Authorization:\r\n"), 401, "unsigned"),
            (cart(&shop, &format!("Authorization: {token}\r\n")), 401, "unsigned"),
            (cart(&shop, &format!("Authorization: Token {token}\r\n")), 401, "unsigned"),
            (cart(&shop, &format!("Authorization: Bearer\t{token}\r\n")), 401, "unsigned"),
            (cart(&shop, &format!("X-Authorization: Bearer {token}\r\n")), 401, "unsigned"),
            (cart(&shop, &format!("Cookie: Authorization=Bearer {token}\r\n")), 401, "unsigned"),
        ];
        for (request, status, name) in rows {
            refused(&shop.send(request.as_bytes()), (status, name), &request);
        }
    });
}

/// One label with two meanings: the next reader may take the other.
#[test]
fn label_that_comes_twice_is_refused() {
    let shop = Shop::open();
    let signed = signed_cart(&shop);
    let input = signed.lines().find(|line| line.starts_with("Signature-Input: ")).expect("signed");
    let tag = signed.lines().find(|line| line.starts_with("Signature: ")).expect("signed");
    let (label, parameters) = input["Signature-Input: ".len()..].split_once('=').expect("a label");
    let value = tag["Signature: ".len()..].split_once('=').expect("a label").1;
    let twice = |from: &str, to: &str| {
        let changed = signed.replacen(from, to, 1);
        assert_ne!(changed, signed);
        changed
    };
    shop.unmoved(|| {
        let rows = [
            (twice(input, &format!("{input}, {label}={parameters}")), 401, "bad-signature"),
            (twice(input, &format!("{input}, {label}=()")), 401, "bad-signature"),
            (
                twice(input, &format!("Signature-Input: {label}=(), {}", &input[17..])),
                401,
                "bad-signature",
            ),
            (twice(tag, &format!("{tag}, {label}={value}")), 401, "bad-signature"),
            (
                twice(tag, &format!("Signature: {label}=:AAAA:, {}", &tag[11..])),
                401,
                "bad-signature",
            ),
            (twice(input, &format!("{input}\r\n{input}")), 400, "malformed"),
            (twice(tag, &format!("{tag}\r\n{tag}")), 400, "malformed"),
        ];
        for (request, status, name) in rows {
            refused(&shop.send(request.as_bytes()), (status, name), &request);
        }
        let many = (0..9).fold(input.to_owned(), |all, n| format!("{all}, l{n}=()"));
        refused(&shop.send(twice(input, &many).as_bytes()), (401, "bad-signature"), "too many");
    });
}

#[test]
fn fields_that_are_folded_spaced_or_doubled_end_the_connection() {
    let shop = Shop::open();
    let token = shop.token("ada", ALL_SCOPES);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let length = CART.len();
    let smuggled = cart(&shop, &bearer);
    shop.unmoved(|| {
        let rows = [
            format!("Authorization: Bearer\r\n {token}\r\n"),
            format!("Authorization:\r\n\tBearer {token}\r\n"),
            format!("Authorization : Bearer {token}\r\n"),
            format!(" Authorization: Bearer {token}\r\n"),
            format!("Authorization\t: Bearer {token}\r\n"),
            format!("Authorization: Bearer {token}\nX: y\r\n"),
            format!("Authorization: Bearer {token}\rX: y\r\n"),
            format!("Authorization: Bearer {token}\0\r\n"),
            format!("Authorization: Bearer {token}\u{e9}\r\n"),
            format!("{bearer}Host: elsewhere\r\n"),
            format!("{bearer}:authority: elsewhere\r\n"),
            format!("{bearer}Idempotency-Key: {KEY}\r\n"),
            format!("{bearer}Content-Length: {length}\r\n"),
            format!("{bearer}Content-Length: 0\r\n"),
            format!("{bearer}Content-Length: {length}, {length}\r\n"),
            format!("{bearer}Transfer-Encoding: chunked\r\n"),
            format!("{bearer}Transfer-Encoding: identity\r\n"),
            format!("{bearer}Transfer-Encoding : chunked\r\n"),
            format!("{bearer}transfer-encoding:\u{b}chunked\r\n"),
            format!("{bearer}Content-Type: a\r\nContent-Type: b\r\n"),
            format!("{bearer}Claw-After: 0:1\r\nClaw-After: 0:2\r\n"),
            format!("{bearer}Origin: a\r\nOrigin: b\r\n"),
        ];
        for lines in rows {
            let mut wire = Wire::connect(&shop.node);
            wire.send(cart(&shop, &lines).as_bytes());
            wire.send(smuggled.as_bytes());
            let answer = wire.answer();
            refused(&answer, (400, "malformed"), &lines);
            assert_eq!(answer.header("connection"), Some("close"), "{lines}");
            assert!(wire.ended(), "{lines}: what came behind it was taken for a request");
        }
        let elsewhere = [
            smuggled.replacen("POST /v1", "POST http://elsewhere/v1", 1),
            smuggled.replacen("POST /v1", "POST //elsewhere/v1", 1),
            smuggled.replacen("HTTP/1.1", "HTTP/1.1 HTTP/1.1", 1),
            smuggled.replacen("Host: ", "Host: user@", 1),
            smuggled.replacen("Host: ", "Host: elsewhere, ", 1),
            smuggled.replacen("Host: ", "X-Host: ", 1),
        ];
        for request in elsewhere {
            // Two slashes are no host here, but a path that is not there.
            let path = request.starts_with("POST //elsewhere");
            let wanted = if path { (404, "not-found") } else { (400, "malformed") };
            refused(&shop.send(request.as_bytes()), wanted, &request);
        }
    });
}

#[test]
fn oversized_tokens_are_refused_and_larger_heads_too() {
    let shop = Shop::open();
    let token = shop.token("ada", ALL_SCOPES);
    shop.unmoved(|| {
        let padded =
            |count: usize| format!("Authorization: Bearer {token}{}\r\n", "A".repeat(count));
        for count in [1, 2048, 8 * 1024] {
            let request = cart(&shop, &padded(count));
            refused(&shop.send(request.as_bytes()), (401, "bad-token"), &count.to_string());
        }
        let request = cart(&shop, &padded(17 * 1024));
        refused(&shop.send(request.as_bytes()), (431, "head-too-large"), "a head of 17 KiB");
        // Good, but for a claim that makes it larger than a token may be.
        let signer = shop.store.signer("storefront");
        let mut claims = crate::forge::claims();
        claims["note"] = json!("n".repeat(1800));
        let large = crate::forge::forged(&signer, &crate::forge::header(), &claims);
        let place = ("GET", "/v1/products/shirt");
        refused(&shop.bear(&large, place, &Value::Null), (401, "bad-token"), "2 KiB and more");
        claims["note"] = json!("n".repeat(900));
        let fits = crate::forge::forged(&signer, &crate::forge::header(), &claims);
        assert_eq!(shop.bear(&fits, place, &Value::Null).status, 200);
    });
}

/// A digest is not asked for under a token; one that is sent must be right.
#[test]
fn digest_that_is_sent_with_a_token_must_be_right() {
    let shop = Shop::open();
    let token = shop.token("ada", ALL_SCOPES);
    shop.unmoved(|| {
        for digest in
            ["sha-256=:AAAA:", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", "x"]
        {
            let lines = format!("Authorization: Bearer {token}\r\nContent-Digest: {digest}\r\n");
            let answer = shop.send(cart(&shop, &lines).as_bytes());
            refused(&answer, (400, "malformed"), digest);
        }
    });
}
