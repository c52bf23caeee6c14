//! Inventory attacks on what is reserved: one hold has one end, whoever reaches for it.
//!
//! The scope-based half of the class: a reservation is looked at by one request and used by the
//! next, and in between it is bought, given back, made longer, or its time is over. Each is tried
//! where one decision sells a hold, and where it is pinned while a gateway is asked for the money.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::bodies::{basket, hold_path};
use crate::books::{count_in, state, text};
use crate::world::{Attacker, CROWD, SEVERAL, World, at_once, until};

/// Times that each attack is tried in a store.
const ROUNDS: usize = 6;
/// As short as a hold may be.
const TTL_MS: u64 = 100;

/// What a hold becomes an order in: at once, and over shards and a payment.
const KINDS: [fn() -> World; 2] = [|| World::open(1), || World::open_paid(SEVERAL)];

fn of_hold(world: &World, session: &str, hold: &str) -> Value {
    world.paid_with_card(json!({"session": session, "hold_id": hold}))
}

fn state_of(world: &World, hold: &str) -> String {
    text(&world.read(&hold_path(hold))["state"])
}

/// The lines of a basket over all shards, one unit each.
fn one_of_each(skus: &[String]) -> Vec<(&str, i64)> {
    skus.iter().map(|sku| (sku.as_str(), 1)).collect()
}

fn stocked(world: &World, units: i64) -> Vec<String> {
    let skus = world.scattered_skus("held", 3);
    world.stock_each(&skus, units, 100);
    skus
}

#[test]
fn hold_is_bought_once_by_many_of_any_session() {
    const STRANGERS: usize = 8;
    for open in KINDS {
        let world = open();
        let skus = stocked(&world, 20);
        let mut crowd: Vec<_> = (0..STRANGERS).map(|_| world.shopper("eve")).collect();
        crowd.extend((0..STRANGERS).map(|_| world.shopper("ada")));
        crowd.extend(world.crowd("storefront-hmac", CROWD - 2 * STRANGERS));
        let mut orders = Vec::new();
        for _ in 0..ROUNDS {
            let shop = crowd.last_mut().expect("a crowd");
            let hold = shop.hold(&basket("ada", &one_of_each(&skus))).expect("there is enough");
            let bought = at_once(&mut crowd, |number, attacker| {
                let session = if number < STRANGERS { "eve" } else { "ada" };
                attacker.buy(&of_hold(&world, session, &hold))
            });
            for (number, answer) in bought.iter().enumerate() {
                let stranger = number < STRANGERS;
                let due = if stranger { "not-found" } else { "hold-not-active" };
                assert!(answer.as_ref().err().is_none_or(|name| name == due), "{answer:?}");
                assert!(!stranger || answer.is_err(), "another's hold was bought");
            }
            let placed: Vec<String> = bought.into_iter().flatten().collect();
            assert_eq!(placed.len(), 1, "{placed:?}");
            orders.extend(placed);
            world.at_rest(&orders);
            assert_eq!(state_of(&world, &hold), "sold");
        }
        assert_eq!(count_in(&world.at_rest(&orders), "placed"), ROUNDS);
        let places: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 0)).collect();
        world.close(&places, &orders);
    }
}

#[test]
fn hold_that_is_released_and_extended_while_it_is_bought_goes_one_way() {
    for open in KINDS {
        let world = open();
        let skus = stocked(&world, 20);
        let mut crowd = world.crowd("storefront-hmac", CROWD);
        let mut orders = Vec::new();
        for _ in 0..ROUNDS {
            let hold = crowd[0].hold(&basket("ada", &one_of_each(&skus))).expect("enough");
            let (path, extend) = (hold_path(&hold), format!("{}/extend", hold_path(&hold)));
            let got = at_once(&mut crowd, |number, attacker| match number % 3 {
                0 => (attacker.buy(&of_hold(&world, "ada", &hold)).ok(), false),
                1 => (None, attacker.delete(&path).status == 200),
                _ => {
                    let answer = attacker.post(&extend, &json!({"ttl_ms": 60_000}));
                    assert!(matches!(answer.status, 200 | 409), "{}", answer.json());
                    (None, false)
                }
            });
            let released = got.iter().any(|(_, released)| *released);
            let bought: Vec<String> = got.into_iter().filter_map(|(order, _)| order).collect();
            assert_eq!(bought.len(), usize::from(!released), "sold or given back, not both");
            let end = if released { "released" } else { "sold" };
            until("the hold does not end", || (state_of(&world, &hold) == end).then_some(()));
            orders.extend(bought);
        }
        assert_eq!(count_in(&world.at_rest(&orders), "placed"), orders.len());
        let places: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 0)).collect();
        world.close(&places, &orders);
    }
}

