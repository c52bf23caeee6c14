//! A signature is for one request: moved to another method, path, host, query, body or identity, it
//! does not hold.

use claw_tests::Draft;
use serde_json::json;

use crate::forge::{Shop, refused};

const KEY: &str = "0190b5a4-7f3c-4c57-8f2e-3d1c5a9b7e10";
const OTHER_KEY: &str = "0190b5a4-7f3c-4c57-8f2e-3d1c5a9b7e11";
const NOTHING: &str = "01a00000-0000-7000-8000-000000000000";

fn replaced(request: &str, from: &str, to: &str) -> String {
    let changed = request.replacen(from, to, 1);
    assert_ne!(changed, request, "{from} is not in it");
    changed
}

#[test]
fn signature_moved_to_another_request_does_not_hold() {
    let shop = Shop::open();
    let body = json!({"session": "ada", "items": [{"sku": "shirt", "quantity": 1}]}).to_string();
    shop.unmoved(|| {
        for key in ["storefront", "storefront-hmac"] {
            let signer = shop.store.signer(key);
            let hold = Draft {
                idempotency_key: Some(KEY),
                ..Draft::new(&signer, "POST", "/v1/holds", body.as_bytes())
            };
            let hold = String::from_utf8(hold.bytes(&shop.node)).expect("text");
            let read = format!("/v1/holds/{NOTHING}");
            let read = Draft::new(&signer, "GET", &read, b"");
            let read = String::from_utf8(read.bytes(&shop.node)).expect("text");
            let host = format!("Host: {}", shop.node.authority());
            let port = shop.node.authority().rsplit_once(':').expect("a port").1;
            let rows = [
                replaced(&hold, "POST /v1/holds ", "POST /v1/checkouts "),
                replaced(&hold, "POST /v1/holds ", "POST /v1/carts "),
                replaced(&hold, "POST /v1/holds ", "POST /v1/holds? "),
                replaced(&hold, "POST /v1/holds ", "POST /v1/holds?session=eve "),
                replaced(&hold, &host, "Host: shop.example"),
                replaced(&hold, &host, &format!("Host: localhost:{port}")),
                replaced(&hold, &host, "Host: 127.0.0.1"),
                replaced(&hold, "\"session\":\"ada\"", "\"session\":\"eve\""),
                replaced(&hold, "\"quantity\":1", "\"quantity\":9"),
                replaced(&hold, KEY, OTHER_KEY),
                replaced(&hold, "sha-256=:", "sha-256=:AAAA"),
                replaced(&hold, "Content-Digest: sha-256=:", "Content-Digest: sha-512=:"),
                replaced(&hold, "Content-Digest: ", "X-Digest: "),
                replaced(&hold, "Idempotency-Key: ", "X-Key: "),
                replaced(&hold, "created=", "expires=1;created="),
                replaced(&hold, ";alg=", ";nonce=\"n\";alg="),
                replaced(&hold, " \"content-digest\"", ""),
                replaced(&hold, " \"idempotency-key\"", ""),
                replaced(&hold, " \"@path\"", ""),
                replaced(&hold, "\"@method\" ", ""),
                replaced(&hold, " \"@authority\"", ""),
                replaced(&hold, "\"@path\"", "\"@path\" \"@path\""),
                replaced(&hold, "\"@method\"", "\"@method\";req"),
                replaced(&hold, "\"@path\"", "\"@query-param\";name=\"a\""),
                replaced(&read, &read[..3], "DELETE"),
                replaced(&read, NOTHING, "01a00000-0000-7000-8000-000000000001"),
                replaced(&read, "/v1/holds/", "/v1/orders/"),
                replaced(&read, " HTTP/1.1", "?x=1 HTTP/1.1"),
            ];
            for request in rows {
                let answer = shop.send(request.as_bytes());
                let expired = request.contains("expires=1;");
                let name = if expired { "signature-expired" } else { "bad-signature" };
                refused(&answer, (401, name), &request);
            }
        }
    });
}

/// The body that was signed is not the one that is sent, on every route that takes one.
#[test]
fn body_that_was_not_signed_is_refused_on_every_route() {
    let shop = Shop::open();
    let signer = shop.store.signer("operator");
    shop.unmoved(|| {
        let mut count = 0;
        for spec in claw_dataplane::ingest::routes::ROUTES {
            if !spec.signed() || !spec.unsafe_method() {
                continue;
            }
            count += 1;
            let target = spec.template.replace("{cart}", NOTHING).replace("{id}", NOTHING);
            let target = target.replace(['{', '}'], "");
            let draft = Draft {
                idempotency_key: Some(KEY),
                ..Draft::new(&signer, spec.method, &target, b"{\"a\":1}")
            };
            for sent_body in [b"{\"a\":2}".as_slice(), b"{\"a\":1} ", b""] {
                let answer = shop.send(&Draft { sent_body, ..draft }.bytes(&shop.node));
                refused(&answer, (401, "bad-signature"), &target);
            }
            let unsigned_body = Draft { body: b"", sent_body: b"{}", ..draft };
            refused(&shop.send(&unsigned_body.bytes(&shop.node)), (401, "bad-signature"), &target);
        }
        assert!(count > 10, "{count}");
    });
}
