//! One key, one effect: the same key and body get the first answer again.

use claw_sdk::client::{Call, Response, new_idempotency_key};
use serde_json::{Value, json};

use crate::world::{Asker, World, done, eur, hold_body, items, refused, scattered_skus, text};

fn send(asker: &mut Asker, place: (&str, &str), body: &Value, key: &str) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (method, target) = place;
    asker.send(&Call {
        method,
        target,
        body: body.as_bytes(),
        idempotency_key: Some(key),
        ..Call::default()
    })
}

/// Method, path, body, and another body for the same key where there is one.
type Row = (&'static str, String, Value, Option<Value>);

fn stock_of_sources(sku: &str) -> Vec<Row> {
    let product = format!("/v1/products/{sku}");
    let moved = |delta: i64| json!({"delta": delta, "reason": "a"});
    let put = |name: &str| json!({"name": name, "price": eur(100)});
    let price = |amount: i64| json!({"price": eur(amount)});
    let coupon = |value: i64| json!({"kind": "percent", "value": value, "uses_max": 5});
    vec![
        ("PUT", "/v1/products/new".into(), put("a"), Some(put("b"))),
        ("POST", format!("{product}/stock"), moved(1), Some(moved(2))),
        ("POST", format!("{product}/stock"), moved(-999), Some(moved(2))),
        ("POST", format!("{product}/price"), price(100), Some(price(7))),
        ("PUT", "/v1/coupons/NEW".into(), coupon(1), Some(coupon(2))),
    ]
}

/// Also refused ones, and baskets across all shards.
fn baskets(world: &mut World, lines: &[(&str, i64)]) -> Vec<Row> {
    let sku = lines[0].0;
    let cart = done(&world.operator.post("/v1/carts", &json!({"session": "s"})), 201);
    let line = format!("/v1/carts/{}/items/{sku}", text(&cart["cart_id"]));
    let released = format!("/v1/holds/{}", world.hold("s", lines));
    let extended = format!("/v1/holds/{}/extend", world.hold("s", &lines[..1]));
    let hold = |units: i64| hold_body("s", &[(sku, units)]);
    let buy = |units: i64| json!({"session": "s", "items": items(&[(sku, units)])});
    let (quantity, ttl) = (|n: i64| json!({"quantity": n}), |ms: i64| json!({"ttl_ms": ms}));
    let all = hold_body("s", lines);
    vec![
        ("POST", "/v1/carts".into(), json!({"session": "s"}), None),
        ("PUT", line, quantity(1), Some(quantity(2))),
        ("POST", "/v1/holds".into(), hold(1), Some(hold(2))),
        ("POST", "/v1/holds".into(), all, Some(hold_body("t", lines))),
        ("POST", "/v1/holds".into(), hold(9999), Some(hold(1))),
        ("POST", extended, ttl(90_000), Some(ttl(91_000))),
        ("DELETE", released, Value::Null, None),
        ("POST", "/v1/checkouts".into(), buy(1), Some(buy(2))),
    ]
}

/// Every kind of command.
fn commands(world: &mut World) -> Vec<Row> {
    let skus = scattered_skus("twice");
    for sku in &skus {
        world.stock(sku, 50, 100);
    }
    let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    let mut rows = stock_of_sources(&skus[0]);
    rows.extend(baskets(world, &lines));
    for step in ["cancel", "ship", "refund"] {
        let order = world.buy(&json!({"session": "s", "items": items(&lines)}));
        let target = format!("/v1/orders/{}/{step}", text(&order["order_id"]));
        rows.push(("POST", target, Value::Null, None));
    }
    rows
}

#[test]
fn every_command_has_one_effect_and_one_answer() {
    let mut world = World::start();
    let rows = commands(&mut world);
    let mut asked = Vec::new();
    for (method, target, body, other) in rows {
        let key = new_idempotency_key().expect("randomness");
        let first = send(&mut world.operator, (method, &target), &body, &key);
        assert!(matches!(first.status, 200..=202 | 409), "{method} {target}: {first:?}");
        assert!(first.header("claw-position").is_some(), "{method} {target}: {first:?}");
        if let Some(other) = other {
            let mismatch = send(&mut world.operator, (method, &target), &other, &key);
            refused(&mismatch, 422, "idempotency-mismatch");
        }
        asked.push((method, target, body, key, first));
    }
    let before = done(&world.operator.get("/v1/products"), 200);
    // Asked again in another order, after all that came in between, and after a restart.
    for round in 0..3 {
        if round == 2 {
            assert!(world.node.terminate().success());
            let World { store, .. } = world;
            world = World::start_on(store, &[]);
        }
        for (method, target, body, key, first) in asked.iter().rev() {
            let again = send(&mut world.operator, (method, target), body, key);
            assert_eq!(again.status, first.status, "{method} {target}");
            if target == "/v1/checkouts" {
                assert_eq!(again.json()["order_id"], first.json()["order_id"]);
            } else {
                let (first, again) = (first.json(), again.json());
                assert_eq!(again, first, "{method} {target}");
            }
            assert_eq!(again.header("location"), first.header("location"), "{method} {target}");
            assert_eq!(again.header("etag"), first.header("etag"), "{method} {target}");
        }
        assert_eq!(done(&world.operator.get("/v1/products"), 200), before);
    }
}

#[test]
fn unsafe_requests_need_a_key_that_is_a_uuid() {
    let mut world = World::start();
    for key in ["1", "not-a-uuid", "00000000-0000-0000-0000"] {
        let answer =
            send(&mut world.storefront, ("POST", "/v1/carts"), &json!({"session": "s"}), key);
        refused(&answer, 400, "idempotency-key-missing");
    }
    // What was refused before it was decided is not remembered.
    let key = new_idempotency_key().expect("randomness");
    let wrong = send(&mut world.storefront, ("POST", "/v1/carts"), &json!({"sessions": "s"}), &key);
    refused(&wrong, 422, "schema");
    let right = send(&mut world.storefront, ("POST", "/v1/carts"), &json!({"session": "s"}), &key);
    done(&right, 201);
    // Another caller's key of the same name is another key.
    let other = send(&mut world.operator, ("POST", "/v1/carts"), &json!({"session": "t"}), &key);
    assert_ne!(done(&other, 201)["cart_id"], right.json()["cart_id"]);
}
