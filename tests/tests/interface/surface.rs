//! What holds for all routes: unsigned pages, browsers, paths, methods, sizes.

use claw_sdk::client::{Call, Client};
use serde_json::{Value, json};

use crate::world::{Asker, World, done, fresh_store, hold_body, names, refused, refused_at};

fn stranger(world: &World) -> Asker {
    Asker::new(Client::new(world.node.url(), None).expect("its own address"))
}

#[test]
fn unsigned_pages_answer_anybody() {
    let world = World::start();
    let mut stranger = stranger(&world);
    done(&stranger.get("/v1/health"), 200);
    done(&stranger.get("/v1/ready"), 200);
    let metrics = stranger.get("/metrics");
    assert_eq!(metrics.status, 200);
    let kind = metrics.header("content-type").expect("a type");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = String::from_utf8(metrics.body).expect("text");
    assert!(text.contains("\nclaw_") && text.ends_with("# EOF\n"), "{text}");
    assert_eq!(done(&stranger.get("/openapi.json"), 200)["openapi"], "3.1.0");
    let page = stranger.get("/docs");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").expect("what it may load");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    let html = String::from_utf8(page.body).expect("text");
    assert!(html.starts_with("<!doctype html>") && html.contains("/v1/checkouts"));
    refused(&stranger.get("/v1/products/clog"), 401, "unsigned");
    refused(&stranger.get("/v2"), 404, "not-found");
}

#[test]
fn paths_methods_and_queries_that_are_not_there_are_refused() {
    let mut world = World::start();
    for path in ["/", "/v1", "/v1/holds/", "/v1//holds", "/V1/holds", "/v1/holds/a/b/c/d/e"] {
        refused(&world.operator.get(path), 404, "not-found");
    }
    let patch = world.operator.send(&Call {
        method: "PATCH",
        target: "/v1/products/clog",
        ..Call::default()
    });
    refused(&patch, 405, "method-not-allowed");
    let mut allowed: Vec<_> = patch.header("allow").expect("it says which").split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "OPTIONS", "PUT"]);
    refused(&world.operator.get("/v1/holds"), 405, "method-not-allowed");
    refused(&world.operator.get("/v1/products/clog?x=1"), 400, "malformed");
}

#[test]
fn bodies_are_json_of_at_most_64_kib() {
    let mut world = World::start();
    world.stock("clog", 1, 100);
    let mut send = |body: &[u8]| {
        world.storefront.send(&Call {
            method: "POST",
            target: "/v1/holds",
            body,
            ..Call::default()
        })
    };
    let padded = |size: usize| {
        let mut body = hold_body("s", &[("clog", 1)]).to_string().into_bytes();
        body.resize(size, b' ');
        body
    };
    refused(&send(&padded(64 * 1024 + 1)), 413, "body-too-large");
    done(&send(&padded(64 * 1024)), 201);
    let rows: [(&[u8], u64, u64); 4] =
        [(b"{", 1, 2), (b"", 1, 1), (b"{\"session\":\n \"s\",}", 2, 6), (b"{} {}", 1, 4)];
    for (body, line, column) in rows {
        let problem = refused(&send(body), 400, "malformed");
        assert_eq!(
            (&problem["line"], &problem["column"]),
            (&json!(line), &json!(column)),
            "{problem}"
        );
    }
    refused(&send(b"\xff"), 400, "malformed");
    refused_at(&send(b"{\"session\":\"s\",\"session\":\"s\"}"), "session");
    assert_eq!(world.places("clog"), [1, 0, 0]);
    let body = world.storefront.send(&Call {
        method: "GET",
        target: "/v1/products/clog",
        body: b"{\"a\":1}",
        ..Call::default()
    });
    refused(&body, 400, "malformed");
}

#[test]
fn misspelt_members_are_named_with_a_suggestion() {
    let mut world = World::start();
    let body = json!({"sesion": "s", "items": [{"sku": "clog", "quantity": 1}]});
    let problem = refused(&world.storefront.post("/v1/holds", &body), 422, "schema");
    assert_eq!((&problem["path"], &problem["suggestion"]), (&json!("sesion"), &json!("session")));
}

