//! The engine against a small scripted responder: what a node in trouble does to a connection.
//!
//! Only edges of the protocol are played here, because a healthy node cannot be made to show
//! them; everything else is tested against a real node.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use claw_sdk::Signer;

use super::super::progress::{Progress, Style};
use super::super::scenario::{HammerTarget, Scenario};
use super::super::scenarios;
use super::engine::{Engine, RunResult};
use super::*;

const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const EMPTY_OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// Reads one request without a body; `None` at the end of the connection.
fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8(head).unwrap())
}

/// Hammers a responder that answers request `n` of each connection with `script(n)`: pieces that
/// are written one by one; an empty piece ends the connection.
fn hammer(
    users: u32,
    target: HammerTarget,
    script: impl Fn(usize) -> Vec<Vec<u8>> + Sync,
) -> RunResult {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else { panic!("IPv4") };
    let scenario = Scenario::parse("t", "t", scenarios::text("smoke").unwrap()).unwrap();
    let scenario = scenario.hammering(target);
    let options = Options {
        target: address,
        tls: None,
        protocol: Protocol::Http,
        token_audience: None,
        users,
        duration: Duration::from_millis(300),
        rate: None,
        seed: 1,
        run_nonce: 0,
        request_timeout: Duration::from_secs(5),
    };
    std::thread::scope(|scope| {
        let responder = scope.spawn(|| {
            listener.set_nonblocking(false).unwrap();
            std::thread::scope(|connections| {
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    stream.set_nodelay(true).unwrap();
                    if read_peek_end(&stream) {
                        return;
                    }
                    let script = &script;
                    connections.spawn(move || serve(&mut stream, script));
                }
            });
        });
        let signer = Signer::hmac("test", SECRET).unwrap();
        let engine = Engine::new(&options, &scenario, signer, 0).unwrap();
        let result = engine.run(&mut Progress::new(Style::Quiet, 0)).unwrap();
        let mut last = TcpStream::connect(address).unwrap();
        last.write_all(b"E").unwrap();
        responder.join().unwrap();
        result
    })
}

/// A connection that starts with `E` ends the responder.
fn read_peek_end(stream: &TcpStream) -> bool {
    let mut first = [0];
    // Shoppers that only stand by send nothing: wait no longer than it takes to see the mark.
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let end = matches!(stream.peek(&mut first), Ok(1)) && first[0] == b'E';
    stream.set_read_timeout(None).unwrap();
    end
}

fn serve(stream: &mut TcpStream, script: &(impl Fn(usize) -> Vec<Vec<u8>> + Sync)) {
    let mut number = 0;
    while read_head(stream).is_some() {
        for piece in script(number) {
            if piece.is_empty() || stream.write_all(&piece).is_err() {
                return;
            }
            // Lets the piece leave on its own, so that the engine sees the cut.
            std::thread::yield_now();
        }
        number += 1;
    }
}

#[test]
fn answers_in_single_bytes_are_put_together() {
    let result =
        hammer(2, HammerTarget::Health, |_| EMPTY_OK.iter().map(|byte| vec![*byte]).collect());
    assert!(result.recorder.answers_in_time >= 2, "{result:?}");
    assert_eq!(result.recorder.transport.errors(), 0, "{result:?}");
}

#[test]
fn answer_that_nobody_asked_for_is_a_protocol_error() {
    let result = hammer(1, HammerTarget::Health, |_| vec![[EMPTY_OK, EMPTY_OK].concat()]);
    assert!(result.recorder.transport.protocol > 0, "{result:?}");
}

#[test]
fn connection_that_ends_in_the_middle_of_an_answer_is_lost_and_asked_again() {
    let result = hammer(1, HammerTarget::Health, |number| match number {
        0 => vec![EMPTY_OK.to_vec()],
        _ => vec![b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec(), Vec::new()],
    });
    assert!(result.recorder.transport.broken > 0, "{result:?}");
    assert!(result.recorder.answers_in_time > 1, "it went on: {result:?}");
}

#[test]
fn connection_close_is_honoured_without_an_error() {
    let result = hammer(1, HammerTarget::Health, |_| {
        vec![b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec()]
    });
    assert!(result.recorder.answers_in_time > 1, "{result:?}");
    assert_eq!(result.recorder.transport.errors(), 0, "{result:?}");
}

#[test]
fn bytes_that_are_not_http_are_a_protocol_error() {
    let result = hammer(1, HammerTarget::Health, |_| vec![b"220 smtp ready\r\n\r\n".to_vec()]);
    assert!(result.recorder.transport.protocol > 0, "{result:?}");
    assert!(result.ledger.first_error.is_some());
}

#[test]
fn nobody_at_home_is_said_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(target) = listener.local_addr().unwrap() else { panic!("IPv4") };
    drop(listener);
    let scenario = Scenario::find(Path::new("/nonexistent"), "smoke").unwrap();
    let options = Options {
        target,
        tls: None,
        protocol: Protocol::Http,
        token_audience: None,
        users: 2,
        duration: Duration::from_millis(10),
        rate: None,
        seed: 1,
        run_nonce: 0,
        request_timeout: Duration::from_secs(1),
    };
    let signer = Signer::hmac("test", SECRET).unwrap();
    let engine = Engine::new(&options, &scenario, signer, 0).unwrap();
    let error = engine.run(&mut Progress::new(Style::Quiet, 0)).unwrap_err();
    assert!(error.to_string().contains("is the node running there?"), "{error}");
}

#[test]
fn more_shoppers_than_files_is_refused_before_anything_is_opened() {
    let target = "127.0.0.1:1".parse().unwrap();
    let options = Options {
        target,
        tls: None,
        protocol: Protocol::Http,
        token_audience: None,
        users: u32::MAX,
        duration: Duration::from_secs(1),
        rate: None,
        seed: 1,
        run_nonce: 0,
        request_timeout: Duration::from_secs(1),
    };
    assert!(matches!(check_limits(&options), Err(ClientError::TooFewFiles { .. })));
}
