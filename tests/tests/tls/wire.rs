//! The wire protocol under TLS: the SDK's client, breaks and restarts included, and shoppers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use claw_common::money::{Currency, Money};
use claw_sdk::wire::{Client, Command, Line, Mode, Options, Outcome, WireError};
use claw_sdk::{Signer, Trust};
use claw_tests::frames::Codec;
use claw_tests::{Node, Store};

use crate::openssl::{PAIR, Served};

fn trust(served: &Served) -> Trust {
    Trust::file(&served.certificate()).expect("made before")
}

fn options(trust: Option<Trust>, mode: Mode) -> Options {
    Options { trust, mode, patience: Duration::from_secs(20), ..Options::default() }
}

fn connect(served: &Served, key: &str, options: Options) -> Result<Client, WireError> {
    let signer: Arc<Signer> = Arc::new(served.store.signer(key));
    Client::connect(&served.authority, signer, options)
}

/// A shoe and some of it, by frames that are signed each.
fn stock(served: &Served, units: i64) {
    let options = options(Some(trust(served)), Mode::Signed);
    let mut source = connect(served, "source", options).expect("it is welcome");
    let price = Money { amount: 1_999, currency: Currency::parse("EUR").expect("a currency") };
    let put = Command::PutProduct {
        sku: "SHOE",
        name: "Shoe",
        price,
        attributes: "",
        version_expected: None,
    };
    assert!(source.call(&put).expect("an answer").outcome().is_some());
    let moved = Command::MoveStock { sku: "SHOE", delta: units, reason: "delivery" };
    assert!(source.call(&moved).expect("an answer").outcome().is_some());
}

const LINES: [Line<'_>; 1] = [Line { sku: "SHOE", quantity: 1 }];
const HOLD: Command<'_> =
    Command::CreateHold { session: "s", lines: &LINES, ttl_ms: Some(3_600_000) };

fn held(client: &mut Client) -> u64 {
    let answer = client.call(&Command::ReadProduct { sku: "SHOE" }).expect("an answer");
    match answer.outcome() {
        Some(Outcome::Product(product)) => product.held,
        other => panic!("{other:?}"),
    }
}

#[test]
fn holds_one_by_one_and_by_the_thousand_pass_under_tls_in_both_modes() {
    let served = Served::start(&[("limits.requests_per_second_per_session", "0")]);
    stock(&served, 10_000);
    for (mode, before) in [(Mode::Session, 0), (Mode::Signed, 1_001)] {
        let trusted = options(Some(trust(&served)), mode);
        let mut client = connect(&served, "storefront-hmac", trusted).expect("it is welcome");
        assert!(matches!(client.call(&HOLD).expect("an answer").outcome(), Some(Outcome::Hold(_))));
        // Frames of many records in both directions.
        let mut made = 0;
        client
            .batch(&vec![HOLD; 1_000], |_, answer| made += u32::from(answer.status == 201))
            .unwrap();
        assert_eq!(made, 1_000);
        assert_eq!(held(&mut client), before + 1_001);
    }
}

#[test]
fn client_goes_on_over_a_restart_and_nothing_is_done_twice() {
    let served = Served::start(&[]);
    stock(&served, 100);
    let session =
        Options { session: Some([0x7e; 16]), ..options(Some(trust(&served)), Mode::Session) };
    let mut client = connect(&served, "storefront-hmac", session).expect("it is welcome");
    assert!(client.call(&HOLD).expect("an answer").outcome().is_some());
    let first = client.send(&HOLD, claw_sdk::wire::Extras::default()).expect("there are credits");
    client.flush().expect("it is sent");
    let Served { store, mut node, authority } = served;
    node.kill();
    let again = [&PAIR[..5], &[authority.as_str()]].concat();
    let mut node = Node::start_with(&store, &again);
    node.wait_for("TLS 1.3 on https://");
    let answer = client.receive().expect("the new node answers what the old one was asked");
    assert_eq!((answer.sequence, answer.status), (first, 201));
    let served = Served { store, node, authority };
    let mut other =
        connect(&served, "storefront-hmac", options(Some(trust(&served)), Mode::Signed)).unwrap();
    assert_eq!(held(&mut other), 2);
}

#[test]
fn certificate_that_is_not_believed_ends_it_at_once() {
    let served = Served::start(&[]);
    let stranger = Served::start(&[]);
    let start = std::time::Instant::now();
    let patient = Options {
        patience: Duration::from_hours(1),
        ..options(Some(trust(&stranger)), Mode::Session)
    };
    let error = connect(&served, "storefront-hmac", patient).expect_err("another's certificate");
    assert!(!error.is_momentary() && format!("{error:?}").contains("BadSignature"), "{error:?}");
    assert!(start.elapsed() < Duration::from_mins(10), "an hour was not waited");
}

#[test]
fn frames_without_tls_are_refused_on_a_port_that_has_it() {
    let served = Served::start(&[]);
    let signer = served.store.signer("storefront-hmac");
    let mut codec = Codec::new(&signer, claw_common::wire::MODE_SIGNED, [1; 16]);
    let mut stream = TcpStream::connect(&served.authority).expect("it listens");
    stream.write_all(&codec.hello()).expect("the kernel takes it");
    let mut said = Vec::new();
    // The node may reset what it did not read, once it has answered.
    stream.read_to_end(&mut said).ok();
    let said = String::from_utf8_lossy(&said);
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("this port speaks TLS"), "{said}");
}

#[test]
fn shoppers_buy_over_the_wire_under_tls_and_the_books_agree() {
    let store = Store::with("minimal", &[("store.shards", "2")]);
    let users = ["--users", "20", "--duration", "2s", "--batch", "5"];
    let args = ["simulate", "--tls", "--scenario", "smoke", "--protocol", "wire"];
    let (code, said) = store.claw(&[&args[..], &users].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" --tls ") && said.contains("verdict: clean"), "{said}");
}
