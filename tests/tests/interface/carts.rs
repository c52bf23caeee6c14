//! Carts.

use serde_json::{Value, json};

use crate::world::{World, assert_id, done, eur, names, refused, refused_at, scattered_skus, text};

fn new_cart(world: &mut World, session: &str) -> String {
    let answer = world.storefront.post("/v1/carts", &json!({"session": session}));
    let cart = done(&answer, 201);
    assert_eq!(names(&cart), ["cart_id"]);
    assert_id(&cart["cart_id"]);
    assert!(answer.header("claw-position").is_some());
    text(&cart["cart_id"])
}

fn set(world: &mut World, cart: &str, sku: &str, quantity: i64) -> Value {
    let target = format!("/v1/carts/{cart}/items/{sku}");
    done(&world.storefront.put(&target, &json!({"quantity": quantity})), 200)
}

#[test]
fn cart_is_filled_changed_emptied_and_bought_across_shards() {
    let mut world = World::start();
    let skus = scattered_skus("cart");
    for (index, sku) in (0_i64..).zip(&skus) {
        world.stock(sku, 10, 100 + index);
    }
    let cart = new_cart(&mut world, "anna");
    let empty = done(&world.storefront.get(&format!("/v1/carts/{cart}")), 200);
    assert_eq!((&empty["cart_id"], &empty["items"]), (&json!(cart), &json!([])));
    set(&mut world, &cart, &skus[1], 3);
    set(&mut world, &cart, &skus[0], 1);
    let shown = set(&mut world, &cart, &skus[1], 2);
    assert_eq!(names(&shown), ["cart_id", "items", "subtotal"]);
    let line = |sku: &str, quantity: i64, price: i64| json!({"sku": sku, "quantity": quantity, "unit_price": eur(price)});
    let mut lines = vec![line(&skus[0], 1, 100), line(&skus[1], 2, 101)];
    lines.sort_by_key(|line| text(&line["sku"]));
    assert_eq!(shown["items"], json!(lines));
    assert_eq!(shown["subtotal"], eur(302));
    assert_eq!(done(&world.storefront.get(&format!("/v1/carts/{cart}")), 200), shown);
    for sku in &skus {
        assert_eq!(world.places(sku), [0, 0, 10], "a cart reserves nothing");
    }
    set(&mut world, &cart, &skus[0], 0);
    let removed = set(&mut world, &cart, &skus[0], 0);
    assert_eq!(removed["subtotal"], eur(202));
    set(&mut world, &cart, &skus[2], 4);
    let order = world.buy(&json!({"session": "anna", "cart_id": cart}));
    assert_eq!((&order["state"], &order["total"]), (&json!("placed"), &eur(202 + 408)));
    assert_eq!(world.places(&skus[1]), [0, 2, 8]);
    assert_eq!(world.places(&skus[2]), [0, 4, 6]);
}

#[test]
fn what_a_cart_cannot_take_is_refused_by_name() {
    let mut world = World::start();
    world.stock("clog", 5, 100);
    world.stock_in("dollar", 5, (100, "USD"));
    let cart = new_cart(&mut world, "ben");
    let path = |sku: &str| format!("/v1/carts/{cart}/items/{sku}");
    let problem =
        refused(&world.storefront.put(&path("none"), &json!({"quantity": 1})), 404, "unknown-sku");
    assert_eq!(problem["sku"], "none");
    set(&mut world, &cart, "clog", 1);
    refused(&world.storefront.put(&path("dollar"), &json!({"quantity": 1})), 409, "currency-mixed");
    for (body, member) in [
        (json!({}), "quantity"),
        (json!({"quantity": -1}), "quantity"),
        (json!({"quantity": 1_000_001}), "quantity"),
        (json!({"quantity": 1, "price": 1}), "price"),
    ] {
        refused_at(&world.storefront.put(&path("clog"), &body), member);
    }
    let nobody = "/v1/carts/01a00000-0000-7000-8000-000000000000";
    refused(&world.storefront.get(nobody), 404, "not-found");
    refused(&world.storefront.get("/v1/carts/no-uuid"), 404, "not-found");
    refused(
        &world.storefront.put(&format!("{nobody}/items/clog"), &json!({"quantity": 1})),
        404,
        "not-found",
    );
    for (body, member) in [
        (json!({}), "session"),
        (json!({"session": ""}), "session"),
        (json!({"session": "s", "name": 1}), "name"),
    ] {
        refused_at(&world.storefront.post("/v1/carts", &body), member);
    }
    let other = new_cart(&mut world, "ben");
    refused(
        &world.storefront.post("/v1/checkouts", &json!({"session": "ben", "cart_id": other})),
        409,
        "empty",
    );
}
