//! Orders: cancel, ship, refund, and where the stock goes.

use serde_json::{Value, json};

use crate::world::{World, done, items, refused, scattered_skus, text, until};

fn step(world: &mut World, order: &str, step: &str) -> claw_sdk::client::Response {
    world.storefront.post(&format!("/v1/orders/{order}/{step}"), &Value::Null)
}

#[test]
fn orders_move_only_along_their_life() {
    let mut world = World::start();
    world.stock("clog", 100, 10);
    // Steps taken, the step asked, the state it leads to; none: refused.
    let rows: [(&[&str], &str, Option<&str>); 9] = [
        (&[], "cancel", Some("cancelled")),
        (&[], "ship", Some("shipped")),
        (&[], "refund", Some("refunded")),
        (&["ship"], "refund", Some("refunded")),
        (&["ship"], "cancel", None),
        (&["cancel"], "ship", None),
        (&["cancel"], "cancel", None),
        (&["cancel"], "refund", None),
        (&["refund"], "ship", None),
    ];
    for (taken, asked, leads_to) in rows {
        let order = world.buy(&json!({"session": "s", "items": items(&[("clog", 1)])}));
        let order = text(&order["order_id"]);
        let mut state = "placed".to_owned();
        for earlier in taken {
            state = text(&done(&step(&mut world, &order, earlier), 200)["state"]);
        }
        let answer = step(&mut world, &order, asked);
        assert!(answer.header("claw-position").is_some());
        if let Some(expected) = leads_to {
            let shown = done(&answer, 200);
            assert_eq!(shown["state"], expected, "{taken:?} {asked}");
            assert_eq!(shown["order_id"], order);
            let last = shown["history"].as_array().and_then(|history| history.last());
            assert_eq!(last.expect("it has one")["state"], expected);
            if expected == "cancelled" {
                assert_eq!(shown["reason"], "shopper-cancelled");
            }
        } else {
            assert_eq!(refused(&answer, 409, "order-state")["state"], state, "{taken:?} {asked}");
        }
    }
    let nothing = "01a00000-0000-7000-8000-000000000000";
    for asked in ["cancel", "ship", "refund"] {
        refused(&step(&mut world, nothing, asked), 404, "not-found");
    }
    refused(&world.storefront.get(&format!("/v1/orders/{nothing}")), 404, "not-found");
}

#[test]
fn cancelled_order_gives_its_stock_back_on_every_shard() {
    let mut world = World::start();
    let skus = scattered_skus("back");
    let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 2)).collect();
    for sku in &skus {
        world.stock(sku, 2, 10);
    }
    for _ in 0..2 {
        let order = world.buy(&json!({"session": "s", "items": items(&lines)}));
        assert_eq!(order["state"], "placed");
        for sku in &skus {
            assert_eq!(world.places(sku), [0, 2, 0]);
        }
        done(&step(&mut world, &text(&order["order_id"]), "cancel"), 200);
        for sku in &skus {
            until(|| (world.places(sku) == [0, 0, 2]).then_some(()));
        }
    }
    // A refund pays back; goods that come back are a stock movement of their own.
    let order = world.buy(&json!({"session": "s", "items": items(&lines)}));
    done(&step(&mut world, &text(&order["order_id"]), "refund"), 200);
    assert_eq!(world.places(&skus[0]), [0, 2, 0]);
}