#[test]
fn browsers_may_ask_from_the_origins_of_the_store_only() {
    let store = fresh_store(&[("cors_origins", "[\"https://shop.example\"]")]);
    let world = World::start_on(store, &[]);
    let mut stranger = stranger(&world);
    let every = ["GET", "POST", "PUT", "DELETE"];
    let rows: [(&str, &[&str]); 5] = [
        ("*", &every),
        ("/v1/holds", &["POST"]),
        ("/v1/holds/x", &["GET", "DELETE"]),
        ("/v1/products/clog", &["GET", "PUT"]),
        ("/v1/tickets", &["POST"]),
    ];
    for (target, wanted) in rows {
        let mut ask = |origin: &str| {
            let headers = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
            stranger.send(&Call { method: "OPTIONS", target, headers: &headers, ..Call::default() })
        };
        let ours = ask("https://shop.example");
        assert_eq!(ours.status, 204);
        assert_eq!(ours.header("access-control-allow-origin"), Some("https://shop.example"));
        assert_eq!(ours.header("access-control-allow-credentials"), None);
        assert_eq!(ours.header("vary"), Some("Origin"));
        let methods = ours.header("access-control-allow-methods").expect("it says which");
        let headers = ours.header("access-control-allow-headers").expect("it says which");
        let mut methods: Vec<_> = methods.split(", ").filter(|one| *one != "OPTIONS").collect();
        methods.sort_by_key(|one| every.iter().position(|known| known == one));
        assert_eq!(methods, wanted, "{target}");
        for header in [
            "Idempotency-Key",
            "Signature",
            "Signature-Input",
            "Content-Digest",
            "Claw-After",
            "Prefer",
            "If-Match",
            "Authorization",
            "Content-Type",
        ] {
            assert!(headers.contains(header), "{headers}");
        }
        for origin in ["https://evil.example", "null", "*", "https://shop.example:443", ""] {
            let others = ask(origin);
            assert_eq!(others.status, 204);
            assert_eq!(others.header("vary"), Some("Origin"), "caches keep the two apart");
            let said = |header: &(String, String)| header.0.starts_with("access-control");
            assert!(!others.headers.iter().any(said), "{origin}: {others:?}");
        }
    }
    for (target, status) in [("/v1/health", 200), ("/v1/products/clog", 401), ("/nowhere", 404)] {
        let headers = [("Origin", "https://shop.example")];
        let answer =
            stranger.send(&Call { method: "GET", target, headers: &headers, ..Call::default() });
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
        assert!(answer.header("vary").is_some_and(|vary| vary.contains("Origin")));
        let exposed = answer.header("access-control-expose-headers").expect("it says which");
        for name in ["Claw-Position", "Retry-After", "Location", "ETag"] {
            assert!(exposed.contains(name), "{exposed}");
        }
        let headers = [("Origin", "https://shop.example.evil")];
        let answer =
            stranger.send(&Call { method: "GET", target, headers: &headers, ..Call::default() });
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn description_and_router_have_the_same_routes() {
    let world = World::start();
    let mut stranger = stranger(&world);
    let document = done(&stranger.get("/openapi.json"), 200);
    let mut described = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            if method != "options" {
                described.push(format!("{} {path}", method.to_ascii_uppercase()));
            }
            answers_as_described(&mut stranger, (method, path), operation);
        }
    }
    described.sort();
    let mut expected = [
        "GET /docs",
        "GET /metrics",
        "GET /openapi.json",
        "GET /v1/carts/{cart}",
        "GET /v1/coupons/{code}",
        "GET /v1/health",
        "GET /v1/holds/{id}",
        "GET /v1/orders/{id}",
        "GET /v1/orders/{id}/receipt",
        "GET /v1/products",
        "GET /v1/products/{sku}",
        "GET /v1/ready",
        "GET /v1/sagas/{id}",
        "GET /v1/shards/{shard}/sagas",
        "GET /v1/shards/{shard}/state",
        "GET /v1/ws",
        "DELETE /v1/holds/{id}",
        "POST /v1/carts",
        "POST /v1/checkouts",
        "POST /v1/events/{type}",
        "POST /v1/holds",
        "POST /v1/holds/{id}/extend",
        "POST /v1/orders/{id}/cancel",
        "POST /v1/orders/{id}/refund",
        "POST /v1/orders/{id}/ship",
        "POST /v1/payments/webhook/stripe",
        "POST /v1/sagas/{id}/park",
        "POST /v1/sagas/{id}/retry",
        "POST /v1/tickets",
        "POST /v1/waitlist",
        "POST /v1/products/{sku}/price",
        "POST /v1/products/{sku}/stock",
        "PUT /v1/carts/{cart}/items/{sku}",
        "PUT /v1/coupons/{code}",
        "PUT /v1/products/{sku}",
    ];
    expected.sort_unstable();
    assert_eq!(described, expected);
    no_reference_dangles(&document, &document);
}

/// A stranger is let in exactly where the description says that nothing is signed.
fn answers_as_described(stranger: &mut Asker, place: (&str, &str), operation: &Value) {
    let method = place.0.to_ascii_uppercase();
    let target = place.1.replace(['{', '}'], "");
    let answer =
        stranger.send(&Call { method: &method, target: &target, body: b"", ..Call::default() });
    let unsigned = operation["security"].as_array().is_some_and(Vec::is_empty);
    let open = match method.as_str() {
        "OPTIONS" => 204,
        // Webhooks, in a store whose payments are none.
        "POST" => 404,
        // No upgrade.
        _ if target.ends_with("/ws") => 400,
        _ => 200,
    };
    assert_eq!(answer.status, if unsigned { open } else { 401 }, "{method} {target}");
    let described = &operation["responses"][answer.status.to_string()];
    assert!(described.is_object(), "{method} {target}: {} is not described", answer.status);
    let key = operation["parameters"].to_string().contains("IdempotencyKey");
    let changes = matches!(method.as_str(), "POST" | "PUT" | "DELETE");
    assert_eq!(key, changes && !unsigned, "{method} {target}");
    assert!(operation["summary"].is_string() && operation["operationId"].is_string());
    assert!(!names(&operation["responses"]).is_empty(), "{operation}");
}

fn no_reference_dangles(value: &Value, document: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                let pointer = target.strip_prefix('#').expect("within the document");
                assert!(document.pointer(pointer).is_some(), "{target}");
            }
            for member in members.values() {
                no_reference_dangles(member, document);
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                no_reference_dangles(entry, document);
            }
        }
        _ => {}
    }
}
