//! HTTP on a real socket: what two readers could take for two different messages is refused and
//! the connection closed; what is legal and useful works.

use std::time::{Duration, Instant};

use claw_sdk::Signer;
use claw_tests::{Draft, Node, Store, Wire};

const KEY: &str = "0190b5a4-7f3c-4c57-8f2e-3d1c5a9b7e10";
const CART: &[u8] = b"{\"session\":\"ada\"}";

fn cart(signer: &Signer) -> Draft<'_> {
    Draft { idempotency_key: Some(KEY), ..Draft::new(signer, "POST", "/v1/carts", CART) }
}

fn chunked(body: &[u8], size_line: &str, end: &str) -> Vec<u8> {
    [size_line.as_bytes(), b"\r\n", body, b"\r\n", end.as_bytes()].concat()
}

/// One refusal, then the end: what follows is never taken for a request.
#[test]
fn smuggling_is_refused_and_the_connection_closed() {
    let store = Store::with("minimal", &[]);
    let node = Node::start(&store);
    let before = node.positions();
    let signer = store.signer("storefront-hmac");
    let smuggled = cart(&signer).bytes(&node);
    let length = CART.len();
    let hex = format!("{length:x}");
    let both = format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n");
    let two = format!("Content-Length: {length}\r\nContent-Length: 0\r\n");
    let same = format!("Content-Length: {length}\r\nContent-Length: {length}\r\n");
    let list = format!("Content-Length: {length}, {length}\r\n");
    let plus = format!("Content-Length: +{length}\r\n");
    let spaced = format!("Content-Length : {length}\r\n");
    let folded = format!("X-Note: a\r\n b\r\nContent-Length: {length}\r\n");
    let bare = format!("X-Note: a\nContent-Length: {length}\r\n");
    let nul = format!("X-Note: a\0b\r\nContent-Length: {length}\r\n");
    let host = format!("Host: elsewhere\r\nContent-Length: {length}\r\n");
    let coded = "Transfer-Encoding: chunked\r\n";
    let whole = chunked(CART, &hex, "0\r\n\r\n");
    let rows: Vec<(&str, Vec<u8>)> = vec![
        (&both, whole.clone()),
        (&two, CART.to_vec()),
        (&same, CART.to_vec()),
        (&list, CART.to_vec()),
        (&plus, CART.to_vec()),
        ("Content-Length: 0x11\r\n", CART.to_vec()),
        ("Content-Length: -1\r\n", CART.to_vec()),
        ("Content-Length: \r\n", CART.to_vec()),
        (&spaced, CART.to_vec()),
        (&folded, CART.to_vec()),
        (&bare, CART.to_vec()),
        (&nul, CART.to_vec()),
        (&host, CART.to_vec()),
        ("Transfer-Encoding: gzip, chunked\r\n", whole.clone()),
        ("Transfer-Encoding: chunked, identity\r\n", whole.clone()),
        ("Transfer-Encoding: xchunked\r\n", whole.clone()),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", whole),
        (coded, chunked(CART, &format!("{hex};note=1"), "0\r\n\r\n")),
        (coded, chunked(CART, &format!(" {hex}"), "0\r\n\r\n")),
        (coded, chunked(CART, "zz", "0\r\n\r\n")),
        (coded, chunked(CART, "5", "0\r\n\r\n")),
        (coded, chunked(CART, &hex, "0\r\nX-Trailer: 1\r\n\r\n")),
        (coded, chunked(CART, &hex, "0\n\n")),
        (coded, chunked(CART, "-1", "0\r\n\r\n")),
    ];
    for (framing, sent) in rows {
        let mut bytes = Draft { framing: Some(framing), ..cart(&signer) }.head(&node);
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&sent);
        bytes.extend_from_slice(&smuggled);
        refused(&node, &bytes, (400, "malformed"), framing);
    }
    assert_eq!(node.positions(), before);
}

fn refused(node: &Node, bytes: &[u8], wanted: (u16, &str), about: &str) {
    let mut wire = Wire::connect(node);
    wire.send(bytes);
    let answer = wire.answer();
    let body = answer.json();
    assert_eq!(answer.status, wanted.0, "{about:?}: {body}");
    assert_eq!(body["type"], format!("urn:openclaw:problem:{}", wanted.1), "{about:?}: {body}");
    assert_eq!(answer.header("connection"), Some("close"), "{about:?}");
    assert!(wire.ended(), "{about:?}: the connection goes on");
}

