//! A bad day: a gateway that declines, fails, loses answers and sends webhooks as it likes, while
//! node, vault and gateway are killed at random. In the end the gateway's ledger, the orders and
//! the stock agree exactly.
//!
//! `CLAW_TORTURE_CHECKOUTS` says how many checkouts (2,000 when not set), `CLAW_SEED` repeats a
//! run's choices of whom to kill and when.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use claw_sdk::client::Client;
use claw_tests::{Gateway, Node, Store};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::shop::{GOOD, Shop, get, insist};

const SHOPPERS: usize = 8;
const SKUS: [&str; 4] = ["clog", "mule", "pump", "sock"];
const SHARDS: u16 = 2;
/// Between two kills.
const PAUSE_MS: std::ops::Range<u64> = 100..900;
const UNITS: i64 = 1_000_000;
const PRICE: i64 = 700;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.as_secs() ^ u64::from(now.subsec_nanos())
}

fn say(line: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// What the shoppers were told.
#[derive(Default)]
struct Told {
    /// Order and units of each SKU.
    orders: BTreeMap<String, Vec<(usize, i64)>>,
}

#[test]
fn slow_ledger_orders_and_stock_agree_after_a_day_of_kills() {
    let checkouts =
        usize::try_from(number("CLAW_TORTURE_CHECKOUTS").unwrap_or(2_000)).expect("fits");
    let seed = number("CLAW_SEED").unwrap_or_else(fresh_seed);
    say(&format!("seed {seed}, {checkouts} checkouts"));
    let mut shop = bad_day_shop(checkouts);
    for sku in SKUS {
        shop.stock(sku, UNITS, PRICE);
    }
    let began = Instant::now();
    let (next, told) = (AtomicUsize::new(0), Mutex::new(Told::default()));
    let done = AtomicBool::new(false);
    let clients: Vec<Client> = (0..SHOPPERS).map(|_| shop.client("storefront")).collect();
    let kills = std::thread::scope(|scope| {
        let shoppers: Vec<_> = clients
            .into_iter()
            .enumerate()
            .map(|(shopper, client)| {
                let (next, told) = (&next, &told);
                scope.spawn(move || buy_until(client, (shopper, checkouts), next, told))
            })
            .collect();
        let killer = scope.spawn(|| kill_until(&mut shop, &done, seed));
        for shopper in shoppers {
            shopper.join().expect("a shopper does not panic");
        }
        done.store(true, Ordering::Relaxed);
        killer.join().expect("the killer does not panic")
    });
    shop.rest(SHARDS);
    let told = told.into_inner().expect("nobody panicked");
    let report = compare(&shop, &told);
    let elapsed = began.elapsed().as_secs();
    say(&format!("{checkouts} checkouts in {elapsed} s, kills {kills:?}: {report}"));
    assert_eq!(told.orders.len(), checkouts, "every checkout is an order of its own");
    assert!(kills[0] > 0 && kills[1] > 0, "nobody was killed: {kills:?}");
    let (code, said) = end(shop);
    assert_eq!(code, Some(0), "{said}");
}

fn bad_day_shop(checkouts: usize) -> Shop {
    let settings = [
        ("node.memory", "\"2GiB\""),
        ("holds.ttl_ms_default", "60000"),
        ("log.snapshot_interval_s", "2"),
    ];
    let mut store =
        Store::with("minimal", if checkouts > 10_000 { &settings } else { &settings[1..] });
    let mut node = Node::start(&store);
    let url = format!("{}/v1/payments/webhook/stripe", node.url());
    let gateway = Gateway::start(&[
        "--decline",
        "0.2",
        "--lose-answers",
        "0.05",
        "--fail",
        "0.02",
        "--latency-ms",
        "2",
        "--duplicate-webhooks",
        "0.2",
        "--reorder-webhooks",
        "0.3",
        "--webhook-url",
        &url,
    ]);
    store.pay_at(&gateway);
    assert!(node.terminate().success());
    node.start_again(&store);
    Shop { store, node, gateway }
}

fn buy_until(
    mut client: Client,
    (shopper, checkouts): (usize, usize),
    next: &AtomicUsize,
    told: &Mutex<Told>,
) {
    client.set_timeout(Duration::from_secs(20));
    let mut random = ChaCha8Rng::seed_from_u64(u64::try_from(shopper).expect("small"));
    while next.fetch_add(1, Ordering::Relaxed) < checkouts {
        let first = random.random_range(0..SKUS.len());
        let second = (first + random.random_range(1..SKUS.len())) % SKUS.len();
        let mut lines = vec![(first, random.random_range(1..4))];
        if random.random_bool(0.4) {
            lines.push((second, 1));
        }
        let items: Vec<Value> = lines
            .iter()
            .map(|(sku, units)| json!({"sku": SKUS[*sku], "quantity": units}))
            .collect();
        let session = format!("shopper-{shopper}");
        let body = json!({"session": session, "items": items, "payment": {"token": GOOD}});
        let answer = insist(&mut client, "/v1/checkouts", &body);
        assert!(matches!(answer.status, 200 | 202), "{}", answer.json());
        let order = answer.json()["order_id"].as_str().expect("an id").to_owned();
        told.lock().expect("nobody panicked").orders.insert(order, lines);
    }
}

/// Kills node, vault and gateway at random; how often each.
fn kill_until(shop: &mut Shop, done: &AtomicBool, seed: u64) -> [usize; 3] {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut kills = [0; 3];
    let mut start = Duration::ZERO;
    while !done.load(Ordering::Relaxed) {
        // A random moment is the point: nothing is waited for here. The longer a start takes, the
        // longer the node lives, or nobody would buy anything once the log has grown.
        let pause = Duration::from_millis(random.random_range(PAUSE_MS));
        std::thread::sleep(pause + start);
        // The first one is the vault, the next the node, whatever the day brings.
        let whom = match kills {
            [_, 0, _] => 2,
            [0, ..] => 0,
            _ => random.random_range(0..5),
        };
        match whom {
            0 | 1 => {
                shop.node.kill();
                let began = Instant::now();
                shop.node.start_again(&shop.store);
                start = began.elapsed();
                kills[0] += 1;
            }
            2 | 3 => kills[1] += usize::from(shop.node.kill_vault()),
            _ => {
                shop.gateway.kill_and_start_again();
                kills[2] += 1;
            }
        }
    }
    kills
}

/// What the three books say, which must be one.
fn compare(shop: &Shop, told: &Told) -> String {
    let mut paid: BTreeMap<String, i64> = BTreeMap::new();
    let (mut declined, mut canceled) = (0, 0);
    for intent in shop.gateway.ledger() {
        let order = intent["order_id"].as_str().expect("an id").to_owned();
        assert!(told.orders.contains_key(&order), "paid for an order that nobody made: {intent}");
        match intent["status"].as_str().expect("a status") {
            "succeeded" => {
                assert_eq!(intent["refunded"], false, "{intent}");
                let amount = intent["amount"].as_i64().expect("an amount");
                assert!(paid.insert(order, amount).is_none(), "paid twice: {intent}");
            }
            "requires_payment_method" => declined += 1,
            "canceled" => canceled += 1,
            other => panic!("{other} at rest: {intent}"),
        }
    }
    let mut client = shop.client("operator");
    let (mut placed, mut cancelled, mut sold) = (0, 0, [0; SKUS.len()]);
    for (order, lines) in &told.orders {
        let shown = get(&mut client, &format!("/v1/orders/{order}"));
        match shown["state"].as_str().expect("a state") {
            "placed" => {
                placed += 1;
                for (sku, units) in lines {
                    sold[*sku] += units;
                }
                let total = shown["total"]["amount"].as_i64();
                assert_eq!(paid.get(order).copied(), total, "{shown}");
            }
            "cancelled" => {
                cancelled += 1;
                assert_eq!(paid.get(order), None, "charged without an order: {shown}");
            }
            other => panic!("{other} at rest: {shown}"),
        }
    }
    for (place, sku) in SKUS.iter().enumerate() {
        assert_eq!(shop.places(sku), [0, sold[place], UNITS - sold[place]], "{sku}");
    }
    assert_eq!(paid.len(), placed);
    format!(
        "{placed} placed and paid, {cancelled} cancelled ({declined} declined, {canceled} voided)"
    )
}

/// Ends the node, and has the log judged.
fn end(mut shop: Shop) -> (Option<i32>, String) {
    assert!(shop.node.terminate().success(), "{}", shop.node.said());
    shop.store.claw(&["audit"])
}
