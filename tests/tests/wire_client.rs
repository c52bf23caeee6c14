//! The SDK's wire client against real nodes: both modes, both kinds of key, breaks and restarts.
//!
//! What the client is told is compared with what HTTP says of the same store. The protocol's own
//! edges, against a scripted node, are tested beside the client.

use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use claw_common::money::{Currency, Money};
use claw_sdk::wire::{
    Basket, Checkout, Client, Command, Connector, Extras, HoldState, Identity, Line, Mode, Options,
    OrderState, Outcome, Pool, WireError, halves,
};
use claw_tests::{Node, Store};
use futures_io::{AsyncRead, AsyncWrite};

const SKU: &str = "TEE-M";
/// One session asks for all: no limit.
const FREE: (&str, &str) = ("limits.requests_per_second_per_session", "0");
/// No hold expires while a test runs.
const TTL_MS: u64 = 3_600_000;

fn euros(amount: i64) -> Money {
    Money { amount, currency: Currency::parse("EUR").expect("a currency") }
}

fn options(mode: Mode) -> Options {
    Options { mode, ..Options::default() }
}

fn connect(node: &Node, store: &Store, (key, mode): (&str, Mode)) -> Client {
    let signer = Arc::new(store.signer(key));
    Client::connect(node.authority(), signer, options(mode)).expect("a running node welcomes us")
}

fn done(answer: Result<claw_sdk::wire::Answer<'_>, WireError>) {
    let answer = answer.expect("an answer");
    assert!(answer.outcome().is_some(), "{answer:?}");
}

/// A product with stock, made over the wire by an ed25519 key that signs each frame.
fn stock(node: &Node, store: &Store, units: i64) {
    let mut source = connect(node, store, ("source", Mode::Signed));
    done(source.call(&Command::PutProduct {
        sku: SKU,
        name: "A tee",
        price: euros(1_999),
        attributes: "",
        version_expected: None,
    }));
    done(source.call(&Command::MoveStock { sku: SKU, delta: units, reason: "delivery" }));
}

/// What HTTP says of the product.
fn product(node: &Node, store: &Store) -> serde_json::Value {
    let target = format!("/v1/products/{SKU}");
    let answer = node.client(store, "operator").request("GET", &target, b"");
    answer.expect("the node answers").json()
}

