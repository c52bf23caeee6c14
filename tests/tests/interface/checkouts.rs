//! Checkouts: one basket, the answer at once or when settled, the price, the shortfall.

use claw_sdk::client::{Call, new_idempotency_key};
use serde_json::{Value, json};

use crate::world::{
    World, assert_id, assert_time, done, eur, items, names, refused, refused_at, scattered_skus,
    text, until,
};

fn read_settled(world: &mut World, order: &str) -> Value {
    until(|| {
        let shown = done(&world.storefront.get(&format!("/v1/orders/{order}")), 200);
        let settled = matches!(shown["state"].as_str(), Some("placed" | "cancelled"));
        settled.then_some(shown)
    })
}

#[test]
fn checkout_answers_202_with_its_place_and_the_order_is_placed() {
    let mut world = World::start();
    let skus = scattered_skus("buy");
    for sku in &skus {
        world.stock(sku, 10, 100);
    }
    let one = vec![(skus[0].as_str(), 2)];
    let all: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    for lines in [one, all] {
        let units: i64 = lines.iter().map(|line| line.1).sum();
        let body = json!({"session": "s", "items": items(&lines), "region": "DE", "ship_to": {"city": "Ulm"}});
        let answer = world.storefront.post("/v1/checkouts", &body);
        let started = done(&answer, 202);
        assert_eq!(names(&started), ["order_id", "state"]);
        assert_id(&started["order_id"]);
        assert!(answer.header("claw-position").is_some());
        let order = text(&started["order_id"]);
        assert_eq!(answer.header("location"), Some(format!("/v1/orders/{order}").as_str()));
        let shown = read_settled(&mut world, &order);
        let expected =
            ["discount", "history", "items", "order_id", "state", "subtotal", "tax", "total"];
        assert_eq!(names(&shown), expected);
        assert_eq!(shown["state"], "placed");
        assert_eq!((&shown["subtotal"], &shown["total"]), (&eur(units * 100), &eur(units * 100)));
        assert_eq!((&shown["discount"], &shown["tax"]), (&eur(0), &eur(0)));
        let history = shown["history"].as_array().expect("a list");
        assert_eq!(history.first().expect("begun")["state"], "reserving");
        assert_eq!(history.last().expect("ended")["state"], "placed");
        for entry in history {
            assert_eq!(names(entry), ["at", "state"]);
            assert_time(&entry["at"]);
        }
    }
    assert_eq!(world.places(&skus[0]), [0, 3, 7]);
    assert_eq!(world.places(&skus[1]), [0, 1, 9]);
}

#[test]
fn waiting_checkout_gets_the_whole_order() {
    let mut world = World::start();
    let skus = scattered_skus("wait");
    let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    for sku in &skus {
        world.stock(sku, 2, 50);
    }
    for preference in ["wait=10", "respond-async, wait=10"] {
        let body = json!({"session": "s", "items": items(&lines)}).to_string();
        let answer = world.storefront.send(&Call {
            method: "POST",
            target: "/v1/checkouts",
            body: body.as_bytes(),
            headers: &[("Prefer", preference)],
            ..Call::default()
        });
        let order = done(&answer, 200);
        assert_eq!((&order["state"], &order["total"]), (&json!("placed"), &eur(200)));
        let place = format!("/v1/orders/{}", text(&order["order_id"]));
        assert_eq!(answer.header("location"), Some(place.as_str()));
        assert_eq!(done(&world.storefront.get(&place), 200), order);
    }
    let short = world.buy(&json!({"session": "s", "items": items(&lines)}));
    assert_eq!((&short["state"], &short["reason"]), (&json!("cancelled"), &json!("sold-out")));
    for sku in &skus {
        until(|| (world.places(sku) == [0, 2, 0]).then_some(()));
    }
}

#[test]
fn repeated_checkout_is_the_same_order_as_it_is_now() {
    let mut world = World::start();
    world.stock("clog", 5, 100);
    let body = json!({"session": "s", "items": items(&[("clog", 1)])}).to_string();
    let key = new_idempotency_key().expect("randomness");
    let send = |world: &mut World, headers: &[(&str, &str)]| {
        world.storefront.send(&Call {
            method: "POST",
            target: "/v1/checkouts",
            body: body.as_bytes(),
            idempotency_key: Some(&key),
            headers,
        })
    };
    let first = done(&send(&mut world, &[]), 202);
    let order = text(&first["order_id"]);
    read_settled(&mut world, &order);
    assert_eq!(done(&send(&mut world, &[]), 202), json!({"order_id": order, "state": "placed"}));
    let whole = done(&send(&mut world, &[("Prefer", "wait=5")]), 200);
    assert_eq!((&whole["order_id"], &whole["total"]), (&json!(order), &eur(100)));
    done(&world.storefront.post(&format!("/v1/orders/{order}/cancel"), &Value::Null), 200);
    let again = done(&send(&mut world, &[]), 202);
    assert_eq!((&again["order_id"], &again["state"]), (&json!(order), &json!("cancelled")));
    until(|| (world.places("clog") == [0, 0, 5]).then_some(()));
}

