//! Holds: all lines or none, the price they fix, and their exact end.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::world::{
    World, assert_id, assert_time, done, eur, hold_body, items, names, refused, refused_at,
    scattered_skus, text, until,
};

/// Between the clocks of two processes of one machine, and the time of a block: the log's own
/// times are compared exactly.
const CLOCKS_APART_MS: u128 = 50;

fn path(hold: &str) -> String {
    format!("/v1/holds/{hold}")
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis()
}

fn ms_of(time: &Value) -> u128 {
    let text = text(time);
    let stamp = text.parse::<jiff::Timestamp>().expect("a time");
    u128::try_from(stamp.as_millisecond()).expect("after 1970")
}

#[test]
fn hold_is_made_read_extended_and_released() {
    let mut world = World::start();
    world.stock("clog", 10, 100);
    let before = now_ms();
    let mut body = hold_body("anna", &[("clog", 3)]);
    body["ttl_ms"] = json!(60_000);
    let answer = world.storefront.post("/v1/holds", &body);
    let hold = done(&answer, 201);
    assert!(answer.header("claw-position").is_some());
    assert_eq!(names(&hold), ["expires_at", "hold_id", "items", "state"]);
    assert_id(&hold["hold_id"]);
    assert_time(&hold["expires_at"]);
    let expires = ms_of(&hold["expires_at"]);
    assert!(
        expires.abs_diff(before + 60_000) < CLOCKS_APART_MS + (now_ms() - before),
        "{expires} from {before}"
    );
    assert_eq!(hold["items"], json!([{"sku": "clog", "quantity": 3, "unit_price": eur(100)}]));
    let id = text(&hold["hold_id"]);
    assert_eq!(done(&world.storefront.get(&path(&id)), 200), hold);
    assert_eq!(world.places("clog"), [3, 0, 7]);

    let extended =
        world.storefront.post(&format!("{}/extend", path(&id)), &json!({"ttl_ms": 120_000}));
    assert!(ms_of(&done(&extended, 200)["expires_at"]) + CLOCKS_APART_MS >= before + 120_000);
    for _ in 0..2 {
        let released = done(&world.storefront.delete(&path(&id)), 200);
        assert_eq!(released["state"], "released");
    }
    assert_eq!(world.places("clog"), [0, 0, 10]);
    let late = world.storefront.post(&format!("{}/extend", path(&id)), &json!({"ttl_ms": 1000}));
    assert_eq!(refused(&late, 409, "hold-not-active")["state"], "released");
    let unknown = path("01a00000-0000-7000-8000-000000000000");
    refused(&world.storefront.get(&unknown), 404, "not-found");
    refused(&world.storefront.delete(&unknown), 404, "not-found");
    refused(&world.storefront.get(&path("x")), 404, "not-found");
}

#[test]
fn all_lines_or_none_are_held_across_shards() {
    let mut world = World::start();
    let mut skus = scattered_skus("hold");
    skus.sort();
    for sku in &skus {
        world.stock(sku, 5, 100);
    }
    let wanted: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 2)).collect();
    world.hold("anna", &wanted);
    // Named out of order, and one SKU twice: demand is summed, the first short one in order named.
    let greedy = [(&*skus[3], 9), (&*skus[2], 2), (&*skus[0], 1), (&*skus[2], 2)];
    let answer = world.storefront.post("/v1/holds", &hold_body("ben", &greedy));
    assert!(answer.header("claw-position").is_some());
    let problem = refused(&answer, 409, "sold-out");
    assert_eq!(
        (&problem["sku"], &problem["requested"], &problem["available"]),
        (&json!(skus[2]), &json!(4), &json!(3))
    );
    for sku in &skus {
        until(|| (world.places(sku) == [2, 0, 3]).then_some(()));
    }
    let unknown = hold_body("ben", &[(&skus[0], 1), ("zzz-none", 1)]);
    let answer = world.storefront.post("/v1/holds", &unknown);
    assert_eq!(refused(&answer, 404, "unknown-sku")["sku"], "zzz-none");
    until(|| (world.places(&skus[0]) == [2, 0, 3]).then_some(()));
    let exact: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 3)).collect();
    let last = world.hold("ben", &exact);
    for sku in &skus {
        assert_eq!(world.places(sku), [5, 0, 0]);
    }
    done(&world.storefront.delete(&path(&last)), 200);
    for sku in &skus {
        until(|| (world.places(sku) == [2, 0, 3]).then_some(()));
    }
}

