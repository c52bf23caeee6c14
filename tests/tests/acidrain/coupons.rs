//! Voucher attacks: a code is worth more than it says.
//!
//! The shops of the paper looked whether a code had a use left, placed the order, and noted the
//! use: everybody who looked before the first note had one. Here a use is held where the code
//! lives, before the order is confirmed, and given back when the order comes to nothing.

use serde_json::{Value, json};

use crate::bodies::{basket, coupon_path, problem};
use crate::books::{count_in, discount_of, state};
use crate::world::{Attacker, CROWD, SEVERAL, SHAPES, World, at_once};

/// Times that each attack is tried in a store, each with a code of its own.
const ROUNDS: usize = 4;
const PRICE: i64 = 1_000;
/// More than all attackers together can buy.
const PLENTY: i64 = 10_000;

fn percent(hundredths: i64, uses_max: u64) -> Value {
    json!({"kind": "percent", "value": hundredths, "uses_max": uses_max})
}

fn with_coupon(session: &str, lines: &[(&str, i64)], code: &str) -> Value {
    let mut body = basket(session, lines);
    body["coupon"] = json!(code);
    body
}

/// Two SKUs that live apart where there are several shards, with plenty of each.
fn stocked(world: &World) -> Vec<String> {
    let skus = world.scattered_skus("gift", 2);
    world.stock_each(&skus, PLENTY, PRICE);
    skus
}

/// All that is known of a code after an attack: it was used for as many orders as got it, at most
/// as often as it may be, and the others were told that it does not hold.
fn assert_used(world: &World, code: &str, orders: &[Value]) -> u64 {
    let placed = u64::try_from(count_in(orders, "placed")).expect("few");
    assert_eq!(world.uses(code), placed, "a use for each order");
    for order in orders {
        match state(order) {
            "placed" => assert!(discount_of(order) > 0, "{order}"),
            _ => assert_eq!(order["reason"], "coupon-invalid", "{order}"),
        }
    }
    placed
}

fn end(world: World, skus: &[String], orders: &[String]) {
    let places: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 0)).collect();
    world.close(&places, orders);
}

#[test]
fn once_only_code_is_used_by_one_of_many_checkouts() {
    for shards in SHAPES {
        let world = World::open(shards);
        let skus = stocked(&world);
        let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
        let mut crowd = world.crowd("storefront-hmac", CROWD);
        let mut orders = Vec::new();
        for round in 0..ROUNDS {
            let code = format!("ONCE-{round}");
            world.coupon(&code, &percent(5_000, 1));
            let bought = at_once(&mut crowd, |number, attacker| {
                // One shopper in many windows, and a crowd that shares the code.
                let session = if round % 2 == 0 { "ada".to_owned() } else { format!("s-{number}") };
                let lines = if number % 2 == 0 { &lines[..1] } else { &lines };
                attacker.buy(&with_coupon(&session, lines, &code)).expect("an order")
            });
            assert_eq!(assert_used(&world, &code, &world.at_rest(&bought)), 1, "{code}");
            orders.extend(bought);
        }
        end(world, &skus, &orders);
    }
}

/// With more codes than goods some orders that hold a use come to nothing: the use comes back, and
/// no use comes back twice.
#[test]
fn code_for_a_few_is_used_by_a_few_when_orders_fail_besides() {
    const USES: u64 = 6;
    for shards in SHAPES {
        let world = World::open(shards);
        let skus = world.scattered_skus("rare", 2);
        world.stock(&skus[0], PLENTY, PRICE);
        world.stock(&skus[1], 4, PRICE);
        let mut crowd = world.crowd("storefront-hmac", CROWD);
        world.coupon("FEW", &percent(1_000, USES));
        let both: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
        let mut orders = at_once(&mut crowd, |number, attacker| {
            // Some of them want what there is not enough of.
            let lines = if number % 3 == 0 { &both[..1] } else { &both };
            attacker.buy(&with_coupon("ada", lines, "FEW")).expect("an order")
        });
        let shown = world.at_rest(&orders);
        let placed = u64::try_from(count_in(&shown, "placed")).expect("few");
        assert_eq!(world.uses("FEW"), placed);
        assert!(placed <= USES, "{placed} of {USES}");
        // What came back can be used, and nothing beyond it.
        for left in (0..=USES - placed).rev() {
            let order = crowd[0].buy(&with_coupon("ada", &both[..1], "FEW")).expect("an order");
            let shown = world.at_rest(std::slice::from_ref(&order)).remove(0);
            assert_eq!(state(&shown) == "placed", left > 0, "{shown}");
            orders.push(order);
        }
        assert_eq!(world.uses("FEW"), USES);
        end(world, &skus, &orders);
    }
}

