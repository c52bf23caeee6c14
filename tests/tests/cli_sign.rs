//! `claw sign`, checked without the code that signs, and with the curl that people will use.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_dataplane::config::KeyRegistry;
use claw_dataplane::config::key_registry::KeyMaterial;
use claw_tests::{Store, program};
use ed25519_dalek::{Signature, VerifyingKey};

fn sign(store: &Store, args: &[&str]) -> Output {
    let mut command = program::claw();
    command.arg("sign").args(args).arg("--store").arg(store.path()).output().expect("claw starts")
}

fn headers(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}

/// The signature base of RFC 9421, section 2.5, written out for the components that are covered.
fn base(parts: &[(&str, &str)], parameters: &str) -> String {
    let lines = parts.iter().map(|(name, value)| format!("\"{name}\": {value}\n"));
    lines.collect::<String>() + "\"@signature-params\": " + parameters
}

fn verify(
    store: &Store,
    key_name: &str,
    headers: &BTreeMap<String, String>,
    parts: &[(&str, &str)],
) {
    let (label, parameters) =
        headers["signature-input"].split_once('=').expect("as the test made it");
    let tag =
        headers["signature"].strip_prefix(&format!("{label}=:")).expect("as the test made it");
    let tag = STANDARD
        .decode(tag.strip_suffix(':').expect("as the test made it"))
        .expect("as the test made it");
    let registry = KeyRegistry::load(store.path()).expect("as the test made it");
    let KeyMaterial::Ed25519(public) =
        registry.find(key_name).expect("as the test made it").material
    else {
        panic!("an Ed25519 key")
    };
    let key = VerifyingKey::from_bytes(&public).expect("as the test made it");
    let signature = Signature::from_slice(&tag).expect("as the test made it");
    key.verify_strict(base(parts, parameters).as_bytes(), &signature).expect("as the test made it");
    let names: Vec<_> = parts.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    assert!(parameters.starts_with(&format!("({})", names.join(" "))), "{parameters}");
    assert!(parameters.contains(&format!("keyid=\"{key_name}\"")), "{parameters}");
}

#[test]
fn printed_headers_prove_who_asked_for_what() {
    let store = Store::create("minimal");
    let body = store.path().join("body.json");
    fs::write(&body, "{\"delta\":5}\n").unwrap();
    let url = "http://Shop.Example:7070/v1/products/A/stock?x=1&y=%20";
    let data = body.to_str().unwrap();
    let output = sign(&store, &["post", url, "--data", data, "--key", "source"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let signed = headers(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(signed["content-type"], "application/json");
    let parts = [
        ("@method", "POST"),
        ("@authority", "shop.example:7070"),
        ("@path", "/v1/products/A/stock"),
        ("@query", "?x=1&y=%20"),
        ("content-digest", signed["content-digest"].as_str()),
        ("idempotency-key", signed["idempotency-key"].as_str()),
    ];
    verify(&store, "source", &signed, &parts);

    let output = sign(&store, &["GET", "http://127.0.0.1:7070/v1/products/A"]);
    let signed = headers(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(signed.len(), 2, "{signed:?}");
    let parts = [("@method", "GET"), ("@authority", "127.0.0.1:7070"), ("@path", "/v1/products/A")];
    verify(&store, "operator", &signed, &parts);
}

#[test]
fn json_and_a_chosen_idempotency_key_are_printed() {
    let store = Store::create("minimal");
    let key = "0190b5a4-7f3c-7c57-8f2e-3d1c5a9b7e10";
    let args =
        ["DELETE", "http://h/v1/holds/x", "--idempotency-key", key, "--key", "storefront-hmac"];
    let output = sign(&store, &[&args[..], &["--json"]].concat());
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["Idempotency-Key"], key);
    assert!(answer["Signature-Input"].as_str().unwrap().contains("alg=\"hmac-sha256\""));
}

#[test]
fn what_cannot_be_signed_is_refused_with_2_or_1() {
    let store = Store::create("minimal");
    let rows: [(&[&str], i32, &str); 5] = [
        (&["GET", "127.0.0.1:7070/v1"], 2, "must begin with http:// or https://"),
        (&["G T", "http://h/"], 2, "is not a method"),
        (&["PUT", "http://h/", "--idempotency-key", "1"], 2, "is not a UUID"),
        (&["GET", "http://h/", "--key", "nobody"], 1, "nobody"),
        (&["PUT", "http://h/", "--data", "/nowhere"], 1, "read the body from /nowhere"),
    ];
    for (args, code, expected) in rows {
        let output = sign(&store, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let talk = String::from_utf8(output.stderr).unwrap();
        assert!(talk.contains(expected) && talk.lines().count() == 1, "{talk}");
    }
}

/// Both forms that the help shows, run by a real shell: what curl sends is what was signed.
#[test]
fn curl_sends_what_was_signed() {
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        writeln!(std::io::stderr(), "skipped: there is no curl on this machine").unwrap();
        return;
    }
    let store = Store::create("minimal");
    fs::write(store.path().join("body.json"), "{\"name\": \"a  b\"}\n").unwrap();
    let claw = program::claw_path();
    let claw = claw.display();
    let forms = [
        format!(
            "curl -sS -X PUT -H @<({claw} sign PUT $URL --data body.json) \
             --data-binary @body.json $URL"
        ),
        format!("eval \"$({claw} sign PUT $URL --data body.json --curl)\""),
    ];
    for form in forms {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let mut shell = Command::new("bash");
        shell.args(["-c", &form]).current_dir(store.path());
        shell.env("URL", format!("http://{authority}/v1/products/A?x=%2F"));
        let child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (head, body) = serve_once(&listener);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{form}: {output:?}");
        assert!(head.starts_with("PUT /v1/products/A?x=%2F HTTP/1.1\r\n"), "{head}");
        assert_eq!(body, b"{\"name\": \"a  b\"}\n");
        let sent = headers(&head);
        assert_eq!(sent["host"], authority);
        assert_eq!(sent["content-type"], "application/json");
        let parts = [
            ("@method", "PUT"),
            ("@authority", authority.as_str()),
            ("@path", "/v1/products/A"),
            ("@query", "?x=%2F"),
            ("content-digest", sent["content-digest"].as_str()),
            ("idempotency-key", sent["idempotency-key"].as_str()),
        ];
        verify(&store, "operator", &sent, &parts);
    }
}

/// Takes one request and answers 200.
fn serve_once(listener: &TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().expect("as the test made it");
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).expect("as the test made it");
        assert!(count > 0, "the request ended early: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end + 4].to_vec()).expect("as the test made it");
        let length: usize = headers(&head)["content-length"].parse().expect("as the test made it");
        if bytes.len() >= end + 4 + length {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .expect("as the test made it");
            return (head, bytes[end + 4..].to_vec());
        }
    }
}