#[test]
fn one_hold_has_one_currency_in_one_shard_and_in_several() {
    let mut world = World::start();
    let skus = scattered_skus("money");
    world.stock_in(&skus[0], 5, (100, "EUR"));
    world.stock_in(&skus[1], 5, (100, "USD"));
    let body = hold_body("s", &[(&skus[0], 1), (&skus[1], 1)]);
    refused(&world.storefront.post("/v1/holds", &body), 409, "currency-mixed");
    for sku in &skus[..2] {
        until(|| (world.places(sku) == [0, 0, 5]).then_some(()));
    }
}

#[test]
fn price_is_fixed_by_the_hold() {
    let mut world = World::start();
    world.stock("clog", 5, 100);
    let hold = world.hold("s", &[("clog", 2)]);
    done(&world.source.post("/v1/products/clog/price", &json!({"price": eur(999)})), 200);
    done(
        &world.storefront.post(&format!("{}/extend", path(&hold)), &json!({"ttl_ms": 60_000})),
        200,
    );
    assert_eq!(done(&world.storefront.get(&path(&hold)), 200)["items"][0]["unit_price"], eur(100));
    let order = world.buy(&json!({"session": "s", "hold_id": hold}));
    assert_eq!((&order["total"], &order["items"][0]["unit_price"]), (&eur(200), &eur(100)));
    let order = world.buy(&json!({"session": "s", "items": items(&[("clog", 1)])}));
    assert_eq!(order["total"], eur(999));
}

#[test]
fn hold_expires_exactly_and_never_early() {
    let mut world = World::start();
    let skus = scattered_skus("time");
    let wanted: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    for sku in &skus {
        world.stock(sku, 1, 100);
    }
    for lines in [&wanted[..1], &wanted[..]] {
        let mut body = hold_body("s", lines);
        body["ttl_ms"] = json!(400);
        let hold = done(&world.storefront.post("/v1/holds", &body), 201);
        let (id, expires) = (text(&hold["hold_id"]), ms_of(&hold["expires_at"]));
        let seen = until(|| {
            let asked = now_ms();
            let shown = done(&world.storefront.get(&path(&id)), 200);
            let answered = now_ms();
            match shown["state"].as_str() {
                Some("active") => {
                    assert!(
                        asked < expires + CLOCKS_APART_MS,
                        "still active {asked} after {expires}"
                    );
                }
                Some("expired") => return Some(answered),
                other => panic!("{other:?}"),
            }
            None
        });
        assert!(seen + CLOCKS_APART_MS >= expires, "expired {seen} before {expires}");
        for (sku, _) in lines {
            until(|| (world.places(sku) == [0, 0, 1]).then_some(()));
        }
        assert_eq!(done(&world.storefront.delete(&path(&id)), 200)["state"], "expired");
        let buy = json!({"session": "s", "hold_id": id});
        refused(&world.storefront.post("/v1/checkouts", &buy), 409, "hold-not-active");
        let extend =
            world.storefront.post(&format!("{}/extend", path(&id)), &json!({"ttl_ms": 1000}));
        assert_eq!(refused(&extend, 409, "hold-not-active")["state"], "expired");
    }
    assert!(world.node.terminate().success());
    expiry_events_are_not_before_their_time(&world);
}

