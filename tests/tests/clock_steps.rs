//! A real node whose system clock is set: while it runs, and while it is down.
//!
//! While it runs, a jump is not followed: no hold expires by it, early or at all, and the alarm is
//! up until the clocks agree again. While it is down nobody can tell a jump from time that passed:
//! a clock set forward lets holds expire at the start, one set back a little is waited for, and one
//! set back far is refused, since the log must never run backwards.

use std::time::{Duration, Instant};

use claw_sdk::Client;
use claw_tests::{Node, Store, SystemClock};
use serde_json::{Value, json};

const HOUR_MS: i64 = 3_600_000;
/// A node believes signatures that are some minutes old: what is signed in the test's own time is
/// good for one that is that far ahead.
const MINUTE_MS: i64 = 60_000;
const SKU: &str = "clog";
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

fn ask(client: &mut Client, method: &str, target: &str, body: &Value, status: u16) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = client.request(method, target, body.as_bytes()).expect("the node answers");
    assert_eq!(answer.status, status, "{method} {target}: {}", answer.json());
    answer.json()
}

/// A store whose nodes see `clock`, with ten clogs.
fn stocked(clock: &SystemClock) -> (Store, Node) {
    let mut store = Store::with("minimal", &[]);
    store.tell_time_by(clock);
    let node = Node::start(&store);
    let mut source = node.client(&store, "source");
    let product = json!({"name": SKU, "price": {"amount": 4900, "currency": "EUR"}});
    ask(&mut source, "PUT", &format!("/v1/products/{SKU}"), &product, 201);
    let delivery = json!({"delta": 10, "reason": "delivery"});
    ask(&mut source, "POST", &format!("/v1/products/{SKU}/stock"), &delivery, 200);
    (store, node)
}

fn hold(store: &Store, node: &Node, ttl_ms: i64) -> String {
    let body = json!({
        "session": "anna", "items": [{"sku": SKU, "quantity": 1}], "ttl_ms": ttl_ms,
    });
    let held = ask(&mut node.client(store, "storefront-hmac"), "POST", "/v1/holds", &body, 201);
    held["hold_id"].as_str().expect("an id").to_owned()
}

fn state(store: &Store, node: &Node, hold: &str) -> String {
    let mut client = node.client(store, "storefront-hmac");
    let hold = ask(&mut client, "GET", &format!("/v1/holds/{hold}"), &Value::Null, 200);
    hold["state"].as_str().expect("a state").to_owned()
}

fn held(store: &Store, node: &Node) -> u64 {
    let mut client = node.client(store, "source");
    let product = ask(&mut client, "GET", &format!("/v1/products/{SKU}"), &Value::Null, 200);
    product["held"].as_u64().expect("a count")
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn ms_of(time: &Value) -> i64 {
    let time = time.as_str().expect("a time").parse::<jiff::Timestamp>();
    time.expect("a time").as_millisecond()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::park_timeout(LOOK_AGAIN);
    }
}

fn jump_ms(node: &Node) -> i64 {
    node.gauges("claw_clock_jump_ms{")[0].parse().expect("a number")
}

#[test]
fn jump_under_a_running_node_expires_nothing_and_is_alarmed_until_it_is_undone() {
    let Some(clock) = SystemClock::right() else { return };
    let began_ms = now_ms();
    let (store, mut node) = stocked(&clock);
    assert_eq!(jump_ms(&node), 0);
    let long = hold(&store, &node, HOUR_MS);
    for offset_ms in [3 * HOUR_MS, -3 * HOUR_MS] {
        clock.set_off_by_ms(offset_ms);
        until("the alarm", || jump_ms(&node).abs_diff(offset_ms.abs()) < 1_000);
        node.wait_for("jumped by");
        assert_eq!(state(&store, &node, &long), "active", "by {offset_ms} ms");
        // What is asked meanwhile is done as ever, by the node's own time.
        let short = hold(&store, &node, 1_000);
        clock.set_off_by_ms(0);
        until("the all-clear", || jump_ms(&node) == 0);
        until("the expiry", || state(&store, &node, &short) == "expired");
        assert_eq!(state(&store, &node, &long), "active", "by {offset_ms} ms");
        assert_eq!(held(&store, &node), 1);
    }
    assert!(node.terminate().success(), "{}", node.said());
    let (code, said) = store.claw(&["log", "verify"]);
    assert_eq!(code, Some(0), "{said}");
    // Nor do the signatures that say when: every checkpoint is of these moments.
    let (code, said) = store.claw(&["log", "checkpoints", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let checkpoints: Vec<Value> = serde_json::from_str(&said).expect("JSON");
    let times = checkpoints.iter().map(|checkpoint| ms_of(&checkpoint["at"]));
    let strangers: Vec<_> = times.filter(|at| !(began_ms..=now_ms()).contains(at)).collect();
    assert!(strangers.is_empty() && !checkpoints.is_empty(), "{strangers:?} in {said}");
}

#[test]
fn clock_set_while_the_node_was_down_is_time_passed_waited_for_or_refused() {
    let Some(clock) = SystemClock::right() else { return };
    let (store, mut node) = stocked(&clock);
    let first = hold(&store, &node, 3 * MINUTE_MS);
    node.kill();

    clock.set_off_by_ms(2 * MINUTE_MS);
    let mut node = Node::start(&store);
    assert_eq!(state(&store, &node, &first), "active", "its end is a minute away");
    let second = hold(&store, &node, 3 * MINUTE_MS);
    node.kill();

    // A little behind the log's last event: waited for.
    clock.set_off_by_ms(2 * MINUTE_MS - 2_000);
    let mut node = Node::start(&store);
    assert_eq!(held(&store, &node), 2);
    node.kill();

    // More than a minute behind it: nothing may be written with a time before that.
    clock.set_off_by_ms(0);
    let (code, said) = Node::refused(&store, &[]);
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains("ms behind the log's last event"), "{said}");

    clock.set_off_by_ms(4 * MINUTE_MS);
    let mut node = Node::start(&store);
    until("the first one's expiry", || state(&store, &node, &first) == "expired");
    assert_eq!(state(&store, &node, &second), "active");
    assert_eq!(held(&store, &node), 1);
    assert!(node.terminate().success(), "{}", node.said());
    let (code, said) = store.claw(&["audit"]);
    assert_eq!(code, Some(0), "{said}");
}
