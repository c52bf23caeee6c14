//! The table of roles, row by row: who may, and 403 for everybody else.

use serde_json::{Value, json};

use crate::world::{Asker, World, eur, hold_body, items, refused};

const NOTHING: &str = "01a00000-0000-7000-8000-000000000000";

/// Every signed route with a body that is taken, and the roles that may: source, storefront.
fn rows() -> Vec<(&'static str, String, Value, [bool; 2])> {
    let (source, shop, both, neither) =
        ([true, false], [false, true], [true, true], [false, false]);
    let id = |path: &str| path.replace("ID", NOTHING);
    let line = items(&[("clog", 1)]);
    vec![
        ("PUT", "/v1/products/clog".into(), json!({"name": "x", "price": eur(1)}), source),
        ("GET", "/v1/products/clog".into(), Value::Null, both),
        ("GET", "/v1/products".into(), Value::Null, neither),
        ("POST", "/v1/products/clog/stock".into(), json!({"delta": 9, "reason": "x"}), source),
        ("POST", "/v1/products/clog/price".into(), json!({"price": eur(1)}), source),
        (
            "PUT",
            "/v1/coupons/C".into(),
            json!({"kind": "percent", "value": 1, "uses_max": 1}),
            source,
        ),
        ("GET", "/v1/coupons/C".into(), Value::Null, source),
        ("POST", "/v1/carts".into(), json!({"session": "s"}), shop),
        ("PUT", id("/v1/carts/ID/items/clog"), json!({"quantity": 1}), shop),
        ("GET", id("/v1/carts/ID"), Value::Null, shop),
        ("POST", "/v1/holds".into(), hold_body("s", &[("clog", 1)]), shop),
        ("GET", id("/v1/holds/ID"), Value::Null, shop),
        ("DELETE", id("/v1/holds/ID"), Value::Null, shop),
        ("POST", id("/v1/holds/ID/extend"), json!({"ttl_ms": 1000}), shop),
        ("POST", "/v1/checkouts".into(), json!({"session": "s", "items": line}), shop),
        ("GET", id("/v1/orders/ID"), Value::Null, shop),
        ("POST", id("/v1/orders/ID/cancel"), Value::Null, shop),
        ("POST", id("/v1/orders/ID/ship"), Value::Null, shop),
        ("POST", id("/v1/orders/ID/refund"), Value::Null, shop),
        ("POST", "/v1/events/never-declared".into(), json!({}), both),
    ]
}

fn ask(asker: &mut Asker, row: &(&str, String, Value, [bool; 2])) -> claw_sdk::client::Response {
    let (method, target, body, _) = row;
    match *method {
        "GET" => asker.get(target),
        "DELETE" => asker.delete(target),
        "PUT" => asker.put(target, body),
        _ => asker.post(target, body),
    }
}

#[test]
fn each_role_may_what_the_table_says_and_nothing_else() {
    let mut world = World::start();
    let rows = rows();
    let mut other = Asker::new(world.node.client(&world.store, "storefront"));
    for row in &rows {
        let allowed = ask(&mut world.operator, row);
        assert!(matches!(allowed.status, 200..=202 | 404), "{row:?}: {allowed:?}");
    }
    for row in &rows {
        let [source, storefront] = row.3;
        let callers = [
            (&mut world.source, source),
            (&mut world.storefront, storefront),
            (&mut other, storefront),
        ];
        for (asker, may) in callers {
            let answer = ask(asker, row);
            if may {
                assert!(matches!(answer.status, 200..=202 | 404), "{row:?}: {answer:?}");
            } else {
                refused(&answer, 403, "forbidden");
            }
        }
    }
    let routes = claw_dataplane::ingest::routes::ROUTES;
    let signed = routes.iter().filter(|spec| spec.signed()).count();
    assert_eq!(signed, rows.len(), "a route without a row");
}

#[test]
fn refused_roles_leave_nothing_behind() {
    let mut world = World::start();
    let put = world.storefront.put("/v1/products/clog", &json!({"name": "x", "price": eur(1)}));
    refused(&put, 403, "forbidden");
    refused(&world.operator.get("/v1/products/clog"), 404, "not-found");
    world.stock("clog", 5, 100);
    refused(&world.source.post("/v1/holds", &hold_body("s", &[("clog", 1)])), 403, "forbidden");
    assert_eq!(world.places("clog"), [0, 0, 5]);
}

#[test]
fn every_signed_route_refuses_the_unsigned_before_anything_else() {
    let world = World::start();
    let client = claw_sdk::client::Client::new(world.node.url(), None).expect("its own address");
    let mut stranger = Asker::new(client);
    for row in rows() {
        let answer = ask(&mut stranger, &row);
        refused(&answer, 401, "unsigned");
        assert!(answer.header("www-authenticate").is_some());
    }
}