#[test]
fn heads_that_are_ambiguous_or_no_http_are_refused() {
    let store = Store::with("minimal", &[]);
    let node = Node::start(&store);
    let before = node.positions();
    let here = node.authority();
    let rows = [
        "GET /v1/health HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET http://elsewhere/v1/health HTTP/1.1\r\nHost: {here}\r\n\r\n"),
        format!("GET v1/health HTTP/1.1\r\nHost: {here}\r\n\r\n"),
        format!("GET /v1/health#x HTTP/1.1\r\nHost: {here}\r\n\r\n"),
        format!("GET  /v1/health HTTP/1.1\r\nHost: {here}\r\n\r\n"),
        format!("GET /v1/health HTTP/2.0\r\nHost: {here}\r\n\r\n"),
        format!("GET /v1/health HTTP/1.1\nHost: {here}\n\n"),
        format!("GET /v1/health HTTP/1.1\r\nHost: {here}/x\r\n\r\n"),
        format!("GET /v1/health HTTP/1.1\r\n Host: {here}\r\n\r\n"),
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned(),
    ];
    for row in rows {
        refused(&node, row.as_bytes(), (400, "malformed"), &row);
    }
    assert_eq!(node.positions(), before);
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let store = Store::with("minimal", &[]);
    let node = Node::start(&store);
    let before = node.positions();
    let signer = store.signer("storefront-hmac");
    let get = format!("GET /v1/health HTTP/1.1\r\nHost: {}\r\n", node.authority());
    let long = format!("{get}X-Long: {}\r\n\r\n", "x".repeat(16 * 1024));
    refused(&node, long.as_bytes(), (431, "head-too-large"), "a long field");
    let endless = format!("{get}X-Long: {}", "x".repeat(20 * 1024));
    refused(&node, endless.as_bytes(), (431, "head-too-large"), "a head without end");
    let fields = (0..70).map(|n| format!("X-{n}: 1\r\n")).collect::<Vec<_>>().concat();
    refused(&node, format!("{get}{fields}\r\n").as_bytes(), (431, "head-too-large"), "70 fields");

    for length in ["65537", "99999999999999999999999"] {
        let framing = format!("Content-Length: {length}\r\n");
        let mut bytes = Draft { framing: Some(&framing), ..cart(&signer) }.head(&node);
        bytes.extend_from_slice(b"\r\n");
        refused(&node, &bytes, (413, "body-too-large"), &framing);
    }
    // In full, as a careless client sends it.
    let body = format!("{{\"session\": \"{}\"}}", "x".repeat(70_000));
    let large = Draft {
        idempotency_key: Some(KEY),
        ..Draft::new(&signer, "POST", "/v1/carts", body.as_bytes())
    };
    refused(&node, &large.bytes(&node), (413, "body-too-large"), "70 kB");
    let coded = "Transfer-Encoding: chunked\r\n";
    let mut bytes = Draft { framing: Some(coded), ..cart(&signer) }.head(&node);
    bytes.extend_from_slice(b"\r\n10001\r\n");
    refused(&node, &bytes, (413, "body-too-large"), "a large chunk");
    assert_eq!(node.positions(), before);
}

