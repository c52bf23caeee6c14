//! The State-Schema: a store's own members and bounds, from its file to the log.

use std::fs;
use std::sync::Arc;

use claw_sdk::wire::{Client, Command, Options, Outcome};
use claw_tests::{Node, Store, program};
use serde_json::{Value, json};

use crate::command_line::{claw, log_records, records_of};
use crate::world::{World, done, eur, fresh_store, hold_body, items, refused, refused_at};

const OWN: &str = r#"
[schema]
version = 3

[events.product-put.attributes]
color = { type = "text", enum = ["red", "blue"], required = true }
weight_g = { type = "integer", min = 1, max = 1000 }

[events.hold-granted.fields]
ttl_ms = { max = 60_000 }

[events.hold-granted.extra]
channel = { type = "text", enum = ["web", "shop"], required = true }

[events.order-started.extra]
gift = { type = "text", length_max = 8, personal = true }
slots = { type = "list", of = { type = "integer", min = 1, max = 3 }, count_max = 2 }
"#;

fn store_with(schema: &str) -> Store {
    let store = fresh_store(&[]);
    write_schema(&store, schema);
    store
}

fn write_schema(store: &Store, schema: &str) {
    fs::write(store.path().join("schema/store.toml"), schema).expect("the disk has room");
}

fn product(attributes: &Value) -> Value {
    json!({"name": "Clog", "price": eur(100), "attributes": attributes})
}

fn held(more: &Value) -> Value {
    let mut body = hold_body("s", &[("clog", 1)]);
    for (name, value) in more.as_object().expect("members") {
        body[name] = value.clone();
    }
    body
}

#[test]
fn own_members_are_checked_with_their_path() {
    let mut world = World::start_on(store_with(OWN), &[]);
    let put = "/v1/products/clog";
    for (attributes, path) in [
        (json!({}), "attributes.color"),
        (json!({"color": "green"}), "attributes.color"),
        (json!({"color": "red", "weight_g": 0}), "attributes.weight_g"),
        (json!({"color": "red", "weight_g": "5"}), "attributes.weight_g"),
        (json!({"color": "red", "size": 5}), "attributes.size"),
    ] {
        refused_at(&world.source.put(put, &product(&attributes)), path);
    }
    done(&world.source.put(put, &product(&json!({"color": "red", "weight_g": 5}))), 201);
    done(&world.source.post(&format!("{put}/stock"), &json!({"delta": 9, "reason": "x"})), 200);
    for (more, path) in [
        (json!({}), "channel"),
        (json!({"channel": "phone"}), "channel"),
        (json!({"channel": 1}), "channel"),
        (json!({"channel": "web", "chanel": "web"}), "chanel"),
        (json!({"channel": "web", "ttl_ms": 60_001}), "ttl_ms"),
    ] {
        refused_at(&world.storefront.post("/v1/holds", &held(&more)), path);
    }
    let hold = done(
        &world.storefront.post("/v1/holds", &held(&json!({"channel": "web", "ttl_ms": 60_000}))),
        201,
    );
    let order = |more: &Value| {
        let mut body = json!({"session": "s", "items": items(&[("clog", 1)])});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("members").clone());
        body
    };
    for (more, path) in [
        (json!({"gift": "far too long"}), "gift"),
        (json!({"slots": [1, 4]}), "slots[1]"),
        (json!({"slots": [1, 2, 3]}), "slots"),
    ] {
        refused_at(&world.storefront.post("/v1/checkouts", &order(&more)), path);
    }
    assert_eq!(world.buy(&order(&json!({"gift": "bow", "slots": [1, 2]})))["state"], "placed");
    assert!(world.node.terminate().success());
    logged_with_their_version(&world.store, &hold);
}

