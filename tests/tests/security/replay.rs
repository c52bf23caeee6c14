//! The same bytes again: the first answer, and nothing is done twice; on every unsafe route.

use claw_sdk::client::Response;
use claw_tests::Draft;
use serde_json::{Value, json};

use crate::forge::{ALL_SCOPES, Shop, bytes, refused, rows_of};

/// What a request is about: made fresh for each.
fn prepare(shop: &Shop, template: &str) -> String {
    let made = |path: &str, body: &Value, id: &str| {
        let answer = shop.sign("storefront", ("POST", path), body);
        assert!(matches!(answer.status, 201 | 202), "{}", answer.json());
        answer.json()[id].as_str().expect("an id").to_owned()
    };
    let items = json!([{"sku": "shirt", "quantity": 1}]);
    let basket = json!({"session": "ada", "items": items});
    let id = match template.split('/').nth(2) {
        Some("carts") => made("/v1/carts", &json!({"session": "ada"}), "cart_id"),
        Some("holds") => made("/v1/holds", &basket, "hold_id"),
        Some("orders" | "sagas") => made("/v1/checkouts", &basket, "order_id"),
        _ => String::new(),
    };
    let target = template.replace("{cart}", &id).replace("{id}", &id);
    if target.ends_with("/refund") {
        let ship = target.replace("/refund", "/ship");
        assert_eq!(shop.sign("storefront", ("POST", &ship), &Value::Null).status, 200);
    }
    target.replace("{sku}", "shirt").replace("{code}", "TEN").replace("{type}", "never-declared")
}

/// Every unsafe route: whose key signs it, and a body.
fn table() -> Vec<(&'static str, (&'static str, Value))> {
    let price = json!({"amount": 1999, "currency": "EUR"});
    let shirt = json!({"name": "Shirt", "price": price});
    let items = json!([{"sku": "shirt", "quantity": 1}]);
    let basket = json!({"session": "ada", "items": items});
    let coupon = json!({"kind": "percent", "value": 100, "uses_max": 5});
    let none = Value::Null;
    vec![
        ("PUT /v1/products/{sku}", ("source", shirt)),
        ("POST /v1/products/{sku}/stock", ("source", json!({"delta": 3, "reason": "delivery"}))),
        ("POST /v1/products/{sku}/price", ("source", json!({"price": price}))),
        ("PUT /v1/coupons/{code}", ("source", coupon)),
        ("POST /v1/carts", ("storefront", json!({"session": "ada"}))),
        ("PUT /v1/carts/{cart}/items/{sku}", ("storefront", json!({"quantity": 2}))),
        ("POST /v1/holds", ("storefront", basket.clone())),
        ("POST /v1/waitlist", ("storefront", basket.clone())),
        ("DELETE /v1/holds/{id}", ("storefront", none.clone())),
        ("POST /v1/holds/{id}/extend", ("storefront", json!({"ttl_ms": 90_000}))),
        ("POST /v1/checkouts", ("storefront", basket)),
        ("POST /v1/orders/{id}/cancel", ("storefront", none.clone())),
        ("POST /v1/orders/{id}/ship", ("storefront", none.clone())),
        ("POST /v1/orders/{id}/refund", ("storefront", none.clone())),
        ("POST /v1/sagas/{id}/retry", ("operator", none.clone())),
        ("POST /v1/sagas/{id}/park", ("operator", none)),
        ("POST /v1/tickets", ("storefront", json!({"session": "ada"}))),
        ("POST /v1/events/{type}", ("storefront", json!({}))),
    ]
}

/// The answer without what is of the moment: a repeated checkout shows its order as it is now.
fn said(answer: &Response) -> (u16, Value) {
    let mut body = answer.json();
    if answer.status == 202 {
        body["state"] = Value::Null;
    }
    (answer.status, body)
}

#[test]
fn signed_request_sent_again_gets_its_first_answer_and_does_nothing() {
    let shop = Shop::open();
    let table = table();
    let rows = rows_of(&table, |spec| spec.signed() && spec.unsafe_method());
    for (number, (spec, (key, body))) in rows.into_iter().enumerate() {
        let target = prepare(&shop, spec.template);
        // One of each kind: the source signs with Ed25519.
        let name = if *key == "storefront" { "storefront-hmac" } else { *key };
        let signer = shop.store.signer(name);
        let identity = format!("0190b5a4-7f3c-4c57-8f2e-{number:012}");
        let body = bytes(body);
        let draft = Draft {
            idempotency_key: Some(&identity),
            ..Draft::new(&signer, spec.method, &target, &body)
        };
        let request = draft.bytes(&shop.node);
        let first = shop.send(&request);
        // Nothing of that name is declared, and what has ended is neither parked nor retried.
        let done = !target.contains("never-declared") && !target.contains("/sagas/");
        assert_eq!(matches!(first.status, 200..=202), done, "{target}: {}", first.json());
        settle(&shop);
        let shirt = shop.shirt();
        shop.unmoved(|| {
            for _ in 0..3 {
                assert_eq!(said(&shop.send(&request)), said(&first), "{target}");
            }
            // The identity is signed: with another one the same bytes are nobody's.
            let text = String::from_utf8(request.clone()).expect("text");
            let other = text.replace(&identity, &identity.replace("0190b5a4", "0190b5a5"));
            assert_ne!(text, other);
            refused(&shop.send(other.as_bytes()), (401, "bad-signature"), &target);
        });
        assert_eq!(shop.shirt(), shirt, "{target}");
    }
}

/// Orders over several shards go on after they are answered: wait until the log stands still.
fn settle(shop: &Shop) {
    let mut last = shop.node.positions();
    let mut quiet = 0;
    while quiet < 4 {
        std::thread::park_timeout(std::time::Duration::from_millis(10));
        let now = shop.node.positions();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
    }
}

#[test]
fn borne_request_sent_again_gets_its_first_answer_and_does_nothing() {
    let shop = Shop::open();
    let token = shop.token("ada", ALL_SCOPES);
    let fresh = shop.token("ada", &format!("{ALL_SCOPES} renewed"));
    assert_ne!(token, fresh);
    let theirs = shop.token("eve", ALL_SCOPES);
    let (borne, others): (Vec<_>, Vec<_>) = table().into_iter().partition(|row| {
        let by_shop = row.0.ends_with("/ship") || row.0.ends_with("/refund");
        row.1.0 == "storefront" && !by_shop && !row.0.contains("/events/")
    });
    assert_eq!(others.len(), 9, "{others:?}");
    let rows = rows_of(&borne, |spec| {
        spec.unsafe_method() && spec.roles.has(claw_dataplane::ingest::routes::Role::Shopper)
    });
    for (spec, (_, body)) in rows {
        let target = prepare(&shop, spec.template);
        let request = shop.borne(&token, (spec.method, &target), body);
        let first = shop.send(&request);
        assert!(matches!(first.status, 200..=202), "{target}: {}", first.json());
        settle(&shop);
        let shirt = shop.shirt();
        shop.unmoved(|| {
            let text = String::from_utf8(request.clone()).expect("text");
            for again in [text.clone(), text.clone(), text.replace(&token, &fresh)] {
                assert_eq!(said(&shop.send(again.as_bytes())), said(&first), "{target}");
            }
            // The identity belongs to the session: with another's token it is another command.
            let stolen = shop.send(text.replace(&token, &theirs).as_bytes());
            let wanted = if target.matches('/').count() > 2 { 404 } else { 403 };
            let name = if wanted == 404 { "not-found" } else { "forbidden" };
            refused(&stolen, (wanted, name), &target);
        });
        assert_eq!(shop.shirt(), shirt, "{target}");
    }
}
