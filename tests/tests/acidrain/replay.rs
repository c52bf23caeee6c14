//! Attacks with the same again: a signed request sent hundreds of times at once, and a key reused.
//!
//! The paper's attackers repeat themselves, and so do honest clients on a bad line. One identity
//! is one command: it has one effect and one answer, before and after a crash. (While several
//! shards still decide, a repeat is told to ask again, under the same key.)

use claw_sdk::Signer;
use claw_sdk::client::new_idempotency_key;
use claw_tests::{Draft, Wire};
use serde_json::{Value, json};

use crate::bodies::{basket, coupon_path, hold_path, problem, stock_path};
use crate::books::{Stock, count_in, text};
use crate::world::{CROWD, SEVERAL, SHAPES, World, at_once, let_go};

/// Connections that all send the same.
const CONNECTIONS: usize = 12;
/// How often each does, without waiting for an answer.
const REPEATS: usize = 25;

/// One request, and whose key signs it.
struct Raindrop {
    key: &'static str,
    method: &'static str,
    target: String,
    body: Value,
}

impl Raindrop {
    fn new(key: &'static str, (method, target): (&'static str, String), body: Value) -> Self {
        Self { key, method, target, body }
    }

    /// Signed once: what rains are the same bytes.
    fn sign(&self, world: &World, signer: &Signer) -> Vec<u8> {
        let identity = new_idempotency_key().expect("randomness");
        let body = if self.body.is_null() { String::new() } else { self.body.to_string() };
        let draft = Draft {
            idempotency_key: Some(&identity),
            ..Draft::new(signer, self.method, &self.target, body.as_bytes())
        };
        draft.bytes(&world.node)
    }
}

/// The one answer that everybody got who got one, without what is of the moment: a repeated
/// checkout shows its order as it is now.
///
/// # Panics
/// When there are two, or none.
fn rain(world: &World, request: &[u8]) -> (u16, Value) {
    let connect = |_| {
        let mut wire = Wire::connect(&world.node);
        move || {
            (0..REPEATS).for_each(|_| wire.send(request));
            let answers = (0..REPEATS).map(|_| wire.answer());
            let said = answers.map(|answer| {
                let mut body = answer.json();
                if answer.status == 202 {
                    body["state"] = Value::Null;
                }
                (answer.status, body)
            });
            said.collect::<Vec<_>>()
        }
    };
    let fallen = let_go((0..CONNECTIONS).map(connect).collect());
    let mut answers = fallen.into_iter().flatten().filter(|(status, body)| {
        *status != 503 || body["type"] != "urn:openclaw:problem:still-deciding"
    });
    let first = answers.next().expect("whoever was first is answered");
    answers.for_each(|answer| assert_eq!(answer, first));
    first
}

/// A drop of each kind that moves goods or money, and the orders that were there before.
fn drops(world: &World, skus: &[String]) -> (Vec<Raindrop>, Vec<String>) {
    let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1)).collect();
    let wanted = basket("ada", &lines);
    let mut shop = world.attacker("storefront-hmac");
    let mut held = || hold_path(&shop.hold(&wanted).expect("there is enough"));
    let (released, extended) = (held(), held());
    let mut placed = || shop.buy(&wanted).expect("an order");
    let steps = ["cancel", "ship", "refund"].map(|step| (placed(), step));
    let cart = text(&shop.post("/v1/carts", &json!({"session": "ada"})).json()["cart_id"]);
    let line = format!("/v1/carts/{cart}/items/{}", skus[0]);
    let coupon = json!({"kind": "percent", "value": 100, "uses_max": 5});
    let shop = "storefront-hmac";
    let mut drops = vec![
        Raindrop::new(shop, ("POST", "/v1/holds".into()), wanted.clone()),
        Raindrop::new(shop, ("POST", "/v1/holds".into()), basket("ada", &lines[..1])),
        Raindrop::new(shop, ("POST", "/v1/waitlist".into()), basket("ada", &lines[..1])),
        Raindrop::new(shop, ("POST", "/v1/checkouts".into()), wanted.clone()),
        Raindrop::new(shop, ("POST", "/v1/checkouts".into()), basket("ada", &lines[..1])),
        Raindrop::new(shop, ("DELETE", released), Value::Null),
        Raindrop::new(shop, ("POST", format!("{extended}/extend")), json!({"ttl_ms": 90_000})),
        Raindrop::new(shop, ("PUT", line), json!({"quantity": 3})),
        Raindrop::new("source", ("POST", stock_path(&skus[0])), json!({"delta": 7, "reason": "a"})),
        Raindrop::new(
            "source",
            ("POST", stock_path(&skus[0])),
            json!({"delta": -2, "reason": "b"}),
        ),
        Raindrop::new("source", ("PUT", coupon_path("RAIN")), coupon),
    ];
    let path = |order: &str, step: &str| format!("/v1/orders/{order}/{step}");
    let asked = steps.iter().map(|(order, step)| ("POST", path(order, step)));
    drops.extend(asked.map(|place| Raindrop::new(shop, place, Value::Null)));
    (drops, steps.map(|(order, _)| order).into())
}