#[test]
fn chunked_bodies_and_continue_are_understood() {
    let store = Store::with("minimal", &[]);
    let node = Node::start(&store);
    let signer = store.signer("storefront-hmac");
    let coded = "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n";
    let mut wire = Wire::connect(&node);
    let mut head = Draft { framing: Some(coded), ..cart(&signer) }.head(&node);
    head.extend_from_slice(b"\r\n");
    wire.send(&head);
    assert_eq!(wire.answer().status, 100);
    for byte in CART {
        wire.send(&chunked(&[*byte], "01", ""));
    }
    wire.send(b"0\r\n\r\n");
    let first = wire.answer();
    assert_eq!(first.status, 201, "{}", first.json());

    // The same command with its length, on the same connection: its first answer again.
    let length = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", CART.len());
    let mut head = Draft { framing: Some(&length), ..cart(&signer) }.head(&node);
    head.extend_from_slice(b"\r\n");
    wire.send(&head);
    assert_eq!(wire.answer().status, 100);
    wire.send(CART);
    let again = wire.answer();
    assert_eq!((again.status, again.json()), (201, first.json()));

    // Whoever sends the body without waiting needs no invitation.
    wire.send(&[head.as_slice(), CART].concat());
    let answer = wire.answer();
    let last = if answer.status == 100 { wire.answer() } else { answer };
    assert_eq!((last.status, last.json()), (201, first.json()));

    let odd = format!("Content-Length: {}\r\nExpect: coffee\r\n", CART.len());
    let mut bytes = Draft { framing: Some(&odd), ..cart(&signer) }.head(&node);
    bytes.extend_from_slice(b"\r\n");
    refused(&node, &bytes, (417, "expectation-failed"), "coffee");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let store = Store::with("minimal", &[("store.shards", "4")]);
    let node = Node::start_with(&store, &["--cores", "2"]);
    let signer = store.signer("operator");
    let targets: Vec<_> = (0..32).map(|n| format!("/v1/products/sku-{n}")).collect();
    let body = b"{\"name\":\"x\",\"price\":{\"amount\":1,\"currency\":\"EUR\"}}";
    let mut bytes = Vec::new();
    for (n, target) in (0..).zip(&targets) {
        // Answered at once, after a write here, or after a write on another core.
        let request = if n % 3 == 0 {
            format!("GET /v1/health HTTP/1.1\r\nHost: {}\r\n\r\n", node.authority()).into_bytes()
        } else {
            let key = format!("{n:08}-0000-4000-8000-000000000000");
            let put = Draft::new(&signer, "PUT", target, body);
            Draft { idempotency_key: Some(&key), ..put }.bytes(&node)
        };
        bytes.extend_from_slice(&request);
    }
    let mut wire = Wire::connect(&node);
    wire.send(&bytes);
    for n in 0..32 {
        let answer = wire.answer();
        if n % 3 == 0 {
            assert_eq!(answer.status, 200, "{n}");
        } else {
            assert_eq!(answer.status, 201, "{n}: {}", answer.json());
            assert_eq!(answer.json()["sku"], format!("sku-{n}"));
        }
    }
}

#[test]
fn connection_ends_when_asked_after_everything_is_answered() {
    let store = Store::with("minimal", &[]);
    let node = Node::start(&store);
    let signer = store.signer("storefront-hmac");
    let length = format!("Content-Length: {}\r\nConnection: close\r\n", CART.len());
    let closing = Draft { framing: Some(&length), ..cart(&signer) }.bytes(&node);
    let mut wire = Wire::connect(&node);
    wire.send(&[cart(&signer).bytes(&node), closing].concat());
    assert_eq!(wire.answer().status, 201);
    let last = wire.answer();
    assert_eq!((last.status, last.header("connection")), (201, Some("close")));
    assert!(wire.ended());

    let mut old = Wire::connect(&node);
    old.send(b"GET /v1/health HTTP/1.0\r\n\r\n");
    assert_eq!(old.answer().status, 200);
    assert!(old.ended(), "HTTP/1.0 does not keep connections");
}

#[test]
fn late_senders_are_answered_408_and_the_quiet_are_left() {
    let settings = [("limits.header_timeout_ms", "300"), ("limits.idle_timeout_ms", "600")];
    let store = Store::with("minimal", &settings);
    let node = Node::start(&store);
    let signer = store.signer("storefront-hmac");
    let whole = cart(&signer).bytes(&node);
    let head = &whole[..whole.len() - CART.len()];
    let start = Instant::now();
    for part in [&whole[..20], &head[..head.len() - 2], &whole[..whole.len() - 1]] {
        let mut wire = Wire::connect(&node);
        wire.send(part);
        if part.len() > head.len() {
            // A body is given the time that its bytes need; this one has begun.
            continue;
        }
        let answer = wire.answer();
        assert_eq!(answer.status, 408, "{}", answer.json());
        assert!(wire.ended());
    }
    let mut quiet = Wire::connect(&node);
    assert!(quiet.ended(), "a connection without a request is closed");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}
