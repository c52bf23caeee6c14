//! What a store shows is the same after every kind of end and on every number of cores.

use serde_json::{Value, json};

use crate::command_line::{claw, records_of};
use crate::world::{World, done, fresh_store, items, scattered_skus, text, until};

/// Everything that can be read, by its path.
fn everything(world: &mut World, paths: &[String]) -> Vec<(String, Value)> {
    let read = |path: &String| (path.clone(), done(&world.operator.get(path), 200));
    paths.iter().map(read).collect()
}

/// Trade of every kind across all shards; returns what can be read of it.
fn trade(world: &mut World, round: &str) -> Vec<String> {
    let skus = scattered_skus(round);
    for sku in &skus {
        world.stock(sku, 20, 100);
    }
    let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 2)).collect();
    let mut paths: Vec<String> = skus.iter().map(|sku| format!("/v1/products/{sku}")).collect();
    let code = format!("/v1/coupons/{round}");
    done(&world.source.put(&code, &json!({"kind": "percent", "value": 1250, "uses_max": 3})), 201);
    paths.push(code);
    let cart =
        text(&done(&world.storefront.post("/v1/carts", &json!({"session": "s"})), 201)["cart_id"]);
    done(
        &world
            .storefront
            .put(&format!("/v1/carts/{cart}/items/{}", skus[0]), &json!({"quantity": 3})),
        200,
    );
    paths.push(format!("/v1/carts/{cart}"));
    for wanted in [&lines[..1], &lines[..]] {
        let [active, released, sold] = [(); 3].map(|()| world.hold("s", wanted));
        done(&world.storefront.delete(&format!("/v1/holds/{released}")), 200);
        let bought = world.buy(&json!({"session": "s", "hold_id": sold, "coupon": round}));
        assert_eq!(bought["state"], "placed");
        let bought = text(&bought["order_id"]);
        let back = world.buy(&json!({"session": "s", "items": items(wanted)}));
        let back = text(&back["order_id"]);
        done(&world.storefront.post(&format!("/v1/orders/{back}/cancel"), &Value::Null), 200);
        paths.extend([active, released, sold].map(|hold| format!("/v1/holds/{hold}")));
        paths.extend([bought, back].map(|order| format!("/v1/orders/{order}")));
    }
    done(
        &world
            .source
            .post(&format!("/v1/products/{}/stock", skus[3]), &json!({"delta": -3, "reason": "x"})),
        200,
    );
    paths.push("/v1/products".to_owned());
    // Returned stock reaches other shards a moment after the answer.
    until(|| (world.places(&skus[3]) == [2, 2, 13]).then_some(()));
    until(|| (world.places(&skus[0]) == [4, 4, 12]).then_some(()));
    paths
}

#[test]
fn everything_is_there_after_every_end_and_on_any_number_of_cores() {
    let mut world = World::start_on(fresh_store(&[]), &["--cores", "1"]);
    let mut paths = trade(&mut world, "ROUND-0");
    for (round, (cores, kill)) in
        [("2", false), ("1", true), ("2", true), ("1", false)].into_iter().enumerate()
    {
        let before = everything(&mut world, &paths);
        if kill {
            world.node.kill();
        } else {
            assert!(world.node.terminate().success());
        }
        let World { store, .. } = world;
        world = World::start_on(store, &["--cores", cores]);
        assert_eq!(everything(&mut world, &paths), before, "round {round}");
        paths.pop();
        paths.extend(trade(&mut world, &format!("ROUND-{}", round + 1)));
    }
    assert!(world.node.terminate().success());
    assert_eq!(claw(&world.store, &["log", "verify"]).status.code(), Some(0));
    assert_eq!(claw(&world.store, &["audit"]).status.code(), Some(0));
}

#[test]
fn audit_counts_what_the_node_shows() {
    let mut world = World::start();
    trade(&mut world, "BOOKS");
    let page = done(&world.operator.get("/v1/products"), 200);
    assert!(world.node.terminate().success());
    let audit = crate::command_line::json_of(&claw(&world.store, &["audit", "--json"]));
    assert_eq!((&audit["balanced"], &audit["oversold"]), (&json!(true), &json!(0)));
    let products = page["products"].as_array().expect("a list");
    assert_eq!(audit["skus"].as_object().expect("by SKU").len(), products.len());
    for name in ["received", "removed", "available", "held", "sold"] {
        let mut total = 0;
        for product in products {
            let sku = text(&product["sku"]);
            assert_eq!(audit["skus"][&sku][name], product[name], "{sku} {name}");
            total += product[name].as_u64().expect("a number");
        }
        assert_eq!(audit["total"][name], total);
    }
}

#[test]
fn store_starts_from_snapshots_when_its_segments_are_archived() {
    let small = [("segment_bytes", "\"1MiB\""), ("snapshot_interval_s", "1")];
    let mut world = World::start_on(fresh_store(&small), &[]);
    let paths = trade(&mut world, "OLD");
    let archive = world.store.path().join("archive");
    let archived = || std::fs::read_dir(&archive).is_ok_and(|mut folder| folder.next().is_some());
    let moved = format!("/v1/products/{}/stock", scattered_skus("OLD")[0]);
    until(|| {
        for _ in 0..40 {
            done(&world.source.post(&moved, &json!({"delta": 1, "reason": "x".repeat(256)})), 200);
        }
        archived().then_some(())
    });
    // The last time under another State-Schema, for which no snapshot is good.
    for end in ["drained", "killed", "schema changed"] {
        let before = everything(&mut world, &paths);
        if end == "killed" {
            world.node.kill();
        } else {
            assert!(world.node.terminate().success());
        }
        let World { store, .. } = world;
        if end == "schema changed" {
            let schema = store.path().join("schema/store.toml");
            let text = std::fs::read_to_string(&schema).expect("claw init wrote it");
            std::fs::write(&schema, text.replace("version = 1", "version = 2")).expect("room");
        }
        world = World::start_on(store, &[]);
        assert_eq!(everything(&mut world, &paths), before, "{end}");
    }
    assert!(world.node.terminate().success());
    assert_eq!(claw(&world.store, &["audit"]).status.code(), Some(0), "the archive is read too");
    let first =
        records_of(&claw(&world.store, &["log", "show", "--json", "--shard", "0", "--to", "1"]));
    assert_eq!(first[0]["sequence"], 1, "the oldest record lies in the archive");
}
