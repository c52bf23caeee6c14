//! Coupons: terms, uses, rounding.

use serde_json::{Value, json};

use crate::world::{World, done, eur, items, names, refused, refused_at};

fn buy(world: &mut World, sku: &str, coupon: &str) -> Value {
    world.buy(&json!({"session": "s", "items": items(&[(sku, 1)]), "coupon": coupon}))
}

#[test]
fn coupon_is_put_and_read_with_its_uses() {
    let mut world = World::start();
    let body = json!({
        "kind": "percent", "value": 1000, "uses_max": 2, "currency": "EUR",
        "starts_at": "2020-01-01T00:00:00.000Z", "ends_at": "2999-01-01T00:00:00.000Z",
        "subtotal_min": 100
    });
    let created = world.source.put("/v1/coupons/TEN", &body);
    assert!(created.header("claw-position").is_some());
    done(&created, 201);
    let read = done(&world.source.get("/v1/coupons/TEN"), 200);
    let expected = [
        "code",
        "currency",
        "ends_at",
        "kind",
        "starts_at",
        "subtotal_min",
        "uses",
        "uses_max",
        "value",
    ];
    assert_eq!(names(&read), expected);
    for (member, value) in body.as_object().expect("made above") {
        assert_eq!(&read[member], value, "{member}");
    }
    assert_eq!((&read["code"], &read["uses"]), (&json!("TEN"), &json!(0)));
    done(&world.source.put("/v1/coupons/TEN", &body), 200);
    refused(&world.source.get("/v1/coupons/NONE"), 404, "not-found");

    world.stock("clog", 5, 200);
    assert_eq!(buy(&mut world, "clog", "TEN")["discount"], eur(20));
    let mut fewer = body.clone();
    fewer["uses_max"] = json!(0);
    let problem = refused(&world.source.put("/v1/coupons/TEN", &fewer), 409, "coupon-uses");
    assert_eq!(problem["uses"], 1);
    assert_eq!(buy(&mut world, "clog", "TEN")["state"], "placed");
    let over = buy(&mut world, "clog", "TEN");
    assert_eq!((&over["state"], &over["reason"]), (&json!("cancelled"), &json!("coupon-invalid")));
    assert_eq!(done(&world.source.get("/v1/coupons/TEN"), 200)["uses"], 2);
    assert_eq!(world.places("clog"), [0, 2, 3], "the cancelled order gave its unit back");
}

#[test]
fn percentages_round_half_to_even_on_the_sum() {
    let mut world = World::start();
    // 25 %, in hundredths: 2 -> 0.5 -> 0; 6 -> 1.5 -> 2; 10 -> 2.5 -> 2; 14 -> 3.5 -> 4.
    let coupon = json!({"kind": "percent", "value": 2500, "uses_max": 100});
    done(&world.source.put("/v1/coupons/QUARTER", &coupon), 201);
    for (price, discount) in [(2, 0), (6, 2), (10, 2), (14, 4), (3, 1), (5, 1), (7, 2)] {
        let sku = format!("sku-{price}");
        world.stock(&sku, 1, price);
        let order = buy(&mut world, &sku, "QUARTER");
        assert_eq!(order["discount"], eur(discount), "of {price}");
        assert_eq!(order["total"], eur(price - discount));
    }
    // On the sum, not line by line: 25 % of 2 + 2 + 2 is 1.5, so 2; by lines it would be 0.
    for sku in ["a", "b", "c"] {
        world.stock(sku, 1, 2);
    }
    let basket = items(&[("a", 1), ("b", 1), ("c", 1)]);
    let order = world.buy(&json!({"session": "s", "items": basket, "coupon": "QUARTER"}));
    assert_eq!((&order["subtotal"], &order["discount"]), (&eur(6), &eur(2)));
}