/// The shop changes what a code takes off, and takes it back, while it is used: every order has
/// terms that were once in force, and none that began after the end has any.
#[test]
fn code_that_is_changed_and_withdrawn_while_it_is_used_keeps_its_terms() {
    const SELLERS: usize = 4;
    const TURNS: usize = 6;
    const VALUES: [i64; 2] = [1_000, 2_500];
    for shards in SHAPES {
        let world = World::open(shards);
        let skus = stocked(&world);
        let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
        world.coupon("SALE", &percent(VALUES[0], 1_000));
        let mut crowd = world.crowd("source", SELLERS);
        crowd.extend(world.crowd("storefront-hmac", CROWD - SELLERS));
        let bought = at_once(&mut crowd, |number, attacker| {
            let mut orders = Vec::new();
            for turn in 0..TURNS {
                if number < SELLERS {
                    change(attacker, number, turn, VALUES[turn % 2]);
                } else {
                    let body = with_coupon("ada", &lines, "SALE");
                    orders.push(attacker.buy(&body).expect("an order"));
                }
            }
            orders
        });
        let mut orders: Vec<String> = bought.into_iter().flatten().collect();
        let shown = world.at_rest(&orders);
        assert_used(&world, "SALE", &shown);
        let due = VALUES.map(|value| 2 * PRICE * value / 10_000);
        for order in shown.iter().filter(|order| state(order) == "placed") {
            assert!(due.contains(&discount_of(order)), "{order}");
        }
        withdraw(&world, "SALE");
        let late = at_once(&mut crowd[SELLERS..], |_, attacker| {
            attacker.buy(&with_coupon("ada", &lines, "SALE")).expect("an order")
        });
        assert_eq!(count_in(&world.at_rest(&late), "placed"), 0, "it is over");
        orders.extend(late);
        end(world, &skus, &orders);
    }
}

/// One seller lowers how often the code may be used as far as it goes, the others change its value.
fn change(seller: &mut Attacker, number: usize, turn: usize, value: i64) {
    let uses_max = if number == 0 { 20 * u64::try_from(turn).expect("few") } else { 1_000 };
    let answer = seller.put(&coupon_path("SALE"), &percent(value, uses_max));
    if answer.status != 200 {
        assert_eq!((number, problem(&answer).as_str()), (0, "coupon-uses"));
    }
}

fn withdraw(world: &World, code: &str) {
    let mut over = percent(1_000, 1_000);
    over["ends_at"] = json!("2020-01-01T00:00:00.000Z");
    world.coupon(code, &over);
}

/// The order is cancelled by many at once, to have its use back several times, while others use it.
#[test]
fn cancelled_order_gives_its_use_back_once() {
    for shards in SHAPES {
        let world = World::open(shards);
        let skus = stocked(&world);
        let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
        let mut crowd = world.crowd("storefront-hmac", CROWD);
        let mut orders = Vec::new();
        for round in 0..ROUNDS {
            let code = format!("BACK-{round}");
            world.coupon(&code, &percent(1_000, 1));
            let body = with_coupon("ada", &lines, &code);
            let first = crowd[0].buy(&body).expect("an order");
            let cancel = format!("/v1/orders/{first}/cancel");
            let got = at_once(&mut crowd, |number, attacker| {
                if number % 2 == 0 {
                    return (attacker.post(&cancel, &Value::Null).status == 200, None);
                }
                (false, attacker.buy(&body).ok())
            });
            assert_eq!(got.iter().filter(|(cancelled, _)| *cancelled).count(), 1);
            let mut bought = vec![first];
            bought.extend(got.into_iter().filter_map(|(_, order)| order));
            // What nobody was quick enough for is there for one more, and for no second.
            for _ in 0..2 {
                world.at_rest(&bought);
                bought.push(crowd[0].buy(&body).expect("an order"));
            }
            let shown = world.at_rest(&bought);
            assert_eq!((count_in(&shown, "placed"), world.uses(&code)), (1, 1), "{code}");
            orders.extend(bought);
        }
        end(world, &skus, &orders);
    }
}

/// A gift card is a code worth as much as the basket: what is bought with it costs nothing, and
/// whoever comes too late is not charged for what he does not get.
#[test]
fn gift_card_pays_for_one_order() {
    let world = World::open_paid(SEVERAL);
    let skus = stocked(&world);
    let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    let mut crowd = world.crowd("storefront-hmac", CROWD);
    let mut orders = Vec::new();
    for round in 0..ROUNDS {
        let code = format!("CARD-{round}");
        // Every second one leaves something to pay.
        let value = 2 * PRICE - i64::from(round % 2 == 1);
        let card = json!({"kind": "amount", "value": value, "currency": "EUR", "uses_max": 1});
        world.coupon(&code, &card);
        let body = world.paid_with_card(with_coupon("ada", &lines, &code));
        let bought = at_once(&mut crowd, |_, attacker| attacker.buy(&body).expect("an order"));
        assert_eq!(assert_used(&world, &code, &world.at_rest(&bought)), 1, "{code}");
        orders.extend(bought);
    }
    end(world, &skus, &orders);
}
