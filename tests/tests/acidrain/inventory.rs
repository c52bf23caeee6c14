//! Inventory attacks: more is sold or promised than there is.
//!
//! The shops of the paper read a count, compared it and wrote it back, in too weak a transaction or
//! in none: whoever came in between had read the same count. Here the shard that owns a SKU decides
//! alone, so an attack is about who comes first, and never about how much there is.
//!
//! Deliberately without payments and without holds that end: see `holds`.

use serde_json::Value;

use claw_common::wire::MODE_SESSION;
use claw_tests::Frames;
use claw_tests::frames::{Codec, hold as hold_command};

use crate::bodies::{basket, stock_path};
use crate::books::{count_in, state};
use crate::world::{Attacker, CROWD, SEVERAL, SHAPES, World, at_once, let_go};

/// Times that each attack is tried in a store, each on a SKU of its own.
const ROUNDS: usize = 6;

fn session(number: usize) -> String {
    format!("s-{number}")
}

fn skus(beginning: &str) -> Vec<String> {
    (0..ROUNDS).map(|round| format!("{beginning}-{round}")).collect()
}

/// One to whom it was refused for this reason alone.
fn refused_as<T>(answers: &[Result<T, String>], reason: &str) -> bool {
    answers.iter().filter_map(|answer| answer.as_ref().err()).all(|name| name == reason)
}

/// Orders that are cancelled for this reason alone.
fn cancelled_as(orders: &[Value], reason: &str) -> bool {
    let mut cancelled = orders.iter().filter(|order| state(order) == "cancelled");
    cancelled.all(|order| order["reason"] == reason)
}

#[test]
fn last_unit_is_held_by_one_of_many() {
    let world = World::open(SEVERAL);
    let mut crowd = world.crowd("storefront-hmac", CROWD);
    let skus = skus("last");
    for sku in &skus {
        world.stock(sku, 1, 100);
        let held = at_once(&mut crowd, |number, attacker| {
            attacker.hold(&basket(&session(number), &[(sku, 1)]))
        });
        assert_eq!(held.iter().flatten().count(), 1, "{held:?}");
        assert!(refused_as(&held, "sold-out"), "{held:?}");
    }
    let places: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    world.close(&places, &[]);
}

#[test]
fn last_unit_is_sold_to_one_of_many() {
    for shards in SHAPES {
        let world = World::open(shards);
        let mut crowd = world.crowd("storefront-hmac", CROWD);
        let skus = skus("last");
        let mut orders = Vec::new();
        for sku in &skus {
            world.stock(sku, 1, 100);
            let bought = at_once(&mut crowd, |number, attacker| {
                attacker.buy(&basket(&session(number), &[(sku, 1)])).expect("an order")
            });
            let shown = world.at_rest(&bought);
            assert_eq!(count_in(&shown, "placed"), 1, "{sku}");
            assert!(cancelled_as(&shown, "sold-out"), "{sku}");
            orders.extend(bought);
        }
        let places: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 0)).collect();
        world.close(&places, &orders);
    }
}

#[test]
fn last_units_are_promised_once_when_held_and_bought_at_once() {
    const UNITS: usize = 5;
    let world = World::open(SEVERAL);
    let mut crowd = world.crowd("storefront-hmac", CROWD);
    let (mut orders, mut places) = (Vec::new(), Vec::new());
    for sku in skus("few") {
        world.stock(&sku, 5, 100);
        // A third reserves, a third reserves and buys what it got, a third buys outright.
        let got = at_once(&mut crowd, |number, attacker| {
            let wanted = basket(&session(number), &[(&sku, 1)]);
            match number % 3 {
                0 => (attacker.hold(&wanted).is_ok(), None),
                1 => (false, attacker.hold(&wanted).ok().map(|hold| buy_hold(attacker, &hold))),
                _ => (false, attacker.buy(&wanted).ok()),
            }
        });
        let held = got.iter().filter(|(held, _)| *held).count();
        let bought: Vec<String> = got.into_iter().filter_map(|(_, order)| order).collect();
        let placed = count_in(&world.at_rest(&bought), "placed");
        assert_eq!(held + placed, UNITS, "{sku}: every unit once, and none is left");
        orders.extend(bought);
        places.push((sku, i64::try_from(held).expect("few")));
    }
    let places: Vec<_> = places.iter().map(|(sku, held)| (sku.as_str(), *held)).collect();
    world.close(&places, &orders);
}

fn buy_hold(attacker: &mut Attacker, hold: &str) -> String {
    let body = serde_json::json!({"session": "s", "hold_id": hold});
    attacker.buy(&body).expect("what is held can be bought")
}