#[test]
fn one_order_has_one_currency() {
    let mut world = World::start();
    let skus = scattered_skus("mix");
    world.stock_in(&skus[0], 5, (100, "EUR"));
    world.stock_in("other", 5, (100, "USD"));
    world.stock_in("local", 5, (100, "EUR"));
    let (dollar, euro) = same_shard_pair(&mut world);
    let body = json!({"session": "s", "items": items(&[(&dollar, 1), (&euro, 1)])});
    refused(&world.storefront.post("/v1/checkouts", &body), 409, "currency-mixed");
    assert_eq!(world.places(&dollar), [0, 0, 5]);
    assert_eq!(world.places(&euro), [0, 0, 5]);
    // Across shards the first shard cannot know: the order is never placed.
    let apart = scattered_skus("far");
    world.stock_in(&apart[0], 5, (100, "EUR"));
    world.stock_in(&apart[1], 5, (100, "USD"));
    let body = json!({"session": "s", "items": items(&[(&apart[0], 1), (&apart[1], 1)])});
    let answer = world.storefront.send(&Call {
        method: "POST",
        target: "/v1/checkouts",
        body: body.to_string().as_bytes(),
        headers: &[("Prefer", "wait=10")],
        ..Call::default()
    });
    if answer.status == 409 {
        refused(&answer, 409, "currency-mixed");
    } else {
        assert_eq!(done(&answer, 200)["state"], "cancelled");
    }
    for sku in &apart[..2] {
        until(|| (world.places(sku) == [0, 0, 5]).then_some(()));
    }
}

/// A dollar's and a euro's SKU that lie in one shard.
fn same_shard_pair(world: &mut World) -> (String, String) {
    let shard = |sku: &str| claw_common::id::shard_of_key(sku, crate::world::SHARDS);
    let dollar = "near-0".to_owned();
    let euro = (1..999).map(|n| format!("near-{n}")).find(|sku| shard(sku) == shard(&dollar));
    let euro = euro.expect("one of four");
    world.stock_in(&dollar, 5, (100, "USD"));
    world.stock_in(&euro, 5, (100, "EUR"));
    (dollar, euro)
}

#[test]
fn bodies_of_checkouts_are_checked_member_by_member() {
    let mut world = World::start();
    world.stock("clog", 5, 100);
    let line = items(&[("clog", 1)]);
    let hold = world.hold("s", &[("clog", 1)]);
    let rows = [
        (json!({"items": line}), "session"),
        (json!({"session": "s"}), "hold_id"),
        (json!({"session": "s", "items": line, "hold_id": hold}), "items"),
        (json!({"session": "s", "cart_id": hold, "hold_id": hold}), "cart_id"),
        (json!({"session": "s", "hold_id": "x"}), "hold_id"),
        (json!({"session": "s", "items": [{"sku": "clog", "quantity": -1}]}), "items[0].quantity"),
        (json!({"session": "s", "items": line, "coupon": "no code"}), "coupon"),
        (json!({"session": "s", "items": line, "ship_to": "Ulm"}), "ship_to"),
        (json!({"session": "s", "items": line, "region": ""}), "region"),
        (json!({"session": "s", "items": line, "payment": {"token": "pm_card"}}), "payment"),
        (json!({"session": "s", "items": line, "total": 1}), "total"),
    ];
    for (body, member) in rows {
        refused_at(&world.storefront.post("/v1/checkouts", &body), member);
    }
    assert_eq!(world.places("clog"), [1, 0, 4]);
    let nothing = "01a00000-0000-7000-8000-000000000000";
    for basket in ["hold_id", "cart_id"] {
        let body = json!({"session": "s", basket: nothing});
        refused(&world.storefront.post("/v1/checkouts", &body), 404, "not-found");
    }
    let unknown = json!({"session": "s", "items": items(&[("nothing", 1)])});
    refused(&world.storefront.post("/v1/checkouts", &unknown), 404, "unknown-sku");
}
