//! Requests that must be refused: the precise problem document, and nothing in the log.
//!
//! Every test looks at the shards' positions before and after. HTTP's own traps are in
//! `framing.rs`.

use claw_sdk::{Client, Response, Signer};
use claw_tests::{Draft, Node, Store, Wire};
use serde_json::{Value, json};

const KEY: &str = "0190b5a4-7f3c-4c57-8f2e-3d1c5a9b7e10";
/// Names nothing that exists.
const NOBODY: &str = "0190b5a4-0000-7000-8000-000000000000";

/// A store with ten shirts and its node.
fn shop() -> (Store, Node) {
    let store = Store::with("minimal", &[("store.shards", "2")]);
    let node = Node::start(&store);
    let mut source = node.client(&store, "source");
    let product = json!({"name": "Shirt", "price": {"amount": 1000, "currency": "EUR"}});
    let made = source.request("PUT", "/v1/products/shirt", product.to_string().as_bytes());
    assert_eq!(made.expect("the node answers").status, 201);
    let stock = json!({"delta": 10, "reason": "delivery"});
    let moved = source.request("POST", "/v1/products/shirt/stock", stock.to_string().as_bytes());
    assert_eq!(moved.expect("the node answers").status, 200);
    (store, node)
}

/// Sends one request on a connection of its own.
fn ask(node: &Node, draft: &Draft<'_>) -> Response {
    let mut wire = Wire::connect(node);
    wire.send(&draft.bytes(node));
    wire.answer()
}

/// What every problem document has, and that it is this problem.
fn assert_problem(answer: &Response, status: u16, name: &str, about: &str) -> Value {
    let body = answer.json();
    assert_eq!(answer.status, status, "{about}: {body}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{about}");
    assert_eq!(body["type"], format!("urn:openclaw:problem:{name}"), "{about}: {body}");
    assert_eq!(body["status"], status, "{about}: {body}");
    for member in ["title", "detail"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{about}: {body}");
    }
    assert_eq!(answer.header("claw-position"), None, "{about}: nothing was logged");
    body
}

#[test]
fn documents_that_are_no_json_name_the_place() {
    let (store, node) = shop();
    let before = node.positions();
    let signer = store.signer("storefront-hmac");
    let deep = format!("{{\"session\": {}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let rows: [(&[u8], u64, u64); 8] = [
        (b"", 1, 1),
        (b"{\"session\": ", 1, 13),
        (b"{\"session\": \"a\",\n \"items\" []}", 2, 10),
        (b"{\"session\": \"a\"} {}", 1, 18),
        (b"{\"session\": 'a'}", 1, 13),
        (b"{\"session\": \"\\q\"}", 1, 0),
        (b"{\"session\": \"\xff\"}", 1, 14),
        (deep.as_bytes(), 1, 0),
    ];
    for (body, line, column) in rows {
        let about = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let draft =
            Draft { idempotency_key: Some(KEY), ..Draft::new(&signer, "POST", "/v1/holds", body) };
        let problem = assert_problem(&ask(&node, &draft), 400, "malformed", &about);
        assert_eq!(problem["line"], line, "{about}: {problem}");
        // Within a text or a nesting the column is the reader's business.
        if column > 0 {
            assert_eq!(problem["column"], column, "{about}: {problem}");
        }
    }
    assert_eq!(node.positions(), before);
}

