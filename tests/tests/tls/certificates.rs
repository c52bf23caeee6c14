//! Certificates: made, served in order, replaced under load, kept when the new ones are bad.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use claw_sdk::Trust;
use claw_sdk::client::Client;
use claw_tests::Store;

use crate::openssl::{Served, openssl, stepped_around};

/// Threads that ask, each request over a connection of its own.
const ASKERS_COUNT: usize = 4;

fn ask(url: &str, trust: &Trust) -> Result<u16, String> {
    let mut client = Client::new(url, None).map_err(|error| error.to_string())?;
    client.set_trust(trust.clone());
    let answer = client.request("GET", "/v1/health", b"");
    answer.map(|answer| answer.status).map_err(|error| format!("{error}: {error:?}"))
}

#[test]
fn certificate_is_replaced_under_load_without_a_failed_request() {
    let mut served = Served::start(&[]);
    let read = |store: &Store| fs::read(store.path().join("keys/tls.crt")).expect("made before");
    let old = read(&served.store);
    let mut kept = Client::new(&served.url(), None).expect("its own address");
    kept.set_trust(Trust::pem(&old).expect("a certificate"));
    assert_eq!(kept.request("GET", "/v1/health", b"").expect("answered").status, 200);
    // Made elsewhere first, so that the askers know both from the beginning.
    let aside = Store::with("minimal", &[]);
    assert_eq!(aside.claw(&["keys", "tls"]).0, Some(0));
    let new = read(&aside);
    let both = Trust::pem(&[old, new.clone()].concat()).expect("two certificates");
    let (stop, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    let url = served.url();
    let failures: Vec<String> = std::thread::scope(|scope| {
        let askers = (0..ASKERS_COUNT).map(|_| {
            scope.spawn(|| {
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match ask(&url, &both) {
                        Ok(200) => {}
                        other => failures.push(format!("{other:?}")),
                    }
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                failures
            })
        });
        let askers: Vec<_> = askers.collect();
        for file in ["tls.key", "tls.crt"] {
            let to = served.store.path().join("keys").join(file);
            let new = to.with_extension("new");
            fs::copy(aside.path().join("keys").join(file), &new).expect("there is room");
            fs::rename(&new, &to).expect("one folder");
        }
        served.node.wait_for("is in force for new connections");
        let so_far = asked.load(Ordering::Relaxed);
        while asked.load(Ordering::Relaxed) < so_far + 50 {
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        askers.into_iter().flat_map(|asker| asker.join().expect("no panic")).collect()
    });
    assert!(failures.is_empty(), "{failures:?}");
    // The connection from before goes on; new ones get the new certificate alone.
    assert_eq!(kept.request("GET", "/v1/health", b"").expect("answered").status, 200);
    assert_eq!(ask(&url, &Trust::pem(&new).expect("a certificate")), Ok(200));
    if !stepped_around() {
        let seen = served.s_client(&["-showcerts"]);
        let line = String::from_utf8_lossy(&new).lines().nth(1).expect("PEM").to_owned();
        assert!(seen.answered() && seen.has(&line), "{seen:?}");
    }
}

#[test]
fn bad_new_pair_leaves_the_old_in_force_and_says_so() {
    let mut served = Served::start(&[]);
    let path = served.certificate();
    let good = fs::read(&path).expect("made before");
    let trust = Trust::pem(&good).expect("a certificate");
    fs::write(&path, "-----BEGIN CERTIFICATE-----\nno\n").expect("there is room");
    served.node.wait_for("certificate not taken over, the one before stays in force");
    assert_eq!(ask(&served.url(), &trust), Ok(200));
    fs::write(&path, &good).expect("there is room");
    served.node.wait_for("is in force for new connections");
    assert_eq!(ask(&served.url(), &trust), Ok(200));
}

#[test]
fn key_that_others_can_read_is_warned_about() {
    let store = Store::with("minimal", &[]);
    assert_eq!(store.claw(&["keys", "tls"]).0, Some(0));
    let key = store.path().join("keys/tls.key");
    let mode = |path| fs::metadata(path).expect("just made").permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600, "made private");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("our own file");
    let mut served = Served::on(store);
    let said = served.node.wait_for("can be read by others than its owner");
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn certificate_that_is_there_is_not_overwritten_by_chance() {
    let store = Store::with("minimal", &[]);
    let (code, said) = store.claw(&["keys", "tls", "--host", "shop.test", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\"shop.test\""), "{said}");
    let before = fs::read(store.path().join("keys/tls.crt")).expect("just made");
    let (code, said) = store.claw(&["keys", "tls"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--replace"), "{said}");
    assert_eq!(fs::read(store.path().join("keys/tls.crt")).expect("still there"), before);
    let (code, said) = store.claw(&["keys", "tls", "--host", "not a name"]);
    assert_ne!(code, Some(0), "{said}");
}

/// An authority, one between, and the node's own, all by OpenSSL, RSA as many authorities sign.
fn make_chain(store: &Store) {
    let folder = store.path().join("keys");
    let extensions =
        "[leaf]\nsubjectAltName=DNS:localhost\n[between]\nbasicConstraints=critical,CA:TRUE\n";
    fs::write(folder.join("extensions.txt"), extensions).expect("there is room");
    openssl(
        store,
        &[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=authority",
            "-keyout",
            "keys/root.key",
            "-out",
            "keys/root.crt",
        ],
    );
    for (name, section, issuer) in [("between", "between", "root"), ("leaf", "leaf", "between")] {
        let [key, request, certificate] =
            ["key", "csr", "crt"].map(|kind| format!("keys/{name}.{kind}"));
        openssl(
            store,
            &[
                "req",
                "-new",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                &format!("/CN={name}"),
                "-keyout",
                &key,
                "-out",
                &request,
            ],
        );
        openssl(
            store,
            &[
                "x509",
                "-req",
                "-in",
                &request,
                "-days",
                "2",
                "-CA",
                &format!("keys/{issuer}.crt"),
                "-CAkey",
                &format!("keys/{issuer}.key"),
                "-CAcreateserial",
                "-extfile",
                "keys/extensions.txt",
                "-extensions",
                section,
                "-out",
                &certificate,
            ],
        );
    }
}

#[test]
fn chain_is_sent_in_order_and_a_client_that_knows_its_root_is_content() {
    if stepped_around() {
        return;
    }
    let store = Store::with("minimal", &[]);
    make_chain(&store);
    let folder = store.path().join("keys");
    let read = |name: &str| fs::read(folder.join(name)).expect("just made");
    let (leaf, between) = (read("leaf.crt"), read("between.crt"));
    fs::write(folder.join("tls.crt"), [leaf.clone(), between.clone()].concat()).expect("room");
    fs::copy(folder.join("leaf.key"), folder.join("tls.key")).expect("room");
    let served = Served::on(store);
    let root = folder.join("root.crt");
    let args =
        ["-CAfile", root.to_str().expect("UTF-8"), "-showcerts", "-verify_hostname", "localhost"];
    let spoken = served.s_client(&args);
    assert!(spoken.answered() && spoken.has("Verify return code: 0 (ok)"), "{spoken:?}");
    let place = |text: &str| spoken.said.find(text).unwrap_or_else(|| panic!("{text}: {spoken:?}"));
    assert!(place(" 0 s:CN = leaf") < place(" 1 s:CN = between"), "{spoken:?}");
    drop(served.node);
    // The other way round it is no pair: refused, with the order that is wanted.
    fs::write(folder.join("tls.crt"), [between, leaf].concat()).expect("room");
    let (code, said) = served.store.claw(&[&["node"][..], &crate::openssl::PAIR].concat());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("your own certificate first"), "{said}");
}
