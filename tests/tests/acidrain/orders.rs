//! Attacks on an order's end: shipped and paid back, paid back twice, its goods returned twice.
//!
//! Not a class of its own in the paper, and of the same kind as its scope-based ones: the state was
//! looked at by one request and changed by the next. Every store here is paid at a gateway.

use serde_json::Value;

use crate::bodies::{basket, problem};
use crate::books::{count_in, state, text};
use crate::world::{Attacker, CROWD, SEVERAL, World, at_once};

/// Times that each attack is tried, each on an order of its own.
const ROUNDS: usize = 4;
const PRICE: i64 = 4_900;
const UNITS: i64 = 200;

/// Goods over several shards, whose stock comes back by messages.
fn stocked(world: &World) -> Vec<String> {
    let skus = world.scattered_skus("goods", 2);
    world.stock_each(&skus, UNITS, PRICE);
    skus
}

fn wanted(world: &World, skus: &[String]) -> Value {
    let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    world.paid_with_card(basket("ada", &lines))
}

/// An order that is placed and paid.
fn placed(world: &World, attacker: &mut Attacker, skus: &[String]) -> String {
    let order = attacker.buy(&wanted(world, skus)).expect("an order");
    let shown = world.at_rest(std::slice::from_ref(&order));
    assert_eq!(state(&shown[0]), "placed");
    order
}

/// Whether a step was taken; else it was refused because of where the order stands.
fn step(attacker: &mut Attacker, order: &str, step: &str) -> bool {
    let answer = attacker.post(&format!("/v1/orders/{order}/{step}"), &Value::Null);
    let taken = answer.status == 200;
    assert!(taken || problem(&answer) == "order-state", "{}", answer.json());
    taken
}

fn end(world: World, skus: &[String], orders: &[String]) {
    let places: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 0)).collect();
    world.close(&places, orders);
}

#[test]
fn order_that_is_cancelled_shipped_and_refunded_at_once_goes_one_way() {
    const STEPS: [&str; 3] = ["cancel", "ship", "refund"];
    let world = World::open_paid(SEVERAL);
    let skus = stocked(&world);
    let mut crowd = world.crowd("storefront-hmac", CROWD);
    let mut orders = Vec::new();
    for round in 0..2 * ROUNDS {
        let order = placed(&world, &mut crowd[0], &skus);
        // Every second time nobody refunds: then it is shipped and paid, or neither.
        let steps = if round % 2 == 0 { &STEPS[..] } else { &STEPS[..2] };
        let taken = at_once(&mut crowd, |number, attacker| {
            let asked = steps[(number + round) % steps.len()];
            step(attacker, &order, asked).then_some(asked)
        });
        let count = |asked: &str| taken.iter().flatten().filter(|taken| **taken == asked).count();
        let counts = STEPS.map(count);
        let end = world.at_rest(std::slice::from_ref(&order)).remove(0);
        match state(&end) {
            "cancelled" => assert_eq!(counts, [1, 0, 0]),
            "shipped" => assert_eq!(counts, [0, 1, 0]),
            "refunded" => assert!(matches!(counts, [0, 0 | 1, 1]), "{counts:?}"),
            other => panic!("{other}: somebody was first"),
        }
        orders.push(order);
    }
    end(world, &skus, &orders);
}

#[test]
fn order_that_is_cancelled_or_refunded_by_many_is_paid_back_once() {
    let world = World::open_paid(SEVERAL);
    let skus = stocked(&world);
    let mut crowd = world.crowd("storefront-hmac", CROWD);
    let mut orders = Vec::new();
    let mut kept = 0;
    for round in 0..ROUNDS {
        let order = placed(&world, &mut crowd[0], &skus);
        let asked = if round % 2 == 0 { "cancel" } else { "refund" };
        let taken = at_once(&mut crowd, |_, attacker| step(attacker, &order, asked));
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{asked}");
        orders.push(order);
        world.at_rest(&orders);
        // Cancelled goods are back once; a refund brings no goods back.
        kept += i64::from(asked == "refund");
        for sku in &skus {
            world.expect_places(sku, 0, kept);
        }
    }
    end(world, &skus, &orders);
}

/// The shopper is let to cancel while stock is reserved and money moves: it is one or the other.
#[test]
fn order_that_is_cancelled_while_it_is_paid_for_is_charged_only_if_it_stands() {
    const TURNS: usize = 4;
    let world = World::open_paid(SEVERAL);
    let skus = stocked(&world);
    let mut crowd = world.crowd("storefront-hmac", CROWD);
    let body = wanted(&world, &skus);
    let got = at_once(&mut crowd, |number, attacker| {
        let buy_and_cancel = |turn: usize| {
            let started = attacker.post("/v1/checkouts", &body);
            assert_eq!(started.status, 202, "{}", started.json());
            let order = text(&started.json()["order_id"]);
            // Some look at it first, more or less often: each cancels at another moment.
            for _ in 0..(number * TURNS + turn) % 16 {
                attacker.get(&format!("/v1/orders/{order}"));
            }
            let cancelled = step(attacker, &order, "cancel");
            (order, cancelled)
        };
        (0..TURNS).map(buy_and_cancel).collect::<Vec<_>>()
    });
    let (orders, cancelled): (Vec<String>, Vec<bool>) = got.into_iter().flatten().unzip();
    let shown = world.at_rest(&orders);
    for (order, cancelled) in shown.iter().zip(&cancelled) {
        let due = if *cancelled { "cancelled" } else { "placed" };
        assert_eq!(state(order), due, "{order}");
    }
    assert!(count_in(&shown, "cancelled") > 0, "nobody came in time, so nothing was tried");
    end(world, &skus, &orders);
}