/// The log's own evidence, free of any other clock.
fn expiry_events_are_not_before_their_time(world: &World) {
    let records = crate::command_line::log_records(&world.store);
    let expired: Vec<_> = records.iter().filter(|r| r["kind"] == "hold-expired").collect();
    assert_eq!(expired.len(), 2);
    let mut due = std::collections::BTreeMap::new();
    for record in &records {
        let fields = &record["fields"];
        if let (Some(hold), false) = (fields["hold_id"].as_str(), fields["expires_at"].is_null()) {
            due.insert(hold.to_owned(), ms_of(&fields["expires_at"]));
        }
    }
    for record in expired {
        let hold = text(&record["fields"]["hold_id"]);
        let at = ms_of(&record["at"]);
        assert!(at >= due[&hold], "{record}");
    }
}

#[test]
fn extended_hold_outlives_its_first_end() {
    let mut world = World::start();
    world.stock("clog", 1, 100);
    let mut body = hold_body("s", &[("clog", 1)]);
    body["ttl_ms"] = json!(300);
    let hold = done(&world.storefront.post("/v1/holds", &body), 201);
    let (id, first_end) = (text(&hold["hold_id"]), ms_of(&hold["expires_at"]));
    done(&world.storefront.post(&format!("{}/extend", path(&id)), &json!({"ttl_ms": 60_000})), 200);
    until(|| (now_ms() > first_end + 200).then_some(()));
    assert_eq!(done(&world.storefront.get(&path(&id)), 200)["state"], "active");
    assert_eq!(world.places("clog"), [1, 0, 0]);
}

#[test]
fn sold_hold_cannot_be_released_or_sold_again() {
    let mut world = World::start();
    world.stock("clog", 2, 100);
    let hold = world.hold("s", &[("clog", 1)]);
    assert_eq!(world.buy(&json!({"session": "s", "hold_id": hold}))["state"], "placed");
    assert_eq!(done(&world.storefront.get(&path(&hold)), 200)["state"], "sold");
    refused(&world.storefront.delete(&path(&hold)), 409, "hold-sold");
    let extend =
        world.storefront.post(&format!("{}/extend", path(&hold)), &json!({"ttl_ms": 1000}));
    assert_eq!(refused(&extend, 409, "hold-not-active")["state"], "sold");
    let again = json!({"session": "s", "hold_id": hold});
    refused(&world.storefront.post("/v1/checkouts", &again), 409, "hold-not-active");
    assert_eq!(world.places("clog"), [0, 1, 1]);
}

#[test]
fn bodies_of_holds_are_checked_member_by_member() {
    let mut world = World::start();
    world.stock("clog", 2, 100);
    let line = items(&[("clog", 1)]);
    let many: Vec<_> = (0..33).map(|n| json!({"sku": format!("s{n}"), "quantity": 1})).collect();
    let rows = [
        (json!({"items": line}), "session"),
        (json!({"session": "", "items": line}), "session"),
        (json!({"session": "s".repeat(65), "items": line}), "session"),
        (json!({"session": "s"}), "items"),
        (json!({"session": "s", "items": []}), "items"),
        (json!({"session": "s", "items": many}), "items[32]"),
        (json!({"session": "s", "items": {"sku": "clog"}}), "items"),
        (json!({"session": "s", "items": [{"sku": "clog", "quantity": 0}]}), "items[0].quantity"),
        (
            json!({"session": "s", "items": [{"sku": "clog", "quantity": 1}, {"sku": "clog"}]}),
            "items[1].quantity",
        ),
        (json!({"session": "s", "items": [{"sku": "no sku", "quantity": 1}]}), "items[0].sku"),
        (
            json!({"session": "s", "items": [{"sku": "clog", "quantity": 1, "price": 1}]}),
            "items[0].price",
        ),
        (json!({"session": "s", "items": line, "ttl_ms": 99}), "ttl_ms"),
        (json!({"session": "s", "items": line, "ttl_ms": 86_400_001}), "ttl_ms"),
        (json!({"session": "s", "items": line, "ttl": 1000}), "ttl"),
    ];
    for (body, member) in rows {
        refused_at(&world.storefront.post("/v1/holds", &body), member);
    }
    assert_eq!(world.places("clog"), [0, 0, 2]);
}