fn logged_with_their_version(store: &Store, hold: &Value) {
    let records = log_records(store);
    let of = |kind: &str| -> Vec<&Value> { records.iter().filter(|r| r["kind"] == kind).collect() };
    let granted = of("hold-granted");
    assert_eq!(granted.len(), 1, "refused requests leave nothing");
    assert_eq!(granted[0]["fields"]["hold_id"], hold["hold_id"]);
    assert_eq!(granted[0]["extra"], json!({"channel": "web"}));
    assert_eq!(granted[0]["schema_version"], 3);
    let puts = of("product-put");
    assert_eq!(puts.len(), 1);
    assert_eq!(puts[0]["fields"]["attributes"], json!({"color": "red", "weight_g": 5}));
    for record in &records {
        assert_eq!(record["schema_version"], 3, "{record}");
    }
}

#[test]
fn later_version_reads_what_earlier_ones_wrote() {
    let mut world = World::start_on(store_with(OWN), &[]);
    done(&world.source.put("/v1/products/clog", &product(&json!({"color": "red"}))), 201);
    assert!(world.node.terminate().success());
    let World { store, .. } = world;
    let wider =
        OWN.replace("version = 3", "version = 4").replace("\"blue\"]", "\"blue\", \"green\"]");
    write_schema(&store, &wider);
    let mut world = World::start_on(store, &[]);
    let shown = done(&world.storefront.get("/v1/products/clog"), 200);
    assert_eq!(shown["attributes"], json!({"color": "red"}));
    done(&world.source.put("/v1/products/boot", &product(&json!({"color": "green"}))), 201);
    assert!(world.node.terminate().success());
    let records = log_records(&world.store);
    let versions: Vec<_> = records
        .iter()
        .filter(|r| r["kind"] == "product-put")
        .map(|r| r["schema_version"].clone())
        .collect();
    assert!(versions.contains(&json!(3)) && versions.contains(&json!(4)), "{versions:?}");
}

/// The members of `OWN`, two of them under other names and one that is new.
fn renamed() -> String {
    OWN.replace("version = 3", "version = 4")
        .replace(
            "[events.product-put.attributes]\ncolor = ",
            "[events.product-put]\nversion = 2\nupcasters = [{ from = 1, to = 2, steps = [\n  \
             { rename = \"attributes.color\", to = \"attributes.colour\" },\n  \
             { add = \"attributes.fit\", default = \"slim\" },\n] }]\n\n\
             [events.product-put.attributes]\nfit = { type = \"text\" }\ncolour = ",
        )
        .replace(
            "[events.hold-granted.extra]\nchannel = ",
            "[events.hold-granted]\nversion = 2\nupcasters = [{ from = 1, to = 2, steps = [\n  \
             { rename = \"channel\", to = \"via\" },\n] }]\n\n\
             [events.hold-granted.extra]\nvia = ",
        )
}

