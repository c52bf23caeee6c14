//! More than a node can take: it says 503 or 429 and when to come back, and does not grow.

use std::io::ErrorKind;
use std::time::Duration;

use claw_sdk::Response;
use claw_tests::{Draft, Node, Store, Wire};
use serde_json::json;

/// Growth that is not a queue: buffers of connections, the kernel's pages of the log.
const GROWTH_KIB_MAX: u64 = 96 * 1024;
const CONNECTIONS_COUNT: usize = 16;
const REQUESTS_COUNT: usize = 400;

fn resident_kib(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid()));
    let status = status.expect("the node lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process");
    line.trim().trim_end_matches(" kB").parse().expect("kibibytes")
}

fn stock(store: &Store, node: &Node) {
    let mut source = node.client(store, "source");
    let product = json!({"name": "Shirt", "price": {"amount": 1000, "currency": "EUR"}});
    let made = source.request("PUT", "/v1/products/shirt", product.to_string().as_bytes());
    assert_eq!(made.expect("the node answers").status, 201);
    let stock = json!({"delta": 1_000_000, "reason": "delivery"});
    let moved = source.request("POST", "/v1/products/shirt/stock", stock.to_string().as_bytes());
    assert_eq!(moved.expect("the node answers").status, 200);
}

fn assert_later(answer: &Response, status: u16, name: &str) {
    let body = answer.json();
    assert_eq!(answer.status, status, "{body}");
    assert_eq!(body["type"], format!("urn:openclaw:problem:{name}"), "{body}");
    let seconds = answer.header("retry-after").and_then(|text| text.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "{answer:?}");
}

/// Sends many holds on a connection and reads all answers.
fn flood(store: &Store, node: &Node, connection: usize) -> (usize, usize) {
    let signer = store.signer("storefront-hmac");
    let mut wire = Wire::connect(node);
    let items = json!([{"sku": "shirt", "quantity": 1}]);
    let (mut granted, mut refused) = (0, 0);
    for batch in 0..REQUESTS_COUNT / 50 {
        let mut bytes = Vec::new();
        for n in 0..50 {
            let number = (connection * REQUESTS_COUNT) + (batch * 50) + n;
            let key = format!("{number:08}-0000-4000-8000-000000000000");
            let body = json!({"session": format!("s{number}"), "items": items}).to_string();
            let hold = Draft::new(&signer, "POST", "/v1/holds", body.as_bytes());
            let hold = Draft { idempotency_key: Some(&key), ..hold };
            bytes.extend_from_slice(&hold.bytes(node));
        }
        wire.send(&bytes);
        for _ in 0..50 {
            let answer = wire.answer();
            if answer.status == 201 {
                granted += 1;
            } else {
                assert_later(&answer, 503, "overloaded");
                refused += 1;
            }
        }
    }
    (granted, refused)
}

#[test]
fn requests_beyond_the_limit_are_answered_503_and_memory_stays() {
    let store = Store::with("minimal", &[("limits.in_flight_max", "8")]);
    let mut node = Node::start(&store);
    stock(&store, &node);
    let before_kib = resident_kib(&node);
    let mut peak_kib = before_kib;
    let (granted, refused) = std::thread::scope(|scope| {
        let (store, node) = (&store, &node);
        let floods: Vec<_> = (0..CONNECTIONS_COUNT)
            .map(|connection| scope.spawn(move || flood(store, node, connection)))
            .collect();
        while floods.iter().any(|flood| !flood.is_finished()) {
            peak_kib = peak_kib.max(resident_kib(node));
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let sums = floods.into_iter().map(|flood| flood.join().expect("no panic"));
        sums.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    assert_eq!(granted + refused, CONNECTIONS_COUNT * REQUESTS_COUNT, "every request is answered");
    assert!(granted > 0 && refused > 0, "{granted} granted, {refused} refused");
    assert!(peak_kib - before_kib < GROWTH_KIB_MAX, "from {before_kib} to {peak_kib} KiB");
    let shirt = node.client(&store, "source").request("GET", "/v1/products/shirt", b"").unwrap();
    assert_eq!(shirt.json()["held"], granted, "refused is not done: {}", shirt.json());
    assert!(node.terminate().success(), "{}", node.said());
}

/// A client that asks without end and never reads is not heard any more: its requests wait in its
/// own send buffer.
#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    let store = Store::with("minimal", &[]);
    let mut node = Node::start(&store);
    let get = format!("GET /openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n", node.authority());
    let before_kib = resident_kib(&node);
    let mut wire = Wire::connect(&node);
    wire.set_write_timeout(Duration::from_secs(2));
    let burst = get.repeat(2_000);
    // Eight hundred thousand answers of many kilobytes each would be many gigabytes; the requests
    // are more than the kernel keeps on the way to a node that does not read.
    let stopped = (0..400).find_map(|_| wire.try_send(burst.as_bytes()).err());
    let stopped = stopped.expect("the node must stop reading");
    let waited = matches!(stopped.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    assert!(waited, "{stopped}: {}", node.said());
    let grown_kib = resident_kib(&node).saturating_sub(before_kib);
    assert!(grown_kib < GROWTH_KIB_MAX, "grew by {grown_kib} KiB");
    // Others are served as ever, and it is as well, once it reads.
    let mut other = Wire::connect(&node);
    other.send(get.as_bytes());
    assert_eq!(other.answer().status, 200);
    for _ in 0..100 {
        assert_eq!(wire.answer().status, 200);
    }
    drop(wire);
    assert!(node.terminate().success(), "{}", node.said());
}

#[test]
fn rates_of_keys_and_sessions_are_kept_apart() {
    let settings = [
        ("limits.requests_per_second_per_session", "5"),
        ("limits.requests_per_second_per_key", "40"),
    ];
    let store = Store::with("minimal", &settings);
    let node = Node::start(&store);
    let mut client = node.client(&store, "storefront-hmac");
    let mut ask = |session: &str| {
        let body = json!({"session": session}).to_string();
        client.request("POST", "/v1/carts", body.as_bytes()).expect("the node answers")
    };
    let limited = (0..20).map(|_| ask("ada")).find(|answer| answer.status != 201);
    let limited = limited.expect("a session has a rate");
    assert_later(&limited, 429, "rate-limited");
    assert_eq!(limited.json()["limit"], "session", "{}", limited.json());
    assert_eq!(ask("eve").status, 201, "another session is not held up");
    let limited = (0..200).map(|n| ask(&format!("s{n}"))).find(|answer| answer.status != 201);
    let limited = limited.expect("a key has a rate");
    assert_later(&limited, 429, "rate-limited");
    assert_eq!(limited.json()["limit"], "key", "{}", limited.json());
    let other =
        node.client(&store, "storefront").request("POST", "/v1/carts", b"{\"session\":\"x\"}");
    assert_eq!(other.unwrap().status, 201, "another key is not held up");
}
