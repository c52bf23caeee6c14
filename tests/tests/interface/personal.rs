//! Personal data: sealed from the first event on, in no file, answer or line of talk in the clear,
//! and unreadable for good once its subject was forgotten.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use claw_sdk::client::{Call, Response};
use claw_sdk::signature::digest::write_digest;
use claw_sdk::wire::{Basket, Checkout, Client, Command, Extras, Line, Mode, Options};
use claw_tests::{Node, Store};
use serde_json::{Value, json};

use crate::command_line::{claw, json_of, log_records};
use crate::world::{Asker, World, configure, done, fresh_store, items, refused_at, text, until};

/// Marks that stand for personal data; none of them may be found anywhere.
const ADDRESS: &str = "Mark-7Q-Address";
const MESSAGE: &str = "Mark-8R-Message";
const ENGRAVED: &str = "Mark-9S-Engraved";
const PHONE: &str = "Mark-1T-Phone";
const REFUSED: &str = "Mark-2U-Refused";
const BROKEN: &str = "Mark-3V-Broken";
const NAME_INSIDE: &str = "Mark-4W-Name";
const MARKS: [&str; 7] = [ADDRESS, MESSAGE, ENGRAVED, PHONE, REFUSED, BROKEN, NAME_INSIDE];

const SCHEMA: &str = "
[events.order-started.extra]
channel = { type = \"text\" }
gift_message = { type = \"text\", length_max = 40, personal = true }
guests = { type = \"map\", of = \"integer\", personal = true }

[events.hold-granted.extra]
phone = { type = \"text\", personal = true }

[events.cart-changed.extra]
engraving = { type = \"text\", personal = true }
";

fn store_with_personal_members() -> Store {
    let store = fresh_store(&[]);
    let path = store.path().join("schema/store.toml");
    let schema = fs::read_to_string(&path).expect("claw init wrote it");
    fs::write(&path, schema + SCHEMA).expect("room");
    store
}

fn order_body(session: &str, address: &str) -> Value {
    json!({
        "session": session, "items": items(&[("mug", 1)]),
        "ship_to": {"name": address, "city": "Ulm"}, "channel": "web", "gift_message": MESSAGE,
    })
}

/// Every file under `folder` that holds `bytes`.
fn files_with(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes));
        } else if let Ok(held) = fs::read(&path)
            && held.windows(bytes.len()).any(|window| window == bytes)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

fn assert_unmarked(said: &str) {
    for mark in MARKS {
        assert!(!said.contains(mark), "{mark} in: {said}");
    }
}

fn said(answer: &Response) -> String {
    format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body))
}

/// Shopping with a mark in everything that is personal; returns what was answered, and the body of
/// an order that was signed with ed25519.
fn shop(world: &mut World) -> (Vec<String>, Vec<u8>) {
    let mut answers = Vec::new();
    let hold = json!({"session": "s-1", "items": items(&[("mug", 1)]), "phone": PHONE});
    answers.push(said(&world.storefront.post("/v1/holds", &hold)));
    let cart = world.storefront.post("/v1/carts", &json!({"session": "s-1"}));
    let cart = text(&done(&cart, 201)["cart_id"]);
    let line = json!({"quantity": 1, "engraving": ENGRAVED});
    let changed = world.storefront.put(&format!("/v1/carts/{cart}/items/mug"), &line);
    done(&changed, 200);
    answers.push(said(&changed));
    let mut body = order_body("s-1", ADDRESS);
    answers.push(said(&world.storefront.post("/v1/checkouts", &body)));
    body["session"] = json!("s-2");
    let signed = body.to_string().into_bytes();
    let mut provable = Asker::new(world.node.client(&world.store, "storefront"));
    let order = provable.post("/v1/checkouts", &body);
    let order = text(&done(&order, 202)["order_id"]);
    answers.push(said(&world.operator.get(&format!("/v1/orders/{order}"))));
    // Refused by a shard, and remembered with what it brought.
    let short = json!({"session": "s-1", "items": items(&[("mug", 9000)]), "phone": REFUSED});
    let short = world.storefront.post("/v1/holds", &short);
    assert_eq!(short.status, 409);
    answers.push(said(&short));
    answers.extend(refusals(world));
    (answers, signed)
}

/// Requests that are refused before a shard is asked.
fn refusals(world: &mut World) -> Vec<String> {
    let mut answers = Vec::new();
    let mut long = order_body("s-1", ADDRESS);
    long["gift_message"] = json!(REFUSED.repeat(9));
    let mut guests = order_body("s-1", ADDRESS);
    guests["guests"] = json!({NAME_INSIDE: "many"});
    let mut no_object = order_body("s-1", ADDRESS);
    no_object["ship_to"] = json!(REFUSED);
    for (body, path) in [(long, "gift_message"), (guests, "guests"), (no_object, "ship_to")] {
        let answer = world.storefront.post("/v1/checkouts", &body);
        refused_at(&answer, path);
        answers.push(said(&answer));
    }
    for body in [format!("{{\"ship_to\":{{\"name\":\"{BROKEN}\",}}}}"), BROKEN.to_owned()] {
        let answer = world.storefront.send(&Call {
            method: "POST",
            target: "/v1/checkouts",
            body: body.as_bytes(),
            ..Call::default()
        });
        assert_eq!(answer.status, 400, "{}", said(&answer));
        answers.push(said(&answer));
    }
    answers
}

#[test]
fn nothing_personal_lies_in_the_clear_in_any_file_answer_or_talk() {
    let store = store_with_personal_members();
    configure(&store, &[("segment_bytes", "\"1MiB\""), ("snapshot_interval_s", "1")]);
    let mut world = World::start_on(store, &[]);
    world.stock("mug", 100, 100);
    let (answers, signed) = shop(&mut world);
    for answer in &answers {
        assert_unmarked(answer);
    }

    // Until snapshots and the archive hold what was shopped.
    let archive = world.store.path().join("archive");
    let archived = || fs::read_dir(&archive).is_ok_and(|mut folder| folder.next().is_some());
    until(|| {
        for _ in 0..40 {
            let moved = json!({"delta": 1, "reason": "x".repeat(256)});
            done(&world.source.post("/v1/products/mug/stock", &moved), 200);
        }
        archived().then_some(())
    });
    assert!(world.node.terminate().success());
    assert_unmarked(&world.node.said());
    for mark in MARKS {
        assert_eq!(files_with(world.store.path(), mark.as_bytes()), [] as [&str; 0], "{mark}");
    }
    // Nor what a short body could be guessed from.
    let mut field = Vec::new();
    write_digest(&mut field, &signed);
    let digest = claw_common::checksum::blake3(&signed);
    for guess in [&field[..], &digest[..16]] {
        assert_eq!(files_with(world.store.path(), guess), [] as [&str; 0]);
    }

    let shown = claw(&world.store, &["log", "show"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("ship_to=sealed") && shown.contains("channel"), "{shown}");
    assert_unmarked(&shown);
    let opened = claw(&world.store, &["log", "show", "--open"]);
    let opened = String::from_utf8_lossy(&opened.stdout).into_owned();
    for mark in [ADDRESS, MESSAGE, ENGRAVED, PHONE] {
        assert!(opened.contains(mark), "{mark} not in {opened}");
    }
    assert!(!opened.contains("damaged"), "{opened}");
    full_audit_checks_sealed_evidence_or_counts_it(&world.store);
    assert_eq!(claw(&world.store, &["log", "verify"]).status.code(), Some(0));
    assert_eq!(claw(&world.store, &["audit"]).status.code(), Some(0));
}

/// Sealed evidence is checked while its subject is remembered, and no finding afterwards.
fn full_audit_checks_sealed_evidence_or_counts_it(store: &Store) {
    for sealed in [" 0 sealed", " 1 sealed"] {
        let full = json_of(&claw(store, &["audit", "--full", "--json"]));
        let evidence = full.pointer("/full/evidence").unwrap_or_else(|| &full["evidence"]);
        assert_eq!(evidence["findings_count"], 0, "{full}");
        assert!(text(&evidence["checked"]).contains(sealed), "{full}");
        claw(store, &["forget", "s-2"]);
    }
}

fn export(store: &Store, subject: &str) -> String {
    let output = claw(store, &["export", subject, "--json"]);
    let document = json_of(&output);
    assert_eq!(document["subject"], subject);
    document.to_string()
}

fn logged_forgotten(store: &Store) -> Vec<Value> {
    let records = log_records(store).into_iter();
    records.filter(|record| record["kind"] == "subject-forgotten").collect()
}

#[test]
fn what_comes_over_the_wire_is_sealed_and_forgotten_like_the_rest() {
    let mut world = World::start_on(store_with_personal_members(), &[]);
    world.stock("mug", 100, 100);
    let mut answers = String::new();
    for (key, mode) in [("storefront-hmac", Mode::Session), ("storefront", Mode::Signed)] {
        let signer = Arc::new(world.store.signer(key));
        let options = Options { mode, ..Options::default() };
        let mut client = Client::connect(world.node.authority(), signer, options).expect("welcome");
        let mut ask = |command: &Command<'_>, members: &Value| {
            let members = members.to_string();
            let extras = Extras { members: &members, ..Extras::default() };
            let answer = client.call_with(command, extras).expect("an answer");
            write!(answers, "{answer:?}").expect("a String takes it");
            answer.status
        };
        let lines = [Line { sku: "mug", quantity: 1 }];
        let hold = Command::CreateHold { session: "s-1", lines: &lines, ttl_ms: None };
        assert_eq!(ask(&hold, &json!({"phone": PHONE})), 201);
        let lines = [Line { sku: "mug", quantity: 9000 }];
        let short = Command::CreateHold { session: "s-1", lines: &lines, ttl_ms: None };
        assert_eq!(ask(&short, &json!({"phone": REFUSED})), 409);
        let lines = [Line { sku: "mug", quantity: 1 }];
        let ship_to = json!({"name": ADDRESS}).to_string();
        let order = Command::Checkout(Checkout {
            session: "s-1",
            basket: Basket::Lines(&lines),
            coupon: "",
            region: "",
            payment_token: "",
            ship_to: &ship_to,
            wait_ms: 10_000,
        });
        assert_eq!(ask(&order, &json!({"channel": "web", "gift_message": MESSAGE})), 200);
        // Refused before a shard is asked.
        assert_eq!(ask(&order, &json!({"gift_message": REFUSED.repeat(9)})), 422);
    }
    assert_unmarked(&answers);
    let kept = export(&world.store, "s-1");
    for mark in [ADDRESS, MESSAGE, PHONE] {
        assert_eq!(kept.matches(mark).count(), 2, "{mark} in {kept}");
    }
    assert_eq!(claw(&world.store, &["forget", "s-1"]).status.code(), Some(0));
    assert_unmarked(&export(&world.store, "s-1"));
    assert!(world.node.terminate().success());
    assert_unmarked(&world.node.said());
    for mark in MARKS {
        assert_eq!(files_with(world.store.path(), mark.as_bytes()), [] as [&str; 0], "{mark}");
    }
    let full = json_of(&claw(&world.store, &["audit", "--full", "--json"]));
    assert_eq!(full["full"]["evidence"]["findings_count"], 0, "{full}");
    assert_eq!(claw(&world.store, &["log", "verify"]).status.code(), Some(0));
}

#[test]
fn forgotten_subject_is_unreadable_at_once_and_after_every_start() {
    let mut world = World::start_on(store_with_personal_members(), &[]);
    world.stock("mug", 100, 100);
    shop(&mut world);
    let before = export(&world.store, "s-1");
    for mark in [ADDRESS, MESSAGE, ENGRAVED, PHONE, REFUSED] {
        assert!(before.contains(mark), "{mark} not in {before}");
    }
    let dry = json_of(&claw(&world.store, &["forget", "s-1", "--dry-run", "--json"]));
    assert_eq!((&dry["forgotten"], &dry["keys"]), (&json!(false), &json!(2)), "{dry}");
    assert_eq!(export(&world.store, "s-1"), before);

    let gone = json_of(&claw(&world.store, &["forget", "s-1", "--by", "privacy", "--json"]));
    assert_eq!((&gone["forgotten"], &gone["keys"]), (&json!(true), &json!(2)), "{gone}");
    let after = export(&world.store, "s-1");
    assert_unmarked(&after);
    assert!(after.contains("forgotten"), "{after}");
    assert!(export(&world.store, "s-2").contains(ADDRESS), "another subject lost nothing");

    // The running node has taken it over once the log says so: who asked, and for whom.
    let event = until(|| logged_forgotten(&world.store).pop());
    assert_eq!(
        (&event["fields"]["by"], &event["fields"]["number"]),
        (&json!("privacy"), &json!(1))
    );
    let hash = claw_common::checksum::blake3(b"s-1");
    let mut digest = String::new();
    for byte in &hash[..16] {
        write!(digest, "{byte:02x}").expect("a String takes it");
    }
    assert_eq!(event["fields"]["subject"], digest);

    // Who comes back is sealed with another key; the old stays lost.
    let again = world.buy(&order_body("s-1", "Second-Address"));
    let order = text(&again["order_id"]);
    world.node.kill();
    let World { store, .. } = world;
    let mut world = World::start_on(store, &[]);
    done(&world.operator.get(&format!("/v1/orders/{order}")), 200);
    let after = export(&world.store, "s-1");
    assert!(after.contains("Second-Address") && !after.contains(ADDRESS), "{after}");
    assert!(world.node.terminate().success());
    assert_eq!(logged_forgotten(&world.store).len(), 1, "told once");
    assert_eq!(claw(&world.store, &["log", "verify"]).status.code(), Some(0));
    assert_eq!(claw(&world.store, &["audit"]).status.code(), Some(0));
    assert_eq!(claw(&world.store, &["forget", "s-1"]).status.code(), Some(0));
    assert_eq!(claw(&world.store, &["forget", "s-1"]).status.code(), Some(1), "nothing is left");
    assert_eq!(claw(&world.store, &["forget", "nobody"]).status.code(), Some(1));
    assert_eq!(claw(&world.store, &["export", "nobody"]).status.code(), Some(1));
}

#[test]
fn restored_key_file_does_not_bring_the_forgotten_back() {
    let mut world = World::start_on(store_with_personal_members(), &[]);
    world.stock("mug", 100, 100);
    world.buy(&order_body("s-1", ADDRESS));
    assert!(world.node.terminate().success());
    let World { store, .. } = world;
    let path = store.path().join("subjects/keys");
    let backup = fs::read(&path).expect("a node has made it");
    assert_eq!(claw(&store, &["forget", "s-1"]).status.code(), Some(0), "of a store at rest");
    let mut node = Node::start(&store);
    until(|| logged_forgotten(&store).pop());
    assert!(node.terminate().success());

    fs::write(&path, backup).expect("room");
    let (code, said) = Node::refused(&store, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("claw forget --again"), "{said}");
    let again = claw(&store, &["forget", "--again", "--json"]);
    assert_eq!(json_of(&again)["subjects"], 1);
    let mut node = Node::start(&store);
    assert!(node.terminate().success());
    assert!(!export(&store, "s-1").contains(ADDRESS));
    assert_eq!(logged_forgotten(&store).len(), 1);
}

#[test]
fn repeated_order_gets_the_first_answer_again_though_it_is_sealed_anew() {
    let mut world = World::start_on(store_with_personal_members(), &[]);
    world.stock("mug", 100, 100);
    let key = "0c0ffee0-0000-4000-8000-000000000001";
    let mut send = |body: &Value| {
        world.storefront.send(&Call {
            method: "POST",
            target: "/v1/checkouts",
            body: body.to_string().as_bytes(),
            idempotency_key: Some(key),
            ..Call::default()
        })
    };
    let first = done(&send(&order_body("s-1", ADDRESS)), 202);
    assert_eq!(done(&send(&order_body("s-1", ADDRESS)), 202)["order_id"], first["order_id"]);
    let other = send(&order_body("s-1", "Elsewhere"));
    assert_eq!(other.status, 422, "{}", said(&other));
}
