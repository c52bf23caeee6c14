//! A node killed at random moments under load, and started again, as often as asked.
//!
//! Several shoppers hold, release and buy over real connections until the node is killed with
//! `kill -9`. After each start, everything acknowledged is asked for again with its own key, and
//! must give the first answer; what was under way is asked for again too, and must then be done
//! exactly once: stock, holds, sales and coupon uses are counted against the shoppers' own books.
//!
//! `CLAW_TORTURE_KILLS` says how often (20 when not set), `CLAW_SEED` repeats a run's choices.
//! `kill -9` spares the page cache: devices that lose what was not flushed are the log's own tests.

mod shopper;

use std::env;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use claw_sdk::Client;
use claw_tests::{Node, Store, program};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use shopper::{Books, COUPON, SKUS, Shopper};

const SHOPPERS_COUNT: u64 = 8;
const STOCK: u64 = 1_000_000;
/// A kill comes at most this long after the shoppers started, so that it falls into start-up,
/// first writes and full load alike.
const KILL_DELAY_MS_MAX: u64 = 400;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// A new one for each run: the seed that is printed is what makes a failure repeatable.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.as_secs() ^ u64::from(now.subsec_nanos())
}

#[test]
fn slow_killed_node_keeps_every_acknowledged_answer_exactly_once() {
    let kills = number("CLAW_TORTURE_KILLS").unwrap_or(20);
    let seed = number("CLAW_SEED").unwrap_or_else(fresh_seed);
    say(&format!("seed {seed}, {kills} kills"));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);

    let store = Store::create("flash-drop");
    let mut node = Node::start(&store);
    fill(&mut node.client(&store, "source"));
    let mut shoppers: Vec<_> =
        (0..SHOPPERS_COUNT).map(|number| Shopper::new(number, rng.random())).collect();

    for kill in 1..=kills {
        let delay = Duration::from_millis(rng.random_range(0..KILL_DELAY_MS_MAX));
        shop_until_killed(&store, &mut node, &mut shoppers, delay);
        node = Node::start(&store);
        let mut client = node.client(&store, "storefront-hmac");
        let mut books = Books::default();
        for shopper in &mut shoppers {
            shopper.ask_again(&mut client);
            shopper.report(&mut books);
        }
        compare(&books, &mut node.client(&store, "operator"));
        say(&format!("kill {kill}: {books}"));
    }

    assert!(node.terminate().success(), "{}", node.said());
    let audit = program::claw().arg("audit").arg("--store").arg(store.path()).output().unwrap();
    let said = String::from_utf8_lossy(&audit.stdout);
    assert!(audit.status.success(), "{said}\n{}", String::from_utf8_lossy(&audit.stderr));
    assert!(said.contains("oversold: 0"), "{said}");
    let sold: u64 = shoppers.iter().map(Shopper::orders_count).sum();
    assert!(sold > 0, "nobody bought anything: this run has shown nothing");
}

/// Products over several shards, and a coupon that nobody can use up.
fn fill(client: &mut Client) {
    for sku in SKUS {
        let product = json!({"name": sku, "price": {"amount": 4900, "currency": "EUR"}});
        let target = format!("/v1/products/{sku}");
        expect(client, "PUT", &target, &product, 201);
        let delivery = json!({"delta": STOCK, "reason": "delivery"});
        expect(client, "POST", &format!("{target}/stock"), &delivery, 200);
    }
    let coupon = json!({"kind": "percent", "value": 1000, "uses_max": STOCK});
    expect(client, "PUT", &format!("/v1/coupons/{COUPON}"), &coupon, 201);
}

fn expect(client: &mut Client, method: &str, target: &str, body: &Value, status: u16) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = client.request(method, target, body.as_bytes()).expect("the node answers");
    assert_eq!(answer.status, status, "{method} {target}: {}", answer.json());
    answer.json()
}

fn shop_until_killed(store: &Store, node: &mut Node, shoppers: &mut [Shopper], delay: Duration) {
    let closing = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for shopper in shoppers {
            let client = node.client(store, "storefront-hmac");
            let closing = &closing;
            scope.spawn(move || shopper.shop(client, closing));
        }
        // A random moment is the point: nothing is waited for here.
        std::thread::sleep(delay);
        node.kill();
        closing.store(true, Ordering::Relaxed);
    });
}

/// The node's counts are the shoppers' counts.
fn compare(books: &Books, operator: &mut Client) {
    for sku in SKUS {
        let product = expect(operator, "GET", &format!("/v1/products/{sku}"), &Value::Null, 200);
        let count = |name: &str| product[name].as_u64().expect("a count");
        assert_eq!(count("received"), STOCK, "{product}");
        assert_eq!(count("held"), books.held(sku), "{sku} held: {product}");
        assert_eq!(count("sold"), books.sold(sku), "{sku} sold: {product}");
        assert_eq!(count("available"), STOCK - count("held") - count("sold"), "{product}");
    }
    let coupon = expect(operator, "GET", &format!("/v1/coupons/{COUPON}"), &Value::Null, 200);
    assert_eq!(coupon["uses"], books.coupon_uses(), "{coupon}");
}

fn say(line: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr().lock(), "{line}").ok();
}