#[test]
fn terms_that_do_not_hold_cancel_the_order_and_return_the_use() {
    let mut world = World::start();
    world.stock("clog", 10, 500);
    let rows = [
        (
            "EARLY",
            json!({"kind": "percent", "value": 1000, "uses_max": 9, "starts_at": "2999-01-01T00:00:00.000Z"}),
            false,
        ),
        (
            "LATE",
            json!({"kind": "percent", "value": 1000, "uses_max": 9, "ends_at": "2020-01-01T00:00:00.000Z"}),
            false,
        ),
        ("USD", json!({"kind": "percent", "value": 1000, "uses_max": 9, "currency": "USD"}), false),
        (
            "USD-AMOUNT",
            json!({"kind": "amount", "value": 100, "uses_max": 9, "currency": "USD"}),
            false,
        ),
        (
            "LARGE",
            json!({"kind": "percent", "value": 1000, "uses_max": 9, "subtotal_min": 501}),
            false,
        ),
        ("NONE-LEFT", json!({"kind": "percent", "value": 1000, "uses_max": 0}), false),
        (
            "EXACT",
            json!({"kind": "percent", "value": 10000, "uses_max": 9, "subtotal_min": 500}),
            true,
        ),
        ("BIG", json!({"kind": "amount", "value": 900, "uses_max": 9, "currency": "EUR"}), true),
    ];
    for (code, terms, holds) in rows {
        done(&world.source.put(&format!("/v1/coupons/{code}"), &terms), 201);
        let order = buy(&mut world, "clog", code);
        if holds {
            assert_eq!(
                (&order["state"], &order["discount"], &order["total"]),
                (&json!("placed"), &eur(500), &eur(0)),
                "{code}"
            );
        } else {
            assert_eq!(
                (&order["state"], &order["reason"]),
                (&json!("cancelled"), &json!("coupon-invalid")),
                "{code}"
            );
        }
        let uses = done(&world.operator.get(&format!("/v1/coupons/{code}")), 200)["uses"].clone();
        assert_eq!(uses, u64::from(holds), "{code}");
    }
    assert_eq!(buy(&mut world, "clog", "UNKNOWN")["reason"], "coupon-invalid");
    assert_eq!(world.places("clog"), [0, 2, 8]);
}

#[test]
fn cancelled_order_gives_its_coupon_use_back() {
    let mut world = World::start();
    world.stock("clog", 2, 500);
    done(
        &world
            .source
            .put("/v1/coupons/ONCE", &json!({"kind": "percent", "value": 1, "uses_max": 1})),
        201,
    );
    let order = buy(&mut world, "clog", "ONCE");
    assert_eq!(order["state"], "placed");
    let path = format!("/v1/orders/{}/cancel", order["order_id"].as_str().expect("an id"));
    assert_eq!(done(&world.storefront.post(&path, &Value::Null), 200)["state"], "cancelled");
    crate::world::until(|| {
        (done(&world.operator.get("/v1/coupons/ONCE"), 200)["uses"] == 0).then_some(())
    });
    assert_eq!(buy(&mut world, "clog", "ONCE")["state"], "placed");
}

#[test]
fn bodies_of_coupons_are_checked_member_by_member() {
    let mut world = World::start();
    let rows = [
        (json!({"value": 1, "uses_max": 1}), "kind"),
        (json!({"kind": "share", "value": 1, "uses_max": 1}), "kind"),
        (json!({"kind": "percent", "uses_max": 1}), "value"),
        (json!({"kind": "percent", "value": 10001, "uses_max": 1}), "value"),
        (json!({"kind": "percent", "value": 0, "uses_max": 1}), "value"),
        (json!({"kind": "percent", "value": 10}), "uses_max"),
        (json!({"kind": "percent", "value": 10, "uses_max": -1}), "uses_max"),
        (json!({"kind": "amount", "value": 10, "uses_max": 1}), "currency"),
        (json!({"kind": "amount", "value": 10, "uses_max": 1, "currency": "eur"}), "currency"),
        (
            json!({"kind": "percent", "value": 1, "uses_max": 1, "starts_at": "tomorrow"}),
            "starts_at",
        ),
        (json!({"kind": "percent", "value": 1, "uses_max": 1, "max": 1}), "max"),
    ];
    for (body, member) in rows {
        refused_at(&world.source.put("/v1/coupons/C", &body), member);
    }
    refused(&world.source.get("/v1/coupons/C"), 404, "not-found");
}