/// Each looks at its hold until less than a time of its own is left, and then buys it, or makes it
/// longer and buys it: some come before the end, some after, and some with it.
#[test]
fn hold_that_expires_while_it_is_bought_goes_one_way() {
    for open in KINDS {
        let world = open();
        let skus = stocked(&world, i64::try_from(CROWD).expect("few"));
        let mut crowd = world.crowd("storefront-hmac", CROWD);
        let got = at_once(&mut crowd, |number, attacker| {
            let mut wanted = basket("ada", &one_of_each(&skus));
            wanted["ttl_ms"] = json!(TTL_MS);
            let hold = attacker.hold(&wanted).expect("there is one for each");
            await_the_end(attacker, &hold, number);
            let extend = json!({"ttl_ms": 60_000});
            let longer = number % 2 == 1
                && attacker.post(&format!("{}/extend", hold_path(&hold)), &extend).status == 200;
            let bought = attacker.buy(&of_hold(&world, "ada", &hold));
            assert!(!longer || bought.is_ok(), "it was promised for longer: {bought:?}");
            (hold, bought)
        });
        let mut orders = Vec::new();
        for (hold, bought) in got {
            let end = if bought.is_ok() { "sold" } else { "expired" };
            until("the hold does not end", || (state_of(&world, &hold) == end).then_some(()));
            match bought {
                Ok(order) => orders.push(order),
                Err(name) => assert_eq!(name, "hold-not-active"),
            }
        }
        assert_eq!(count_in(&world.at_rest(&orders), "placed"), orders.len());
        let places: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 0)).collect();
        world.close(&places, &orders);
    }
}

/// Until less than `left_ms` of a hold's time is left, as its own end says, or it has ended.
fn await_the_end(attacker: &mut Attacker, hold: &str, left_ms: usize) {
    let left_ms = i128::try_from(left_ms).expect("few");
    until("it does not end", || {
        let shown = attacker.get(&hold_path(hold)).json();
        let end: jiff::Timestamp = text(&shown["expires_at"]).parse().expect("a time");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let now_ms = i128::try_from(now.as_millis()).expect("before the end of time");
        let ends_soon = i128::from(end.as_millisecond()) - now_ms <= left_ms;
        (ends_soon || state(&shown) != "active").then_some(())
    });
}

/// Some wait in line, some try to get in front of it, and what was reserved comes back meanwhile:
/// each unit goes to one of them.
#[test]
fn unit_that_comes_back_goes_to_one_of_those_who_wait() {
    const UNITS: usize = 4;
    const MORE: usize = 3;
    for open in KINDS {
        let world = open();
        world.stock("clog", 4, 100);
        let mut crowd = world.crowd("storefront-hmac", CROWD);
        let wanted = basket("ada", &[("clog", 1)]);
        let first: Vec<String> =
            (0..UNITS).map(|_| crowd[0].hold(&wanted).expect("there is enough")).collect();
        let got = at_once(&mut crowd, |number, attacker| {
            if let Some(hold) = first.get(number) {
                assert_eq!(attacker.delete(&hold_path(hold)).status, 200);
                return None;
            }
            if number % 4 == 0 {
                return attacker.hold(&wanted).ok();
            }
            let joined = attacker.post("/v1/waitlist", &wanted);
            assert_eq!(joined.status, 201, "{}", joined.json());
            Some(text(&joined.json()["hold_id"]))
        });
        let holds: Vec<String> = got.into_iter().flatten().collect();
        let granted = |units: usize| {
            world.expect_places("clog", i64::try_from(units).expect("few"), 0);
            let active = holds.iter().filter(|hold| state_of(&world, hold) == "active");
            active.cloned().collect::<Vec<String>>()
        };
        assert_eq!(granted(UNITS).len(), UNITS, "a unit has one holder");
        let more = json!({"delta": MORE, "reason": "delivery"});
        assert_eq!(world.attacker("source").post("/v1/products/clog/stock", &more).status, 200);
        assert_eq!(granted(UNITS + MORE).len(), UNITS + MORE, "and so has each that came later");
        // Everybody buys, those who still wait included.
        let bought = at_once(&mut crowd, |number, attacker| {
            let hold = holds.get(number)?;
            Some(attacker.buy(&of_hold(&world, "ada", hold)))
        });
        let orders: Vec<String> = bought.into_iter().flatten().flatten().collect();
        assert_eq!(orders.len(), UNITS + MORE);
        assert_eq!(count_in(&world.at_rest(&orders), "placed"), UNITS + MORE);
        world.close(&[("clog", 0)], &orders);
    }
}