/// Each wants the same SKUs and begins with another one, so that everybody has what somebody else
/// waits for: some may get nothing, nobody gets half, and what nobody got is still there.
#[test]
fn baskets_over_several_shards_take_all_lines_or_none() {
    const UNITS: usize = 4;
    for shards in SHAPES {
        let world = World::open(shards);
        let mut crowd = world.crowd("storefront-hmac", CROWD);
        let skus = world.scattered_skus("far", 4);
        world.stock_each(&skus, 4, 100);
        let wanted = |number: usize| {
            let mut lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
            lines.rotate_left(number % skus.len());
            basket(&session(number), &lines)
        };
        let mut orders = at_once(&mut crowd, |number, attacker| {
            attacker.buy(&wanted(number)).expect("an order")
        });
        let placed = count_in(&world.at_rest(&orders), "placed");
        assert!(placed <= UNITS, "{placed} of {UNITS}");
        for sku in &skus {
            world.expect_places(sku, 0, i64::try_from(placed).expect("few"));
        }
        for number in placed..UNITS {
            orders.push(crowd[0].buy(&wanted(number)).expect("an order"));
        }
        let shown = world.at_rest(&orders);
        assert_eq!(count_in(&shown, "placed"), UNITS, "what nobody got can be had");
        assert!(cancelled_as(&shown, "sold-out"));
        let places: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 0)).collect();
        world.close(&places, &orders);
    }
}

/// Stock comes and goes while it is sold: what is taken out must not have been sold already, and
/// what was counted in must be there in the end.
#[test]
fn stock_that_is_moved_while_it_is_sold_is_counted_once() {
    const SELLERS: usize = 8;
    const TURNS: usize = 8;
    let world = World::open(SEVERAL);
    world.stock("clog", 10, 100);
    let mut crowd = world.crowd("source", SELLERS);
    crowd.extend(world.crowd("storefront-hmac", CROWD - SELLERS));
    let done = at_once(&mut crowd, |number, attacker| {
        let (mut received, mut removed, mut orders) = (0, 0, Vec::new());
        for turn in 0..TURNS {
            if number >= SELLERS {
                let body = basket(&session(number), &[("clog", 1)]);
                orders.push(attacker.buy(&body).expect("an order"));
                continue;
            }
            let units = i64::try_from(turn).expect("few") + 1;
            let delta = if (number + turn) % 2 == 0 { units } else { -units };
            let body = serde_json::json!({"delta": delta, "reason": "count"});
            let answer = attacker.post(&stock_path("clog"), &body);
            match (answer.status, delta > 0) {
                (200, true) => received += units,
                (200, false) => removed += units,
                (status, _) => assert_eq!(status, 409, "{}", answer.json()),
            }
        }
        (received, removed, orders)
    });
    let stock = world.stock_of("clog");
    let received: i64 = done.iter().map(|seller| seller.0).sum();
    let removed: i64 = done.iter().map(|seller| seller.1).sum();
    assert_eq!((stock.received, stock.removed), (10 + received, removed), "as was answered");
    let orders: Vec<String> = done.into_iter().flat_map(|buyer| buyer.2).collect();
    world.close(&[("clog", 0)], &orders);
}

/// The same stock over both protocols: connections of one go through the same decision.
#[test]
fn last_units_are_promised_once_over_http_and_wire_at_once() {
    const UNITS: usize = 7;
    const FRAMES: u8 = 4;
    const BATCH: u64 = 8;
    let world = World::open(SEVERAL);
    world.stock("clog", 7, 100);
    let signer = world.store.signer("storefront-hmac");
    let connect = |number| {
        let codec = Codec::new(&signer, MODE_SESSION, [number; 16]);
        Frames::connect(&world.node, codec)
    };
    let connections: Vec<_> = (0..FRAMES).map(connect).collect();
    let mut crowd = world.crowd("storefront-hmac", CROWD);
    let mut runs: Vec<Box<dyn FnOnce() -> usize + Send + '_>> = Vec::new();
    for mut frames in connections {
        runs.push(Box::new(move || {
            let batch = (1..=BATCH).map(|number| hold_command(number, "wire", "clog", 1));
            frames.ask(&batch.collect::<Vec<_>>());
            let answers = frames.answers(usize::try_from(BATCH).expect("few"));
            answers.iter().filter(|answer| answer.status == 201).count()
        }));
    }
    for attacker in &mut crowd {
        runs.push(Box::new(move || {
            usize::from(attacker.hold(&basket("http", &[("clog", 1)])).is_ok())
        }));
    }
    let held: usize = let_go(runs).iter().sum();
    assert_eq!(held, UNITS);
    world.close(&[("clog", 7)], &[]);
}
