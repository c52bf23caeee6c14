//! Products: put, read, list, stock, price.

use claw_sdk::client::Call;
use serde_json::json;

use crate::world::{World, done, eur, names, product_path, refused, refused_at};

#[test]
fn product_is_created_replaced_and_read() {
    let mut world = World::start();
    let body = json!({"name": "Clog", "price": eur(1999), "attributes": {"color": "red"}});
    let created = world.source.put("/v1/products/clog.1_A-b", &body);
    assert!(created.header("claw-position").is_some());
    done(&created, 201);
    let answer = world.storefront.get("/v1/products/clog.1_A-b");
    let product = done(&answer, 200);
    let expected = [
        "attributes",
        "available",
        "held",
        "name",
        "on_hand",
        "price",
        "received",
        "removed",
        "sku",
        "sold",
        "version",
    ];
    assert_eq!(names(&product), expected);
    assert_eq!(product["price"], eur(1999));
    assert_eq!(product["attributes"], json!({"color": "red"}));
    assert_eq!(answer.header("etag"), Some(format!("\"{}\"", product["version"]).as_str()));
    let replaced =
        world.source.put("/v1/products/clog.1_A-b", &json!({"name": "Boot", "price": eur(5)}));
    let replaced = done(&replaced, 200);
    assert_eq!((&replaced["name"], &replaced["price"]), (&json!("Boot"), &eur(5)));
    assert!(replaced["version"].as_u64() > product["version"].as_u64());
    refused(&world.storefront.get("/v1/products/nothing"), 404, "not-found");
    refused(&world.storefront.get("/v1/products/no%20sku"), 404, "not-found");
}

#[test]
fn if_match_is_honoured() {
    let mut world = World::start();
    world.stock("clog", 1, 100);
    let version = done(&world.source.get("/v1/products/clog"), 200)["version"].to_string();
    let body = json!({"name": "Clog", "price": eur(7)}).to_string();
    let mut put = |target: &str, field: &str| {
        let headers = [("If-Match", field)];
        let call = Call {
            method: "PUT",
            target,
            body: body.as_bytes(),
            headers: &headers,
            ..Call::default()
        };
        world.source.send(&call)
    };
    let stale = refused(&put("/v1/products/clog", "\"999\""), 412, "version-mismatch");
    assert_eq!(stale["version"].to_string(), version);
    refused(&put("/v1/products/absent", "\"1\""), 412, "version-mismatch");
    refused(&put("/v1/products/clog", "one"), 400, "malformed");
    let current = put("/v1/products/clog", &format!("\"{version}\""));
    done(&current, 200);
    let tag = current.header("etag").expect("a product's answer has one").to_owned();
    refused(&put("/v1/products/clog", &format!("\"{version}\"")), 412, "version-mismatch");
    done(&put("/v1/products/clog", &tag), 200);
}

#[test]
fn stock_and_price_move_within_their_bounds() {
    let mut world = World::start();
    world.stock("clog", 10, 100);
    let hold = world.hold("s", &[("clog", 4)]);
    let moved =
        world.source.post("/v1/products/clog/stock", &json!({"delta": -6, "reason": "lost"}));
    assert_eq!(done(&moved, 200)["removed"], 6);
    assert!(moved.header("claw-position").is_some());
    let answer =
        world.source.post("/v1/products/clog/stock", &json!({"delta": -1, "reason": "lost"}));
    assert!(answer.header("claw-position").is_some());
    let problem = refused(&answer, 409, "stock-negative");
    assert_eq!((&problem["sku"], &problem["available"]), (&json!("clog"), &json!(0)));
    assert_eq!(world.counts("clog"), [10, 6, 4, 4, 0, 0]);
    done(&world.storefront.delete(&format!("/v1/holds/{hold}")), 200);
    assert_eq!(world.counts("clog"), [10, 6, 4, 0, 0, 4]);

    let priced =
        done(&world.source.post("/v1/products/clog/price", &json!({"price": eur(250)})), 200);
    assert_eq!(priced["price"], eur(250));
    for path in ["/v1/products/none/stock", "/v1/products/none/price"] {
        let body = if path.ends_with("stock") {
            json!({"delta": 1, "reason": "x"})
        } else {
            json!({"price": eur(1)})
        };
        refused(&world.source.post(path, &body), 404, "not-found");
    }
    let rows = [
        ("stock", json!({"delta": 0, "reason": "x"}), "delta"),
        ("stock", json!({"delta": 1.5, "reason": "x"}), "delta"),
        ("stock", json!({"delta": "1", "reason": "x"}), "delta"),
        ("stock", json!({"reason": "x"}), "delta"),
        ("stock", json!({"delta": 1, "reason": "x", "why": 1}), "why"),
        ("price", json!({"price": {"amount": -1, "currency": "EUR"}}), "price"),
        ("price", json!({"price": {"amount": 1, "currency": "euro"}}), "price.currency"),
        ("price", json!({"price": {"amount": 1}}), "price.currency"),
        ("price", json!({"price": {"amount": 1, "currency": "EUR", "cents": 2}}), "price.cents"),
        ("price", json!({}), "price"),
    ];
    for (path, body, member) in rows {
        refused_at(&world.source.post(&format!("/v1/products/clog/{path}"), &body), member);
    }
    assert_eq!(world.counts("clog"), [10, 6, 4, 0, 0, 4]);
}

#[test]
fn bodies_of_products_are_checked_member_by_member() {
    let mut world = World::start();
    let long = "n".repeat(257);
    let rows = [
        (json!({"price": eur(1)}), "name"),
        (json!({"name": "", "price": eur(1)}), "name"),
        (json!({"name": long, "price": eur(1)}), "name"),
        (json!({"name": 5, "price": eur(1)}), "name"),
        (json!({"name": "x"}), "price"),
        (json!({"name": "x", "price": 5}), "price"),
        (json!({"name": "x", "price": eur(1), "colour": "red"}), "colour"),
        (json!({"name": "x", "price": eur(1), "attributes": 7}), "attributes"),
    ];
    for (body, member) in rows {
        refused_at(&world.source.put("/v1/products/clog", &body), member);
    }
    let sku = "s".repeat(65);
    refused_at(
        &world.source.put(&product_path(&sku), &json!({"name": "x", "price": eur(1)})),
        "sku",
    );
    let sku = "s".repeat(64);
    done(&world.source.put(&product_path(&sku), &json!({"name": "x", "price": eur(0)})), 201);
}

#[test]
fn list_goes_through_all_shards_in_the_order_of_skus() {
    let mut world = World::start();
    let skus: Vec<String> = (10..33).map(|number| format!("sku-{number}")).collect();
    for sku in skus.iter().rev() {
        world.stock(sku, 0, 100);
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    let mut pages = 0;
    loop {
        let page = done(&world.operator.get(&format!("/v1/products?limit=7{after}")), 200);
        let products = page["products"].as_array().expect("a list");
        seen.extend(products.iter().map(|product| crate::world::text(&product["sku"])));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(products.len(), 7);
        after = format!("&after={next}");
    }
    assert_eq!((seen, pages), (skus, 4));
    for query in ["limit=0", "limit=x", "after=%25", "page=2"] {
        refused(&world.operator.get(&format!("/v1/products?{query}")), 400, "malformed");
    }
}