#[test]
fn documents_against_the_schema_name_the_member() {
    let (store, node) = shop();
    let before = node.positions();
    let mut operator = node.client(&store, "operator");
    let line = json!([{"sku": "shirt", "quantity": 1}]);
    let lines = |value: &str| format!("{{\"session\":\"a\",\"items\":{value}}}");
    let many: Vec<_> = (0..33).map(|n| json!({"sku": format!("s{n}"), "quantity": 1})).collect();
    let long = json!({"session": "s".repeat(65), "items": line}).to_string();
    let holds = [
        ("{}".to_owned(), "session"),
        (json!({"session": "a"}).to_string(), "items"),
        (json!({"session": 7, "items": line}).to_string(), "session"),
        (json!({"session": "", "items": line}).to_string(), "session"),
        (json!({"session": "a b", "items": line}).to_string(), "session"),
        (long, "session"),
        (json!({"session": "a", "items": line, "colour": "red"}).to_string(), "colour"),
        (json!({"session": "a", "itms": line}).to_string(), "itms"),
        (json!({"session": "a", "items": line, "ttl_ms": 1}).to_string(), "ttl_ms"),
        (json!({"session": "a", "items": line, "ttl_ms": 1.5}).to_string(), "ttl_ms"),
        (lines("[]"), "items"),
        (lines("{}"), "items"),
        (lines(&json!(many).to_string()), "items[32]"),
        (lines("[{\"sku\":\"shirt\"}]"), "items[0].quantity"),
        (lines("[{\"sku\":\"shirt\",\"quantity\":0}]"), "items[0].quantity"),
        (lines("[{\"sku\":\"shirt\",\"quantity\":-1}]"), "items[0].quantity"),
        (lines("[{\"sku\":\"shirt\",\"quantity\":\"1\"}]"), "items[0].quantity"),
        (lines("[{\"sku\":\"shirt\",\"quantity\":1000001}]"), "items[0].quantity"),
        (lines("[{\"sku\":\"shirt\",\"quantity\":1e99}]"), "items[0].quantity"),
        (lines("[{\"sku\":\"a/b\",\"quantity\":1}]"), "items[0].sku"),
        (lines("[{\"sku\":\"shirt\",\"quantity\":1,\"size\":2}]"), "items[0].size"),
        ("{\"session\":\"a\",\"session\":\"b\",\"items\":[]}".to_owned(), "session"),
    ];
    for (body, path) in holds {
        refused_by_schema(&mut operator, ("POST", "/v1/holds"), &body, path);
    }
    let price = |amount: i64| json!({"amount": amount, "currency": "EUR"});
    let others = [
        ("PUT", "/v1/products/hat", json!({"name": "Hat"}), "price"),
        ("PUT", "/v1/products/hat", json!({"name": "Hat", "price": price(-1)}), "price"),
        ("PUT", "/v1/products/hat", json!({"name": "", "price": price(1)}), "name"),
        ("POST", "/v1/products/shirt/stock", json!({"reason": "delivery"}), "delta"),
        ("POST", "/v1/products/shirt/stock", json!({"delta": 1}), "reason"),
        ("POST", "/v1/products/shirt/price", json!({"price": {"amount": 1}}), "price.currency"),
        (
            "POST",
            "/v1/checkouts",
            json!({"session": "a", "items": line, "payment": {"token": "t"}}),
            "payment",
        ),
    ];
    for (method, target, body, path) in others {
        refused_by_schema(&mut operator, (method, target), &body.to_string(), path);
    }
    assert_eq!(node.positions(), before);
}

fn refused_by_schema(client: &mut Client, place: (&str, &str), body: &str, path: &str) {
    let answer = client.request(place.0, place.1, body.as_bytes()).expect("the node answers");
    let about = body.get(..120).unwrap_or(body);
    let problem = assert_problem(&answer, 422, "schema", about);
    assert_eq!(problem["path"], path, "{about}: {problem}");
    if path == "itms" {
        assert_eq!(problem["suggestion"], "items", "{problem}");
    }
}