/// Received, removed, held and sold of the SKU that all drops fall on, when they have fallen: each
/// of the drops above counts once.
fn due(before: Stock) -> [i64; 4] {
    // Three more are held, one is released; two more are sold, one is cancelled. (Two of those held
    // and one of those sold are of this SKU alone.)
    let (held, sold) = (before.held + 3 - 1, before.sold + 2 - 1);
    [before.received + 7, before.removed + 2, held, sold]
}

#[test]
fn signed_request_that_rains_has_one_effect_and_one_answer_over_a_crash_too() {
    for shards in SHAPES {
        let mut world = World::open(shards);
        let skus = world.scattered_skus("rain", 2);
        world.stock_each(&skus, 1_000, 100);
        let (drops, mut orders) = drops(&world, &skus);
        let before = world.stock_of(&skus[0]);
        let mut fallen = Vec::new();
        for drop in &drops {
            let request = drop.sign(&world, &world.store.signer(drop.key));
            let first = rain(&world, &request);
            assert!(matches!(first.0, 200..=202), "{}: {first:?}", drop.target);
            fallen.push((request, first));
        }
        let [received, removed, held, sold] = due(before);
        world.expect_places(&skus[0], held, sold);
        let after = world.stock_of(&skus[0]);
        assert_eq!((after.received, after.removed), (received, removed));
        world.node.kill();
        world.node.start_again(&world.store);
        for (request, first) in &fallen {
            assert_eq!(rain(&world, request), *first);
        }
        world.expect_places(&skus[0], held, sold);
        assert_eq!(world.stock_of(&skus[0]), after, "the rain after the crash changed nothing");
        let bought = fallen.iter().filter(|(_, answer)| answer.0 == 202);
        orders.extend(bought.map(|(_, answer)| text(&answer.1["order_id"])));
        world.close(&[(&skus[0], held), (&skus[1], held - 2)], &orders);
    }
}

/// Many commands under one identity: one of them is done, and the others are told so.
#[test]
fn key_that_many_use_for_different_bodies_at_once_does_one_of_them() {
    let world = World::open(SEVERAL);
    world.stock("clog", 1_000, 100);
    let before = world.stock_of("clog");
    let mut crowd = world.crowd("source", CROWD);
    let key = new_idempotency_key().expect("randomness");
    let units = |number: usize| i64::try_from(number).expect("few") + 1;
    let done = at_once(&mut crowd, |number, attacker| {
        let body = json!({"delta": units(number), "reason": "count"});
        let answer = attacker.post_as(&stock_path("clog"), &body, &key);
        if answer.status == 200 { Ok(units(number)) } else { Err(problem(&answer)) }
    });
    let received = only_one(done);
    assert_eq!(world.stock_of("clog").received, before.received + received);

    let mut crowd = world.crowd("storefront-hmac", CROWD);
    let ask = |target: &'static str, name: &'static str, crowd: &mut Vec<_>| {
        let key = new_idempotency_key().expect("randomness");
        only_one(at_once(crowd, |number, attacker| {
            let body = basket("ada", &[("clog", units(number))]);
            let answer = attacker.post_as(target, &body, &key);
            match answer.status {
                201 | 202 => Ok((text(&answer.json()[name]), units(number))),
                _ => Err(problem(&answer)),
            }
        }))
    };
    let (_, held) = ask("/v1/holds", "hold_id", &mut crowd);
    let (order, sold) = ask("/v1/checkouts", "order_id", &mut crowd);
    assert_eq!(count_in(&world.at_rest(std::slice::from_ref(&order)), "placed"), 1);
    world.expect_places("clog", held, sold);
    world.close(&[("clog", held)], &[order]);
}

/// What the one got whose command was done.
fn only_one<T: std::fmt::Debug>(answers: Vec<Result<T, String>>) -> T {
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    let mismatch = |name: &String| name == "idempotency-mismatch";
    assert!(refused.iter().filter_map(|answer| answer.as_ref().err()).all(mismatch), "{refused:?}");
    assert_eq!(done.len(), 1, "{done:?}");
    done.into_iter().flatten().next().expect("one")
}
