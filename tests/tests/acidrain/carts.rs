//! Cart attacks: less is paid than is shipped.
//!
//! The shops of the paper summed a cart up in one request and turned it into an order in another,
//! or read it twice in one: what was put into it in between was shipped and not paid for. Here an
//! order takes the cart's lines once, and both the sum and the stock are those of its own lines.
//!
//! Every store here is paid at a gateway, whose ledger is compared with what is shipped.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::bodies::{eur, product_path};
use crate::books::{count_in, lines_of, text};
use crate::world::{Attacker, CROWD, SEVERAL, World, at_once};

/// Times that each attack is tried in a store, each on a cart of its own.
const ROUNDS: usize = 3;
const CHEAP: i64 = 100;
const DEAR: i64 = 90_000;
/// More than all attackers together can buy.
const PLENTY: i64 = 100_000;
/// Attackers that buy; the others change what is bought.
const BUYERS: usize = 8;

/// A cheap SKU and a dear one, apart where there are several shards.
fn stocked(world: &World) -> [String; 2] {
    let skus = world.scattered_skus("cart", 2);
    let skus = [skus[0].clone(), skus[1].clone()];
    world.stock(&skus[0], PLENTY, CHEAP);
    world.stock(&skus[1], PLENTY, DEAR);
    skus
}

fn new_cart(attacker: &mut Attacker) -> String {
    let answer = attacker.post("/v1/carts", &json!({"session": "ada"}));
    assert_eq!(answer.status, 201, "{}", answer.json());
    text(&answer.json()["cart_id"])
}

fn set(attacker: &mut Attacker, cart: &str, sku: &str, quantity: i64) {
    let target = format!("/v1/carts/{cart}/items/{sku}");
    let answer = attacker.put(&target, &json!({"quantity": quantity}));
    assert_eq!(answer.status, 200, "{}", answer.json());
}

fn set_each(attacker: &mut Attacker, cart: &str, skus: &[String; 2], quantity: i64) {
    for sku in skus {
        set(attacker, cart, sku, quantity);
    }
}

fn of_cart(world: &World, cart: &str) -> Value {
    world.paid_with_card(json!({"session": "ada", "cart_id": cart}))
}

/// Units of both SKUs in an order.
fn units_in(order: &Value, skus: &[String; 2]) -> [i64; 2] {
    let lines = lines_of(order);
    let of = |sku: &String| lines.iter().filter(|line| line.0 == *sku).map(|line| line.1).sum();
    [of(&skus[0]), of(&skus[1])]
}

fn end(world: World, skus: &[String; 2], orders: &[String]) {
    let shown = world.at_rest(orders);
    assert_eq!(count_in(&shown, "placed"), orders.len(), "there is plenty, and the card is good");
    world.close(&[(&skus[0], 0), (&skus[1], 0)], orders);
}

/// The attack that gave the class its name: buy a cheap cart, and put something dear into it.
#[test]
fn cart_that_is_filled_while_it_is_bought_is_paid_for_as_it_ships() {
    let world = World::open_paid(SEVERAL);
    let skus = stocked(&world);
    let mut crowd = world.crowd("storefront-hmac", CROWD);
    let mut orders = Vec::new();
    for _ in 0..ROUNDS {
        let cart = new_cart(&mut crowd[0]);
        set(&mut crowd[0], &cart, &skus[0], 1);
        let body = of_cart(&world, &cart);
        let bought = at_once(&mut crowd, |number, attacker| {
            if number < BUYERS {
                return attacker.buy(&body).ok();
            }
            set(attacker, &cart, &skus[1], 1);
            None
        });
        let bought: Vec<String> = bought.into_iter().flatten().collect();
        for order in world.at_rest(&bought) {
            let units = units_in(&order, &skus);
            assert!([[1, 0], [1, 1], [0, 1]].contains(&units), "it was never so: {order}");
            let due = units[0] * CHEAP + units[1] * DEAR;
            assert_eq!(order["total"], eur(due), "{order}");
        }
        orders.extend(bought);
    }
    end(world, &skus, &orders);
}

/// What is taken out and put back while it is bought is either in the order, and paid, or not.
#[test]
fn cart_that_is_emptied_while_it_is_bought_ships_what_was_paid_for() {
    const TURNS: usize = 6;
    const UNITS: [i64; 2] = [2, 1];
    let world = World::open_paid(SEVERAL);
    let skus = stocked(&world);
    let mut crowd = world.crowd("storefront-hmac", BUYERS + skus.len());
    let cart = new_cart(&mut crowd[0]);
    skus.iter().zip(UNITS).for_each(|(sku, units)| set(&mut crowd[0], &cart, sku, units));
    let body = of_cart(&world, &cart);
    let got = at_once(&mut crowd, |number, attacker| {
        if let Some(line) = number.checked_sub(BUYERS) {
            for turn in 0..2 * TURNS {
                set(attacker, &cart, &skus[line], if turn % 2 == 0 { 0 } else { UNITS[line] });
            }
            return Vec::new();
        }
        (0..TURNS).map(|_| attacker.buy(&body)).collect()
    });
    let got: Vec<Result<String, String>> = got.into_iter().flatten().collect();
    let refused = got.iter().filter_map(|answer| answer.as_ref().err());
    assert!(refused.clone().all(|name| name == "empty"), "{got:?}");
    let orders: Vec<String> = got.into_iter().flatten().collect();
    for order in world.at_rest(&orders) {
        let units = units_in(&order, &skus);
        assert!([[2, 1], [2, 0], [0, 1]].contains(&units), "it was never so: {order}");
    }
    end(world, &skus, &orders);
}