#[test]
fn what_cannot_be_authenticated_is_refused_by_name() {
    let (store, node) = shop();
    let before = node.positions();
    let signer = store.signer("storefront-hmac");
    let body = b"{\"session\":\"ada\"}";
    let stranger = {
        let secret = std::fs::read_to_string(store.path().join("keys/storefront-hmac.secret"));
        Signer::hmac("nobody", &secret.expect("made by claw init")).expect("a secret")
    };
    let thief = {
        let pem = std::fs::read_to_string(store.path().join("keys/source.pem"));
        Signer::ed25519("operator", &pem.expect("made by claw init")).expect("a key")
    };
    let mistaken = {
        let secret = claw_sdk::key::generate_secret().expect("randomness");
        Signer::hmac("storefront-hmac", &secret).expect("a secret")
    };
    let other_kind = {
        let secret = claw_sdk::key::generate_secret().expect("randomness");
        Signer::hmac("storefront", &secret).expect("a secret")
    };
    let good =
        Draft { idempotency_key: Some(KEY), ..Draft::new(&signer, "POST", "/v1/carts", body) };
    let rows = [
        ("unsigned", Draft { signer: None, ..good }),
        ("unknown-key", Draft { signer: Some(&stranger), ..good }),
        ("bad-signature", Draft { signer: Some(&thief), ..good }),
        ("bad-signature", Draft { signer: Some(&mistaken), ..good }),
        ("bad-signature", Draft { signer: Some(&other_kind), ..good }),
        ("signature-expired", Draft { age_s: 302, ..good }),
        ("signature-expired", Draft { age_s: -40, ..good }),
        ("bad-signature", Draft { sent_body: b"{\"session\":\"eve\"}", ..good }),
        // Signed without its body: no digest, and not covered.
        ("bad-signature", Draft { body: b"", ..good }),
    ];
    for (name, draft) in rows {
        let answer = ask(&node, &draft);
        assert_problem(&answer, 401, name, name);
        let challenge = if name == "unsigned" { "Signature, Bearer" } else { "Signature" };
        assert_eq!(answer.header("www-authenticate"), Some(challenge), "{name}");
    }
    // An identity that the signature does not cover, and none at all.
    let uncovered = format!("Content-Length: {}\r\nIdempotency-Key: {KEY}\r\n", body.len());
    let draft = Draft { idempotency_key: None, framing: Some(&uncovered), ..good };
    assert_problem(&ask(&node, &draft), 401, "bad-signature", "uncovered identity");
    let draft = Draft { idempotency_key: None, ..good };
    assert_problem(&ask(&node, &draft), 400, "idempotency-key-missing", "no identity");
    let draft = Draft { idempotency_key: Some("7"), ..good };
    assert_problem(&ask(&node, &draft), 400, "idempotency-key-missing", "no UUID");
    assert_eq!(node.positions(), before);
}

#[test]
fn signature_is_for_one_request_only() {
    let (store, node) = shop();
    let before = node.positions();
    let signer = store.signer("storefront-hmac");
    let body = b"{\"session\":\"ada\"}";
    let good =
        Draft { idempotency_key: Some(KEY), ..Draft::new(&signer, "POST", "/v1/carts", body) };
    let signed = String::from_utf8(good.bytes(&node)).unwrap();
    let other_key = KEY.replace("0190b5a4", "0190b5a5");
    let replaced = [
        signed.replace("POST /v1/carts ", "POST /v1/holds "),
        signed.replace("POST /v1/carts ", "PUT /v1/carts "),
        signed.replace("POST /v1/carts ", "POST /v1/carts?x=1 "),
        signed.replace(&format!("Host: {}", node.authority()), "Host: elsewhere:7070"),
        signed.replace(KEY, &other_key),
        signed.replace("created=1", "created=2"),
    ];
    for request in replaced {
        assert_ne!(request, signed);
        let mut wire = Wire::connect(&node);
        wire.send(request.as_bytes());
        let answer = wire.answer();
        // PUT is no method of that path, which is said before anybody is asked who they are.
        let wanted = if request.starts_with("PUT") { [405, 405] } else { [401, 401] };
        assert!(wanted.contains(&answer.status), "{request}: {}", answer.json());
    }
    assert_eq!(node.positions(), before);
}

#[test]
fn identity_belongs_to_one_body() {
    let (store, node) = shop();
    let signer = store.signer("storefront-hmac");
    let hold = |quantity: u64| {
        let items = json!([{"sku": "shirt", "quantity": quantity}]);
        json!({"session": "ada", "items": items}).to_string()
    };
    let (one, two) = (hold(1), hold(2));
    let first = Draft {
        idempotency_key: Some(KEY),
        ..Draft::new(&signer, "POST", "/v1/holds", one.as_bytes())
    };
    let answer = ask(&node, &first);
    assert_eq!(answer.status, 201, "{}", answer.json());
    let before = node.positions();
    let other = Draft { body: two.as_bytes(), sent_body: two.as_bytes(), ..first };
    let refused = ask(&node, &other);
    assert_eq!(refused.status, 422, "{}", refused.json());
    assert_eq!(refused.json()["type"], "urn:openclaw:problem:idempotency-mismatch");
    let again = ask(&node, &first);
    assert_eq!((again.status, again.json()), (201, answer.json()), "the first answer again");
    assert_eq!(node.positions(), before);
    let shirt = node.client(&store, "source").request("GET", "/v1/products/shirt", b"").unwrap();
    assert_eq!(shirt.json()["held"], 1);
}

