//! Events of types that the store declared itself.

use std::fs;

use claw_common::id::shard_of_key;
use claw_sdk::client::{Call, Response, new_idempotency_key};
use claw_tests::{Store, program};
use serde_json::{Value, json};

use crate::world::{
    Asker, SHARDS, World, assert_id, done, fresh_store, names, refused, refused_at,
};

const ORDER: &str = "019A0000-0000-7000-8000-000000000001";

const VERSION_1: &str = r#"
[schema]
version = 1

[events.gift-wrapped]
by = ["storefront"]
key = "order_id"
[events.gift-wrapped.fields]
order_id = { type = "uuid", required = true }
msg = { type = "text", length_max = 20 }
paper = { type = "text", enum = ["plain", "gold"], default = "plain" }

[events.shelf-counted.fields]
sku = { type = "sku", required = true }
units = { type = "integer", min = 0, max = 1000, required = true }
"#;

/// What `gift-wrapped` became: a member renamed, one added, one dropped.
const VERSION_2: &str = r#"
[schema]
version = 2

[events.gift-wrapped]
version = 2
by = ["storefront"]
key = "order_id"
upcasters = [{ from = 1, to = 2, steps = [
    { rename = "msg", to = "message" },
    { add = "ribbon", default = "none" },
    { drop = "paper" },
] }]
[events.gift-wrapped.fields]
order_id = { type = "uuid", required = true }
message = { type = "text", length_max = 20 }
ribbon = { type = "text", enum = ["none", "red"], default = "none" }
"#;

fn store_with(schema: &str) -> Store {
    let store = fresh_store(&[]);
    write_schema(&store, schema);
    store
}

fn write_schema(store: &Store, schema: &str) {
    fs::write(store.path().join("schema/store.toml"), schema).expect("the disk has room");
}