/// One changes both lines of a cart to the same number, over and over: an order has them as they
/// stood at one moment, never a line from before a change beside one from behind it.
#[test]
fn cart_is_bought_as_it_stood_at_one_moment() {
    const CHANGES: i64 = 40;
    const PURCHASES: usize = 6;
    let world = World::open_paid(SEVERAL);
    let skus = stocked(&world);
    let mut crowd = world.crowd("storefront-hmac", BUYERS);
    let cart = new_cart(&mut crowd[0]);
    let body = of_cart(&world, &cart);
    let bought = at_once(&mut crowd, |number, attacker| {
        if number > 0 {
            let purchases = (0..PURCHASES).map(|_| attacker.buy(&body));
            return purchases.filter_map(Result::ok).collect();
        }
        for quantity in 1..=CHANGES {
            set_each(attacker, &cart, &skus, quantity);
        }
        Vec::new()
    });
    let orders: Vec<String> = bought.into_iter().flatten().collect();
    for order in world.at_rest(&orders) {
        // A purchase empties the cart, and a line that is not there says nothing.
        let [first, second] = units_in(&order, &skus);
        let changed_first = first == second || first == second + 1;
        assert!(changed_first || first == 0 || second == 0, "it was never so: {order}");
    }
    end(world, &skus, &orders);
}

/// The price goes up and down while it is paid: an order has one of its prices, the same on its
/// lines, in its sum and at the gateway.
#[test]
fn price_that_is_changed_while_it_is_paid_is_charged_as_the_order_says() {
    const SELLERS: usize = 2;
    const TURNS: usize = 4;
    const CHANGES_MAX: usize = 10_000;
    const PRICES: [i64; 2] = [CHEAP, DEAR];
    let world = World::open_paid(SEVERAL);
    let skus = stocked(&world);
    let mut crowd = world.crowd("source", SELLERS);
    crowd.extend(world.crowd("storefront-hmac", BUYERS));
    let change = |seller: &mut Attacker, sku: &str, price: i64| {
        let answer =
            seller.post(&format!("{}/price", product_path(sku)), &json!({"price": eur(price)}));
        assert_eq!(answer.status, 200, "{}", answer.json());
    };
    let done = AtomicUsize::new(0);
    let bought = at_once(&mut crowd, |number, attacker| {
        if number < SELLERS {
            // As long as somebody buys.
            let turns = (0..CHANGES_MAX).take_while(|_| done.load(Ordering::Relaxed) < BUYERS);
            turns.for_each(|turn| change(attacker, &skus[number], PRICES[turn % 2]));
            return Vec::new();
        }
        let buy = |_| {
            let cart = new_cart(attacker);
            set_each(attacker, &cart, &skus, 1);
            attacker.buy(&of_cart(&world, &cart)).expect("an order")
        };
        let orders = (0..TURNS).map(buy).collect();
        done.fetch_add(1, Ordering::Relaxed);
        orders
    });
    let mut orders: Vec<String> = bought.into_iter().flatten().collect();
    for order in world.at_rest(&orders) {
        let prices = lines_of(&order).into_iter().map(|line| line.2);
        assert!(prices.clone().count() == 2, "{order}");
        assert!(prices.clone().all(|price| PRICES.contains(&price)), "{order}");
    }
    // An old cart is bought at the new price: what it showed is no promise, a hold would be one.
    let cart = new_cart(&mut crowd[SELLERS]);
    set(&mut crowd[SELLERS], &cart, &skus[0], 1);
    change(&mut crowd[0], &skus[0], DEAR + 1);
    let late = crowd[SELLERS].buy(&of_cart(&world, &cart)).expect("an order");
    orders.push(late.clone());
    assert_eq!(world.at_rest(&[late])[0]["total"], eur(DEAR + 1));
    end(world, &skus, &orders);
}

/// One cart in many windows: as many orders as come of it are paid, each in full.
#[test]
fn cart_that_is_bought_by_many_at_once_is_paid_for_each_time_it_ships() {
    let world = World::open_paid(SEVERAL);
    let skus = stocked(&world);
    let mut crowd = world.crowd("storefront-hmac", BUYERS);
    let mut orders = Vec::new();
    for _ in 0..ROUNDS {
        let cart = new_cart(&mut crowd[0]);
        set_each(&mut crowd[0], &cart, &skus, 1);
        let body = of_cart(&world, &cart);
        let got = at_once(&mut crowd, |_, attacker| attacker.buy(&body));
        let refused = got.iter().filter_map(|answer| answer.as_ref().err());
        assert!(refused.clone().all(|name| name == "empty"), "{got:?}");
        let bought: Vec<String> = got.into_iter().flatten().collect();
        assert!(!bought.is_empty(), "somebody was first");
        for order in world.at_rest(&bought) {
            assert_eq!(order["total"], eur(CHEAP + DEAR), "{order}");
        }
        orders.extend(bought);
    }
    end(world, &skus, &orders);
}