/// Every route, and which keys may use it: as the public interface says, written down once more.
#[test]
fn every_role_is_kept_to_its_routes() {
    let (store, node) = shop();
    let before = node.positions();
    let id = NOBODY;
    let all = ["source", "storefront", "operator"];
    let catalogue: &[&str] = &["source", "operator"];
    let shopping: &[&str] = &["storefront", "operator"];
    let routes: [(&str, String, &[&str]); 20] = [
        ("PUT", "/v1/products/hat".to_owned(), catalogue),
        ("GET", "/v1/products/hat".to_owned(), &all),
        ("GET", "/v1/products".to_owned(), &["operator"]),
        ("POST", "/v1/products/hat/stock".to_owned(), catalogue),
        ("POST", "/v1/products/hat/price".to_owned(), catalogue),
        ("PUT", "/v1/coupons/ten".to_owned(), catalogue),
        ("GET", "/v1/coupons/ten".to_owned(), catalogue),
        ("POST", "/v1/carts".to_owned(), shopping),
        ("PUT", format!("/v1/carts/{id}/items/hat"), shopping),
        ("GET", format!("/v1/carts/{id}"), shopping),
        ("POST", "/v1/holds".to_owned(), shopping),
        ("GET", format!("/v1/holds/{id}"), shopping),
        ("DELETE", format!("/v1/holds/{id}"), shopping),
        ("POST", format!("/v1/holds/{id}/extend"), shopping),
        ("POST", "/v1/checkouts".to_owned(), shopping),
        ("GET", format!("/v1/orders/{id}"), shopping),
        ("POST", format!("/v1/orders/{id}/cancel"), shopping),
        ("POST", format!("/v1/orders/{id}/ship"), shopping),
        ("POST", format!("/v1/orders/{id}/refund"), shopping),
        ("POST", "/v1/events/never-declared".to_owned(), &all),
    ];
    for role in all {
        let mut client = node.client(&store, role);
        for (method, target, roles) in &routes {
            // No body that any route takes: whoever may ask is refused for that instead.
            let body: &[u8] = if *method == "GET" { b"" } else { b"[0]" };
            let answer = client.request(method, target, body).expect("the node answers");
            let about = format!("{role}: {method} {target}");
            if roles.contains(&role) {
                assert_ne!(answer.status, 403, "{about}: {}", answer.json());
                assert_ne!(answer.status, 401, "{about}: {}", answer.json());
            } else {
                assert_problem(&answer, 403, "forbidden", &about);
            }
        }
    }
    assert_eq!(node.positions(), before);
}

#[test]
fn paths_and_methods_that_are_not_there_say_so() {
    let (store, node) = shop();
    let before = node.positions();
    let mut operator = node.client(&store, "operator");
    let rows = [
        ("GET", "/", 404, "not-found"),
        ("GET", "/v1/products/shirt/", 404, "not-found"),
        ("GET", "/v1/../metrics", 404, "not-found"),
        ("GET", "/v1/holds/not-an-id", 404, "not-found"),
        ("GET", "/v1/products/hat", 404, "not-found"),
        ("DELETE", "/v1/products/shirt", 405, "method-not-allowed"),
        ("POST", "/v1/health", 405, "method-not-allowed"),
        ("GET", "/v1/products?limit=0", 400, "malformed"),
        ("GET", "/v1/products/shirt?verbose=1", 400, "malformed"),
    ];
    for (method, target, status, name) in rows {
        let answer = operator.request(method, target, b"").expect("the node answers");
        let body = answer.json();
        let about = format!("{method} {target}: {body}");
        assert_eq!(answer.status, status, "{about}");
        assert_eq!(body["type"], format!("urn:openclaw:problem:{name}"), "{about}");
        if status == 405 {
            assert!(answer.header("allow").is_some_and(|allow| allow.contains("OPTIONS")));
        }
    }
    assert_eq!(node.positions(), before);
}