/// Events of this type as `claw log show` prints them.
fn shown(store: &Store, name: &str, more: &[&str]) -> Vec<Value> {
    let mut command = program::claw();
    command.args(["log", "show", "--json", "--type", name]).args(more);
    let output = command.arg("--store").arg(store.path()).output().expect("claw starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn send(asker: &mut Asker, target: &str, body: &Value, key: &str) -> Response {
    asker.send(&Call {
        method: "POST",
        target,
        body: body.to_string().as_bytes(),
        idempotency_key: Some(key),
        ..Call::default()
    })
}

#[test]
fn own_event_is_logged_once_with_its_type_and_version() {
    let mut world = World::start_on(store_with(VERSION_1), &[]);
    let target = "/v1/events/gift-wrapped";
    let body = json!({"order_id": ORDER, "msg": "for you"});
    let key = new_idempotency_key().expect("randomness");
    let first = send(&mut world.storefront, target, &body, &key);
    let answer = done(&first, 201);
    assert_eq!(names(&answer), ["event_id", "type", "version"]);
    assert_id(&answer["event_id"]);
    assert_eq!((&answer["type"], &answer["version"]), (&json!("gift-wrapped"), &json!(1)));
    let position = first.header("claw-position").expect("a position").to_owned();
    let shard = shard_of_key(&ORDER.to_ascii_lowercase(), SHARDS).0;
    assert!(position.starts_with(&format!("{shard}:")), "the key says where: {position}");

    let again = send(&mut world.storefront, target, &body, &key);
    assert_eq!((again.status, again.json()), (201, answer.clone()));
    let other = json!({"order_id": ORDER, "msg": "for me"});
    let mismatch = send(&mut world.storefront, target, &other, &key);
    refused(&mismatch, 422, "idempotency-mismatch");

    assert!(world.node.terminate().success());
    let World { store, .. } = world;
    let events = shown(&store, "gift-wrapped", &[]);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["kind"], "store-event");
    assert_eq!(events[0]["fields"]["event_id"], answer["event_id"]);
    let stored =
        json!({"order_id": ORDER.to_ascii_lowercase(), "msg": "for you", "paper": "plain"});
    assert_eq!(events[0]["fields"]["members"], stored, "in one form, with its defaults");

    let mut world = World::start_on(store, &[]);
    let again = send(&mut world.storefront, target, &body, &key);
    assert_eq!(again.json(), answer, "also after a restart");
    assert!(world.node.terminate().success());
    let (code, said) = world.store.claw(&["audit"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn event_without_a_key_is_found_again_by_its_request() {
    let mut world = World::start_on(store_with(VERSION_1), &[]);
    let target = "/v1/events/shelf-counted";
    for units in 0..8 {
        let body = json!({"sku": "clog", "units": units});
        let key = new_idempotency_key().expect("randomness");
        let first = done(&send(&mut world.source, target, &body, &key), 201);
        assert_eq!(done(&send(&mut world.source, target, &body, &key), 201), first);
        let other = json!({"sku": "boot", "units": units});
        refused(&send(&mut world.source, target, &other, &key), 422, "idempotency-mismatch");
    }
    assert!(world.node.terminate().success());
    assert_eq!(shown(&world.store, "shelf-counted", &[]).len(), 8);
}

#[test]
fn declaration_says_who_may_send_and_what() {
    let mut world = World::start_on(store_with(VERSION_1), &[]);
    let (wrapped, counted) = ("/v1/events/gift-wrapped", "/v1/events/shelf-counted");
    let gift = json!({"order_id": ORDER});
    let count = json!({"sku": "clog", "units": 3});
    let problem = refused(&world.source.post(wrapped, &gift), 403, "forbidden");
    assert_eq!(problem["roles"], "storefront or operator");
    refused(&world.storefront.post(counted, &count), 403, "forbidden");
    done(&world.storefront.post(wrapped, &gift), 201);
    done(&world.source.post(counted, &count), 201);
    done(&world.operator.post(wrapped, &gift), 201);
    done(&world.operator.post(counted, &count), 201);

    let problem = refused(&world.source.post("/v1/events/shelf-conted", &count), 404, "not-found");
    assert_eq!(problem["suggestion"], "shelf-counted");
    refused(&world.source.post("/v1/events/hold-granted", &json!({})), 404, "not-found");
    for (body, path) in [
        (json!({}), "sku"),
        (json!({"sku": "clog", "units": -1}), "units"),
        (json!({"sku": "clog", "units": "3"}), "units"),
        (json!({"sku": "clog", "units": 3, "unit": 3}), "unit"),
    ] {
        refused_at(&world.source.post(counted, &body), path);
    }
    let query = world.source.post(&format!("{counted}?x=1"), &count);
    refused(&query, 400, "malformed");
    assert!(world.node.terminate().success());
    assert_eq!(shown(&world.store, "shelf-counted", &[]).len(), 2, "refused ones leave nothing");
}

#[test]
fn events_of_an_older_version_are_read_as_todays() {
    let mut world = World::start_on(store_with(VERSION_1), &[]);
    let target = "/v1/events/gift-wrapped";
    let old = json!({"order_id": ORDER, "msg": "old", "paper": "gold"});
    assert_eq!(done(&world.storefront.post(target, &old), 201)["version"], 1);
    assert!(world.node.terminate().success());
    let World { store, .. } = world;
    write_schema(&store, VERSION_2);

    let mut world = World::start_on(store, &[]);
    refused_at(&world.storefront.post(target, &old), "msg");
    let new = json!({"order_id": ORDER, "message": "new", "ribbon": "red"});
    assert_eq!(done(&world.storefront.post(target, &new), 201)["version"], 2);
    assert!(world.node.terminate().success());

    let events = shown(&world.store, "gift-wrapped", &[]);
    let fields: Vec<_> = events.iter().map(|event| &event["fields"]).collect();
    let id = ORDER.to_ascii_lowercase();
    let read =
        |message: &str, ribbon: &str| json!({"order_id": id, "message": message, "ribbon": ribbon});
    assert_eq!(fields[0]["members"], read("old", "none"));
    assert_eq!(fields[1]["members"], read("new", "red"));
    assert_eq!((&fields[0]["version"], &fields[1]["version"]), (&json!(2), &json!(2)));
    assert_eq!(fields[0]["written_version"], 1);
    let written = shown(&world.store, "gift-wrapped", &["--as-written"]);
    assert_eq!(written[0]["fields"]["version"], 1);
    assert_eq!(written[0]["fields"]["members"]["msg"], "old", "the log itself is as it was");
    // A type that is gone from the schema is still there, and says why it is shown as written.
    let gone = shown(&world.store, "shelf-counted", &[]);
    assert!(gone.is_empty());
}
