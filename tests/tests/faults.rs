//! Devices that fail under a real node: full, broken, short, and with a cache that forgets.
//!
//! A node that cannot write stops with exit code 3 and says why; whatever it had acknowledged is
//! there after the next start. Over a volatile write cache, which `kill -9` empties as a power
//! failure would, the same must hold; with the flush taken out it must not, or the check shows
//! nothing.

mod shopper;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use claw_tests::{Node, Store};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use shopper::market::{ANSWERS_PER_STORE, Market, busy_store, inspect};

const SEEDS_COUNT: u64 = 10;
/// A crash comes between these after the shoppers started, milliseconds.
const CRASH_DELAY_MS: std::ops::Range<u64> = 30..400;

fn device(plan: &str) -> String {
    format!("fault:{plan}:file:data")
}

/// A store with its goods, made while the device was in order, and its shoppers.
fn opened(shards: &str, rng: &mut ChaCha8Rng) -> (Store, Market) {
    let store = busy_store(shards);
    let mut node = Node::start(&store);
    let market = Market::open(&store, &node, rng);
    assert!(node.terminate().success(), "{}", node.said());
    (store, market)
}

#[test]
fn failing_write_stops_the_node_with_3_and_loses_nothing_acknowledged() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for shards in ["1", "4"] {
        let (store, mut market) = opened(shards, &mut rng);
        let rows = [
            ("eio-after=40", "Input/output error"),
            ("enospc-after=25", "No space left on device"),
            ("short-after=33", "is the device full?"),
            ("eio-after=6", "Input/output error"),
        ];
        for (plan, reason) in rows {
            let mut node = Node::start_with(&store, &["--device", &device(plan)]);
            market.shop_until(&store, &mut node, |node| {
                let code = node.wait().code();
                assert_eq!(code, Some(3), "{plan}: {}", node.said());
            });
            let said = node.said();
            assert!(said.contains("claw: fatal: log write failed"), "{plan}: {said}");
            assert!(said.contains(reason), "{plan}: {said}");
            let mut node = Node::start(&store);
            market.settle(&store, &node);
            assert!(node.terminate().success(), "{}", node.said());
        }
        inspect(&store);
        assert!(market.orders_count() > 0, "nobody bought anything: this run has shown nothing");
    }
}

#[test]
fn device_that_fails_at_once_is_reported_at_the_start() {
    let store = Store::with("minimal", &[]);
    let (code, said) = Node::refused(&store, &["--device", &device("eio-after=0")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("Input/output error"), "{said}");
    let (code, said) = Node::refused(&store, &["--device", &device("eio-soon")]);
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains("eio-after=N"), "{said}");
}

/// Shops over a cache that loses what was not flushed, kills the node, and checks on a good device.
/// How many answers there were by then.
fn crash_over_cache(store: &Store, market: &mut Market, plan: &str, delay: Duration) -> usize {
    let mut node = Node::start_with(store, &["--device", &device(plan)]);
    market.shop_until(store, &mut node, |node| {
        // A random moment is the point: nothing is waited for here.
        std::thread::sleep(delay);
        node.kill();
    });
    let mut node = Node::start(store);
    let books = market.settle(store, &node);
    assert!(node.terminate().success(), "{}", node.said());
    books.answers_count()
}

#[test]
fn slow_power_failure_loses_nothing_acknowledged() {
    for shards in ["1", "4"] {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut store, mut market) = opened(shards, &mut rng);
        let mut orders_count = 0;
        for seed in 0..SEEDS_COUNT {
            let delay = Duration::from_millis(rng.random_range(CRASH_DELAY_MS));
            let plan = format!("volatile-cache={seed}");
            let answers_count = crash_over_cache(&store, &mut market, &plan, delay);
            orders_count = market.orders_count().max(orders_count);
            if answers_count > ANSWERS_PER_STORE {
                inspect(&store);
                (store, market) = opened(shards, &mut rng);
            }
        }
        inspect(&store);
        assert!(orders_count > 0, "nobody bought anything: this run has shown nothing");
    }
}

#[test]
fn slow_power_failure_without_flush_is_found_out() {
    let found = (0..SEEDS_COUNT).find(|seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(*seed);
        let (store, mut market) = opened("1", &mut rng);
        let plan = format!("volatile-cache={seed},no-flush");
        let delay = Duration::from_millis(rng.random_range(CRASH_DELAY_MS));
        catch_unwind(AssertUnwindSafe(|| crash_over_cache(&store, &mut market, &plan, delay)))
            .is_err()
    });
    assert!(found.is_some(), "a device that lied {SEEDS_COUNT} times was believed every time");
}