#[test]
fn built_in_events_of_older_versions_are_read_as_todays() {
    let mut world = World::start_on(store_with(OWN), &[]);
    let old = product(&json!({"color": "red", "weight_g": 5}));
    done(&world.source.put("/v1/products/clog", &old), 201);
    done(&world.source.post("/v1/products/clog/stock", &json!({"delta": 9, "reason": "x"})), 200);
    let holding = held(&json!({"channel": "web", "ttl_ms": 60_000}));
    done(&world.storefront.post("/v1/holds", &holding), 201);
    assert!(world.node.terminate().success());
    let World { store, .. } = world;
    write_schema(&store, &renamed());
    let today = json!({"colour": "red", "fit": "slim", "weight_g": 5});
    let mut world = World::start_on(store, &[]);
    let shown = done(&world.storefront.get("/v1/products/clog"), 200);
    assert_eq!(shown["attributes"], today);
    let signer = Arc::new(world.store.signer("storefront-hmac"));
    let mut wire = Client::connect(world.node.authority(), signer, Options::default()).unwrap();
    let answer = wire.call(&Command::ReadProduct { sku: "clog" }).expect("an answer");
    let Some(Outcome::Product(read)) = answer.outcome() else { panic!("{answer:?}") };
    assert_eq!(serde_json::from_str::<Value>(read.attributes).expect("JSON"), today);
    let blue = json!({"colour": "blue"});
    done(&world.source.put("/v1/products/boot", &product(&blue)), 201);
    let list = done(&world.operator.get("/v1/products"), 200);
    let listed: Vec<&Value> =
        list["products"].as_array().expect("a list").iter().map(|p| &p["attributes"]).collect();
    assert_eq!(listed, [&blue, &today], "what is written today is shown as it is");
    let price = json!({"price": eur(120)});
    done(&world.source.post("/v1/products/clog/price", &price), 200);
    assert!(world.node.terminate().success());
    let records = log_records(&world.store);
    let of = |kind: &str| -> Vec<&Value> { records.iter().filter(|r| r["kind"] == kind).collect() };
    let puts = of("product-put");
    assert_eq!(puts[0]["fields"]["attributes"], today);
    assert_eq!((&puts[0]["extra_version"], &puts[1]["extra_version"]), (&json!(1), &json!(2)));
    assert_eq!(of("hold-granted")[0]["extra"], json!({"via": "web"}));
    let written = records_of(&claw(&world.store, &["log", "show", "--json", "--as-written"]));
    let kept: Vec<&Value> = written.iter().filter(|r| !r["extra"].is_null()).collect();
    assert_eq!(kept[0]["extra"], json!({"channel": "web"}), "the log itself is as it was");
    // Today's state is made of both versions, whichever way it comes back.
    let World { store, .. } = world;
    let mut world = World::start_on(store, &[]);
    let again = done(&world.storefront.get("/v1/products/clog"), 200);
    assert_eq!(again["attributes"], today);
    assert!(world.node.terminate().success());
    assert_eq!(claw(&world.store, &["log", "verify"]).status.code(), Some(0));
}

#[test]
fn node_refuses_an_invalid_schema_with_file_line_and_reason() {
    let rows = [
        (
            "[schema]\nversion = 1\n[events.hold-granted.fields]\nttl_ms = { max = 999_999_999 }\n",
            "schema/store.toml:4",
            "may only tighten",
        ),
        (
            "[schema]\nversion = 1\n[events.hold-granted.extra]\nx = { type = \"txt\" }\n",
            "schema/store.toml:4",
            "did you mean `text`?",
        ),
        (
            "[schema]\nversion = 1\n[events.hold-grantd.extra]\nx = { type = \"text\" }\n",
            "schema/store.toml:3",
            "hold-grant",
        ),
        ("[schema\n", "schema/store.toml:1", ""),
        ("[schema]\nversion = \"one\"\n", "schema/store.toml:2", "version"),
    ];
    for (schema, place, reason) in rows {
        let store = store_with(schema);
        let output = program::claw()
            .arg("node")
            .arg("--store")
            .arg(store.path())
            .args(["--listen", "127.0.0.1:0"])
            .output()
            .expect("claw starts");
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{talk}");
        assert!(talk.contains(place) && talk.contains(reason), "{schema}: {talk}");
        assert!(output.stdout.is_empty());
        let segments = fs::read_dir(store.path().join("data")).map_or(0, Iterator::count);
        assert_eq!(segments, 0, "nothing was made");
        write_schema(&store, "[schema]\nversion = 1\n");
        let mut node = Node::start(&store);
        assert!(node.terminate().success());
    }
}

#[test]
fn template_schemas_take_what_they_declare() {
    for template in ["enterprise-retail", "flash-drop", "minimal"] {
        let store = Store::create(template);
        let mut world = World::start_on(store, &[]);
        world.stock("clog", 5, 100);
        let hold = world.hold("s", &[("clog", 1)]);
        assert_eq!(
            world.buy(&json!({"session": "s", "hold_id": hold}))["state"],
            "placed",
            "{template}"
        );
        let unknown = json!({"session": "s", "nonsense": 1});
        let problem = refused(&world.storefront.post("/v1/carts", &unknown), 422, "schema");
        assert_eq!(problem["path"], "nonsense");
    }
}
