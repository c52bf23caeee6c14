//! Who speaks to the TLS port without TLS, too slowly, or not at all.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use claw_sdk::client::Client;
use claw_tests::Store;

use crate::openssl::Served;

/// Longest wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

fn connect(served: &Served) -> TcpStream {
    let stream = TcpStream::connect(&served.authority).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a TCP connection");
    stream
}

/// Everything until the end of the connection, also when that is a reset.
fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("waiting for the end: {error}"),
    }
    bytes
}

#[test]
fn plain_http_on_the_tls_port_is_told_so_in_plain_http() {
    let served = Served::start(&[]);
    let mut stream = connect(&served);
    stream.write_all(b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n").expect("just connected");
    let answer = String::from_utf8(read_all(&mut stream)).expect("HTTP is text");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("urn:openclaw:problem:malformed"), "{answer}");
    assert!(answer.contains("this port speaks TLS"), "{answer}");
}

#[test]
fn bytes_that_are_no_tls_end_the_connection() {
    let served = Served::start(&[]);
    for bytes in
        [&b"\x00\x01\x02\x03\x04"[..], b"\x16\x03\x01\x00\x05hello", b"\xff\xff\xff\xff\xff"]
    {
        let mut stream = connect(&served);
        stream.write_all(bytes).expect("just connected");
        let answer = read_all(&mut stream);
        // An alert (its type, a version, two bytes of content), or not even that.
        let alert = answer.first() == Some(&21) && answer.len() == 7;
        assert!(alert || answer.is_empty(), "{bytes:?}: {answer:?}");
    }
}

#[test]
fn handshake_that_does_not_go_on_is_ended_in_time() {
    let served = Served::start(&[("limits.header_timeout_ms", "500")]);
    for sent in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let began = Instant::now();
        let mut stream = connect(&served);
        stream.write_all(sent).expect("just connected");
        assert_eq!(read_all(&mut stream), b"");
        assert!(began.elapsed() >= Duration::from_millis(450), "not before its time");
        assert!(began.elapsed() < PATIENCE, "nor as late as an idle connection");
    }
    let mut client = Client::new(served.node.url(), None).expect("its own address");
    let metrics = client.request("GET", "/metrics", b"").expect("the node answers");
    assert!(
        String::from_utf8_lossy(&metrics.body).contains("claw_tls_failures_total"),
        "{metrics:?}"
    );
}

#[test]
fn plain_listener_outside_loopback_is_refused_unless_it_is_asked_for() {
    let store = Store::with("minimal", &[]);
    let (code, said) = store.claw(&["node", "--listen", "0.0.0.0:0"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("where other machines read plain HTTP"), "{said}");
    assert!(said.contains("--insecure"), "{said}");
}

#[test]
fn half_a_pair_or_a_pair_that_does_not_match_is_refused_at_the_start() {
    let store = Store::with("minimal", &[]);
    let (code, said) = store.claw(&["node", "--tls-certificate", "keys/tls.crt"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("`tls.certificate` is given without `tls.key`"), "{said}");
    let pair = ["node", "--tls-certificate", "keys/tls.crt", "--tls-key", "keys/tls.key"];
    let (code, said) = store.claw(&pair);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("keys/tls.crt: No such file"), "{said}");
    assert_eq!(store.claw(&["keys", "tls"]).0, Some(0));
    let first = std::fs::read(store.path().join("keys/tls.crt")).expect("just made");
    assert_eq!(store.claw(&["keys", "tls", "--replace"]).0, Some(0));
    std::fs::write(store.path().join("keys/tls.crt"), first).expect("there is room");
    let (code, said) = store.claw(&pair);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the key is not that of the first certificate"), "{said}");
}
