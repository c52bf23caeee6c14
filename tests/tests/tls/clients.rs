//! Clients over TLS: ours, curl with signed headers, shoppers at rate.

use std::process::Command;

use claw_sdk::Trust;
use claw_sdk::client::Client;
use claw_tests::{Store, program};

use crate::openssl::Served;

const PRODUCT: &str = r#"{"name":"Shoe","price":{"amount":1999,"currency":"EUR"}}"#;

#[test]
fn signing_client_works_over_https_and_trusts_only_whom_it_was_told_to() {
    let served = Served::start(&[]);
    let pem = std::fs::read(served.certificate()).expect("made before");
    let signer = || Some(served.store.signer("source"));
    let mut client = Client::new(&served.url(), signer()).expect("its own address");
    client.set_trust(Trust::pem(&pem).expect("a certificate"));
    let answer = client.request("PUT", "/v1/products/SHOE", PRODUCT.as_bytes()).expect("answered");
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    // Large enough for several records in both directions, on the same connection.
    let long = "x".repeat(60_000);
    let body = format!("{{\"name\":\"{long}\"}}");
    let answer = client.request("PUT", "/v1/products/SHOE", body.as_bytes()).expect("answered");
    assert_eq!(answer.status, 422, "{}", String::from_utf8_lossy(&answer.body));
    let mut stranger = Client::new(&served.url(), signer()).expect("its own address");
    let error = stranger.request("GET", "/v1/products/SHOE", b"").expect_err("self-signed");
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
}

#[test]
fn curl_sends_what_claw_sign_printed_over_https() {
    let served = Served::start(&[]);
    let url = format!("{}/v1/products/SHOE", served.url());
    let body = served.store.path().join("body.json");
    std::fs::write(&body, PRODUCT).expect("there is room");
    let body = body.to_str().expect("UTF-8");
    let mut sign = program::claw();
    sign.args(["sign", "PUT", &url, "--data", body, "--key", "source", "--store"]);
    let signed = sign.arg(served.store.path()).output().expect("claw starts");
    assert!(signed.status.success(), "{signed:?}");
    let headers = served.store.path().join("headers.txt");
    std::fs::write(&headers, signed.stdout).expect("there is room");
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--tlsv1.3", "-X", "PUT", "--data-binary", &format!("@{body}"), "-H"]);
    curl.arg(format!("@{}", headers.display())).arg("--cacert").arg(served.certificate());
    let output = curl.args(["-w", "%{http_code}", &url]).output().expect("curl is here");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("201"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn shoppers_buy_over_tls_and_the_books_agree() {
    let store = Store::with("minimal", &[("store.shards", "2")]);
    let args = ["simulate", "--tls", "--scenario", "smoke", "--users", "20", "--duration", "2s"];
    let (code, said) = store.claw(&args);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" --tls ") && said.contains("verdict: clean"), "{said}");
}

#[test]
fn shoppers_go_to_a_node_that_is_there_over_tls() {
    let served = Served::start(&[]);
    let certificate = served.certificate();
    let url = served.url();
    let ca = certificate.to_str().expect("UTF-8");
    let users = ["--users", "10", "--duration", "1s", "--scenario", "smoke"];
    let args = [&["simulate", "--node", &url, "--ca", ca][..], &users].concat();
    let (code, said) = served.store.claw(&args);
    assert_eq!(code, Some(0), "{said}");
}
