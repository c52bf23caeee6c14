//! The table of roles, row by row: who may, and 403 for everybody else.

use serde_json::{Value, json};

use crate::world::{Asker, World, eur, hold_body, items, refused};

const NOTHING: &str = "01a00000-0000-7000-8000-000000000000";
const SCOPES: [&str; 3] = ["cart", "checkout", "watch"];

/// Which tokens may.
#[derive(Clone, Copy, Debug)]
enum Tokens {
    /// None.
    Never,
    /// Any, also one without scopes.
    Any,
    /// Those with one of these scopes.
    With(&'static [&'static str]),
}

/// Who may use a route.
#[derive(Clone, Copy, Debug)]
struct May {
    source: bool,
    storefront: bool,
    shopper: Tokens,
}

/// A route by its name, with a body that is taken, and who may.
type Row = (&'static str, Value, May);

fn rows() -> Vec<Row> {
    use Tokens::{Any, Never, With};
    let may = |source, storefront, shopper| May { source, storefront, shopper };
    let (source, operator) = (may(true, false, Never), may(false, false, Never));
    let (shop, keys) = (may(false, true, Never), may(true, true, Never));
    let readers = may(true, true, Any);
    let shopping = |scopes| may(false, true, With(scopes));
    let carts = shopping(&["cart"]);
    let holds = shopping(&["cart", "checkout"]);
    let buying = shopping(&["checkout"]);
    let (orders, watching) = (shopping(&["checkout", "watch"]), shopping(&["watch"]));
    let (none, session) = (Value::Null, json!({"session": "s"}));
    let coupon = json!({"kind": "percent", "value": 1, "uses_max": 1});
    let purchase = json!({"session": "s", "items": items(&[("clog", 1)])});
    vec![
        ("PUT /v1/products/{sku}", json!({"name": "x", "price": eur(1)}), source),
        ("GET /v1/products/{sku}", none.clone(), readers),
        ("GET /v1/products", none.clone(), operator),
        ("GET /v1/shards/{shard}/state", none.clone(), operator),
        ("GET /v1/shards/{shard}/sagas", none.clone(), operator),
        ("GET /v1/sagas/{id}", none.clone(), operator),
        ("POST /v1/sagas/{id}/retry", none.clone(), operator),
        ("POST /v1/sagas/{id}/park", none.clone(), operator),
        ("POST /v1/products/{sku}/stock", json!({"delta": 99, "reason": "x"}), source),
        ("POST /v1/products/{sku}/price", json!({"price": eur(1)}), source),
        ("PUT /v1/coupons/{code}", coupon, source),
        ("GET /v1/coupons/{code}", none.clone(), source),
        ("POST /v1/carts", session.clone(), carts),
        ("PUT /v1/carts/{cart}/items/{sku}", json!({"quantity": 1}), carts),
        ("GET /v1/carts/{cart}", none.clone(), carts),
        ("POST /v1/holds", hold_body("s", &[("clog", 1)]), holds),
        ("POST /v1/waitlist", hold_body("s", &[("clog", 1)]), holds),
        ("GET /v1/holds/{id}", none.clone(), holds),
        ("DELETE /v1/holds/{id}", none.clone(), holds),
        ("POST /v1/holds/{id}/extend", json!({"ttl_ms": 1000}), holds),
        ("POST /v1/checkouts", purchase, buying),
        ("GET /v1/orders/{id}", none.clone(), orders),
        ("GET /v1/orders/{id}/receipt", none.clone(), orders),
        ("POST /v1/orders/{id}/cancel", none.clone(), buying),
        ("POST /v1/orders/{id}/ship", none.clone(), shop),
        ("POST /v1/orders/{id}/refund", none, shop),
        ("POST /v1/tickets", session, watching),
        // Nothing is declared here: who may is the declaration's business.
        ("POST /v1/events/{type}", json!({}), keys),
    ]
}

fn ask(asker: &mut Asker, row: &Row) -> claw_sdk::client::Response {
    let (method, template) = row.0.split_once(' ').expect("METHOD template");
    let target = template.replace("{sku}", "clog").replace("{code}", "C");
    let target = target.replace("{cart}", NOTHING).replace("{id}", NOTHING);
    let target = target.replace("{type}", "never-declared").replace("{shard}", "0");
    match method {
        "GET" => asker.get(&target),
        "DELETE" => asker.delete(&target),
        "PUT" => asker.put(&target, &row.1),
        _ => asker.post(&target, &row.1),
    }
}

fn allowed(answer: &claw_sdk::client::Response, about: &str) {
    assert!(matches!(answer.status, 200..=202 | 404), "{about}: {answer:?}");
}

#[test]
fn each_role_may_what_the_table_says_and_nothing_else() {
    let mut world = World::start();
    let mut other = Asker::new(world.node.client(&world.store, "storefront"));
    for row in rows() {
        allowed(&ask(&mut world.operator, &row), row.0);
        let May { source, storefront, .. } = row.2;
        let callers = [
            (&mut world.source, source),
            (&mut world.storefront, storefront),
            (&mut other, storefront),
        ];
        for (asker, may) in callers {
            let answer = ask(asker, &row);
            if may {
                allowed(&answer, row.0);
            } else {
                refused(&answer, 403, "forbidden");
            }
        }
    }
}

/// Every set of scopes on every route.
#[test]
fn each_token_may_what_its_scopes_say_and_nothing_else() {
    let mut world = World::start();
    world.stock("clog", 1000, 100);
    for set in 0..8 {
        let scopes: Vec<_> = (0..3).filter(|n| set & (1 << n) != 0).map(|n| SCOPES[n]).collect();
        let mut shopper = Asker::shopper(&world, "s", &scopes.join(" "));
        for row in rows() {
            let about = format!("{scopes:?}: {}", row.0);
            let answer = ask(&mut shopper, &row);
            match row.2.shopper {
                Tokens::Never => {
                    refused(&answer, 403, "forbidden");
                }
                Tokens::Any => allowed(&answer, &about),
                Tokens::With(wanted) if wanted.iter().any(|one| scopes.contains(one)) => {
                    allowed(&answer, &about);
                }
                Tokens::With(wanted) => {
                    let problem = refused(&answer, 403, "insufficient-scope");
                    let wanted = wanted.join(" ");
                    assert_eq!(problem["scope"], wanted, "{about}");
                    let challenge =
                        format!("Bearer error=\"insufficient_scope\", scope=\"{wanted}\"");
                    assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()));
                }
            }
        }
    }
}

/// A route that somebody adds stands in the table above, or this fails.
#[test]
fn every_route_has_its_row() {
    let named: Vec<_> = rows().iter().map(|row| row.0).collect();
    for spec in claw_dataplane::ingest::routes::ROUTES.iter().filter(|spec| spec.signed()) {
        let name = format!("{} {}", spec.method, spec.template);
        assert!(named.contains(&name.as_str()), "{name} has no row here");
    }
    let signed = claw_dataplane::ingest::routes::ROUTES.iter().filter(|spec| spec.signed());
    assert_eq!(signed.count(), named.len(), "a row for a route that is not there");
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