fn hold<'a>(lines: &'a [Line<'a>]) -> Command<'a> {
    Command::CreateHold { session: "shopper-7", lines, ttl_ms: Some(TTL_MS) }
}

const ONE: [Line<'static>; 1] = [Line { sku: SKU, quantity: 1 }];

#[test]
fn shopper_holds_and_buys_in_both_modes_with_both_kinds_of_key() {
    let store = Store::with("minimal", &[("store.shards", "2")]);
    let node = Node::start(&store);
    stock(&node, &store, 100);
    let ways = [
        ("storefront-hmac", Mode::Session),
        ("storefront-hmac", Mode::Signed),
        ("storefront", Mode::Session),
        ("storefront", Mode::Signed),
    ];
    for (count, way) in (1..).zip(ways) {
        let mut client = connect(&node, &store, way);
        let answer = client.call(&hold(&ONE)).expect("an answer");
        let Some(&Outcome::Hold(held)) = answer.outcome() else { panic!("{way:?}: {answer:?}") };
        assert_eq!((answer.status, held.state, held.created), (201, HoldState::Active, true));
        assert!(answer.position.is_some_and(|position| position.sequence > 0));
        let id = held.hold;
        let line = held.lines.iter().next().expect("one line");
        assert_eq!((line.sku, line.quantity, line.unit_price), (SKU, 1, 1_999));
        let checkout = Command::Checkout(Checkout {
            session: "shopper-7",
            basket: Basket::Hold(id),
            coupon: "",
            region: "",
            payment_token: "",
            ship_to: "",
            wait_ms: 10_000,
        });
        let answer = client.call(&checkout).expect("an answer");
        let Some(Outcome::Order(order)) = answer.outcome() else { panic!("{way:?}: {answer:?}") };
        assert_eq!((order.state, order.total), (OrderState::Placed, 1_999));
        assert_eq!(product(&node, &store)["sold"], count, "{way:?}");
    }
}

#[test]
fn refusals_have_the_names_and_members_of_http() {
    let store = Store::with("minimal", &[]);
    let node = Node::start(&store);
    stock(&node, &store, 3);
    let mut client = connect(&node, &store, ("storefront-hmac", Mode::Session));
    let lines = [Line { sku: SKU, quantity: 4 }];
    let answer = client.call(&hold(&lines)).expect("an answer");
    let problem = answer.problem().expect("there are not four");
    assert_eq!((answer.status, problem.name), (409, "sold-out"));
    assert_eq!(problem.member("available"), Some(claw_sdk::wire::Value::Number(3)));
    let answer = client.call(&Command::ReadProduct { sku: "NOTHING" }).expect("an answer");
    assert_eq!(answer.problem().map(|problem| problem.name), Some("not-found"));
    let stock = Command::MoveStock { sku: SKU, delta: 1, reason: "mine" };
    let answer = client.call(&stock).expect("an answer");
    assert_eq!(answer.problem().map(|problem| problem.name), Some("forbidden"));
}

#[test]
fn hold_that_waits_in_line_is_read_over_the_wire_too() {
    let store = Store::with("minimal", &[]);
    let node = Node::start(&store);
    stock(&node, &store, 1);
    let body = format!(r#"{{"session":"shopper-7","items":[{{"sku":"{SKU}","quantity":2}}]}}"#);
    let joined = node.client(&store, "storefront").request("POST", "/v1/waitlist", body.as_bytes());
    let joined = joined.expect("the node answers").json();
    let id = joined["hold_id"].as_str().and_then(claw_common::id::Id::parse).expect("an id");
    let mut client = connect(&node, &store, ("storefront-hmac", Mode::Session));
    let answer = client.call(&Command::ReadHold { hold: id }).expect("an answer");
    let Some(Outcome::Hold(held)) = answer.outcome() else { panic!("{answer:?}") };
    assert_eq!((held.hold, held.state), (id, HoldState::Waiting));
}

#[test]
fn batch_larger_than_every_credit_is_done_in_order_and_once() {
    let store = Store::with("minimal", &[FREE]);
    let node = Node::start(&store);
    stock(&node, &store, 100_000);
    let mut client = connect(&node, &store, ("storefront-hmac", Mode::Session));
    let commands = vec![hold(&ONE); 3_000];
    let mut answered = vec![0_u32; commands.len()];
    client
        .batch(&commands, |index, answer| {
            assert_eq!(answer.status, 201, "{answer:?}");
            answered[index] += 1;
        })
        .expect("every answer");
    assert!(answered.iter().all(|&count| count == 1));
    assert_eq!(product(&node, &store)["held"], 3_000);
}

#[test]
fn node_killed_again_and_again_does_every_command_once() {
    const COUNT: usize = 4_000;
    let store = Store::with("minimal", &[FREE]);
    let mut node = Node::start(&store);
    stock(&node, &store, 1_000_000);
    let (signer, authority) =
        (Arc::new(store.signer("storefront-hmac")), node.authority().to_owned());
    let (told, hear) = std::sync::mpsc::channel();
    let answered = std::thread::scope(|scope| {
        let shopping = scope.spawn(move || {
            let options = Options { patience: Duration::from_mins(1), ..Options::default() };
            let mut client = Client::connect(&authority, signer, options).expect("welcome");
            let mut answered = vec![0_u32; COUNT];
            let commands = vec![hold(&ONE); COUNT];
            client
                .batch(&commands, |index, answer| {
                    assert_eq!(answer.status, 201, "{answer:?}");
                    answered[index] += 1;
                    // Nobody listens any more once the node was killed often enough.
                    told.send(()).ok();
                })
                .expect("the client outlives the node");
            answered
        });
        for kill in 1..=3 {
            // In the middle: so many answers came, more are under way.
            for _ in 0..COUNT / 5 {
                hear.recv().unwrap_or_else(|_| panic!("all was answered before kill {kill}"));
            }
            node.kill();
            node.start_again(&store);
        }
        drop(hear);
        shopping.join().expect("the shopper is well")
    });
    assert!(answered.iter().all(|&count| count == 1), "each got one answer");
    assert_eq!(product(&node, &store)["held"], COUNT, "each was done once");
}

#[test]
fn pool_has_a_connection_for_each_core_and_all_of_them_serve() {
    let store = Store::with("minimal", &[("store.shards", "4")]);
    let node = Node::start_with(&store, &["--cores", "2"]);
    let skus: Vec<String> = (0..40).map(|number| format!("SKU-{number}")).collect();
    let mut source = connect(&node, &store, ("source", Mode::Session));
    for sku in &skus {
        let (name, price) = ("thing", euros(100));
        let put = Command::PutProduct { sku, name, price, attributes: "", version_expected: None };
        done(source.call(&put));
    }
    let signer = Arc::new(store.signer("storefront-hmac"));
    let mut pool = Pool::connect(node.authority(), &signer, &Options::default()).expect("welcome");
    assert_eq!(pool.len(), 2);
    for sku in &skus {
        let read = Command::ReadProduct { sku };
        let shards = pool.client(&read).welcome().expect("open").clone();
        let place = shards.shards[usize::from(read.shard(shards.shards_count).0)];
        assert_eq!(place.core, shards.core, "{sku} goes where it lives");
    }
    let commands: Vec<_> = skus.iter().map(|sku| Command::ReadProduct { sku }).collect();
    let mut found = vec![false; skus.len()];
    pool.batch(&commands, |index, answer| {
        let Some(Outcome::Product(product)) = answer.outcome() else { panic!("{answer:?}") };
        found[index] = product.sku == skus[index];
    })
    .expect("every answer");
    assert!(found.iter().all(|&found| found));
}

/// A socket without a reactor: it asks to be polled again at once.
struct Socket(TcpStream);

fn poll_again<T>(result: io::Result<T>, context: &Context<'_>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
        result => Poll::Ready(result),
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        poll_again(self.0.read(into), context)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_again(self.0.write(bytes), context)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Dialer(String);

impl Connector for Dialer {
    type Stream = Socket;

    fn connect(&mut self) -> impl Future<Output = io::Result<Socket>> {
        let connect = || {
            let stream = TcpStream::connect(&self.0)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(Socket(stream))
        };
        std::future::ready(connect())
    }

    fn pause(&mut self, _wait: Duration) -> impl Future<Output = bool> {
        std::future::ready(false)
    }
}

#[test]
fn halves_serve_tasks_over_a_real_socket_without_a_runtime() {
    const SENDERS: usize = 4;
    const EACH: usize = 400;
    let store = Store::with("minimal", &[FREE]);
    let node = Node::start(&store);
    stock(&node, &store, 100_000);
    let signer = Arc::new(store.signer("storefront-hmac"));
    let identity = Identity { signer, mode: Mode::Session, session: [3; 16] };
    let (sender, mut receiver) = halves(identity, 1, Dialer(node.authority().to_owned()));
    let mut tasks: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for _ in 0..SENDERS {
        let sender = sender.clone();
        tasks.push(Box::pin(async move {
            for _ in 0..EACH {
                sender.send(&hold(&ONE), Extras::default()).await.expect("sent");
            }
        }));
    }
    drop(sender);
    let receiving = async move {
        let mut created = 0;
        while let Some(status) = receiver.answer(|answer| answer.status).await.expect("served") {
            assert_eq!(status, 201);
            created += 1;
        }
        created
    };
    let mut receiving = pin!(receiving);
    let mut context = Context::from_waker(Waker::noop());
    let deadline = Instant::now() + Duration::from_mins(1);
    let created = loop {
        tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
        if let Poll::Ready(created) = receiving.as_mut().poll(&mut context) {
            break created;
        }
        assert!(Instant::now() < deadline, "answers stopped");
        std::thread::yield_now();
    };
    assert_eq!(created, SENDERS * EACH);
    assert_eq!(product(&node, &store)["held"], SENDERS * EACH);
}

#[test]
fn simulated_shoppers_over_the_wire_end_with_clean_books() {
    let store = Store::with("minimal", &[FREE]);
    for batch in ["1", "16"] {
        let args = [
            "simulate",
            "--scenario",
            "smoke",
            "--users",
            "50",
            "--duration",
            "2s",
            "--seed",
            "7",
            "--protocol",
            "wire",
            "--batch",
            batch,
        ];
        let (code, said) = store.claw(&args);
        assert_eq!(code, Some(0), "batch {batch}: {said}");
        for line in ["verdict: clean", "oversold: 0", "protocol    wire"] {
            assert!(said.contains(line), "batch {batch}: {said}");
        }
    }
    let rows: [&[&str]; 3] = [
        &["--batch", "8"],
        &["--protocol", "wire", "--token"],
        &["--protocol", "wire", "--endpoint", "GET /v1/health"],
    ];
    for args in rows {
        let (code, said) = store.claw(&[&["simulate"], args].concat());
        assert_eq!(code, Some(2), "{args:?}: {said}");
    }
}

#[test]
fn simulated_shoppers_that_bear_tokens_end_with_clean_books() {
    let store = Store::with("minimal", &[]);
    let (code, said) = store.claw(&[
        "simulate",
        "--scenario",
        "smoke",
        "--users",
        "20",
        "--duration",
        "2s",
        "--seed",
        "7",
        "--token",
    ]);
    assert_eq!(code, Some(0), "{said}");
    for line in ["verdict: clean", "oversold: 0", "a token for each shopper"] {
        assert!(said.contains(line), "{said}");
    }
}
