//! Tables: what a schema accepts, what it refuses and where it points.

use std::borrow::Cow;

use claw_common::limits;
use claw_common::money::{Currency, Money};
use serde_json::{Map, Value, json};

use super::*;
use crate::command::{Command, ExtraType};

fn file(name: &str, text: &str) -> SchemaFile {
    SchemaFile { name: name.to_owned(), text: text.to_owned() }
}

fn compile(text: &str) -> CompiledSchema {
    CompiledSchema::parse(&[file("schema/a.toml", text)])
        .unwrap_or_else(|found| panic!("{}", lines(&found)))
}

fn refuse(text: &str) -> String {
    lines(&CompiledSchema::parse(&[file("schema/a.toml", text)]).unwrap_err())
}

fn lines(found: &[Diagnostic]) -> String {
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn members(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("not an object") };
    members
}

const STORE: &str = r#"
[schema]
version = 7

[events.hold-granted.fields]
"items.quantity" = { max = 10 }
ttl_ms = { max = 60_000 }
[events.hold-granted.extra]
channel = { type = "text", enum = ["web", "app"], default = "web" }
email = { type = "text", length_max = 20, pattern = "[^@ ]+@[^@ ]+", personal = true }
tags = { type = "list", of = "text", count_max = 2 }

[events.order-started.fields]
region = { required = true }

[events.product-put]
version = 2
upcasters = [{ from = 1, to = 2, steps = [{ rename = "attributes.maker", to = "attributes.brand" }] }]
[events.product-put.fields]
price = { max = 500_000, currencies = ["EUR", "USD"] }
[events.product-put.attributes]
brand = { type = "text", required = true }
weight_g = { type = "integer", min = 1 }
"*" = { type = "json", size_bytes_max = 32 }

[events.gift-wrapped]
version = 3
upcasters = [
    { from = 1, to = 3, steps = [{ drop = "ribbon" }, { add = "paper", default = "plain" }] },
    { from = 2, to = 3, steps = [
        { rename = "msg", to = "message" },
        { widen = "price", from = "integer", to = "list" },
    ] },
]
[events.gift-wrapped.fields]
order_id = { type = "uuid", required = true }
paper = { type = "text", default = "plain" }
message = { type = "text", personal = true }
price = { type = "list", of = { type = "integer", min = 0 } }
wrapped_at = { type = "time" }
cost = { type = "money", max = 900, currencies = ["EUR"] }
sizes = { type = "map", of = "integer", count_max = 3, key_length_max = 2 }
box = { type = "group", fields = { lid = { type = "boolean", required = true } } }
"#;

#[test]
fn a_store_tightens_what_is_built_in() {
    let schema = compile(STORE);
    let check = |event, member, value| {
        schema.validate_built_in(event, member, value).map_err(|found| found.to_string())
    };
    assert_eq!(schema.version(), 7);
    assert_eq!(check(BuiltIn::HoldGranted, "ttl_ms", FieldValue::Integer(60_000)), Ok(()));
    assert_eq!(
        check(BuiltIn::HoldGranted, "ttl_ms", FieldValue::Integer(60_001)).unwrap_err(),
        "`ttl_ms` must be an integer from 100 to 60000"
    );
    assert_eq!(check(BuiltIn::HoldGranted, "ttl_ms", FieldValue::Absent), Ok(()));
    assert_eq!(
        check(BuiltIn::OrderStarted, "region", FieldValue::Absent).unwrap_err(),
        "`region` is required"
    );
    let money = |amount, currency| {
        FieldValue::Money(Money { amount, currency: Currency::parse(currency).unwrap() })
    };
    assert_eq!(check(BuiltIn::ProductPut, "price", money(500_000, "USD")), Ok(()));
    for wrong in [money(500_001, "USD"), money(1, "GBP"), money(-1, "EUR")] {
        assert!(check(BuiltIn::ProductPut, "price", wrong).is_err());
    }
    let found = schema
        .validate_built_in_at(BuiltIn::HoldGranted, "items.quantity", 2, FieldValue::Integer(11))
        .unwrap_err();
    assert_eq!(found.path, "items[2].quantity");
    assert!(check(BuiltIn::HoldGranted, "items", FieldValue::Count(33)).is_err());
    assert!(check(BuiltIn::CouponPut, "kind", FieldValue::Text("gift")).is_err());
}

#[test]
fn extras_are_stored_in_one_form() {
    let schema = compile(STORE);
    let extras = |value| {
        let stored = schema.extras(BuiltIn::HoldGranted, &members(value));
        stored.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|found| found.to_string())
    };
    assert_eq!(extras(json!({})).unwrap(), r#"{"channel":"web"}"#);
    assert_eq!(
        extras(json!({"tags": ["x", "\n"], "email": "a@b", "channel": "app"})).unwrap(),
        r#"{"channel":"app","email":"a@b","tags":["x","\n"]}"#
    );
    let rows = [
        (
            json!({"chanel": "web"}),
            "`chanel` is not declared in the State-Schema: did you mean `channel`?",
        ),
        (json!({"channel": "fax"}), "`channel` must be one of app, web"),
        (
            json!({"email": "nobody"}),
            "`email` must be text of 0 to 20 bytes that matches [^@ ]+@[^@ ]+",
        ),
        (json!({"tags": ["a", "b", "c"]}), "`tags` must be an array of 0 to 2 entries"),
        (json!({"tags": ["a", 1]}), "`tags[1]` must be text of 0 to 256 bytes, not that number"),
        (
            json!({"email": null}),
            "`email` must be text of 0 to 20 bytes that matches [^@ ]+@[^@ ]+, not null",
        ),
    ];
    for (value, expected) in rows {
        assert_eq!(extras(value).unwrap_err(), expected);
    }
    assert_eq!(schema.extras(BuiltIn::CartCreated, &Map::new()).unwrap(), b"");
    assert!(schema.extras(BuiltIn::CartCreated, &members(json!({"x": 1}))).is_err());
    assert!(schema.extra_field(BuiltIn::HoldGranted, "email").unwrap().personal);
    assert!(schema.extra_field(BuiltIn::HoldGranted, "session").is_none());
    assert_eq!(schema.suggest(BuiltIn::HoldGranted, "sesion"), Some("session"));
}

#[test]
fn attributes_may_have_a_rule_for_names_nobody_declared() {
    let schema = compile(STORE);
    let attributes = |value: Value| {
        let stored = schema.attributes(Some(&value));
        stored.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|found| found.to_string())
    };
    assert_eq!(
        attributes(json!({"weight_g": 5, "brand": "B", "a": {"y": 1.5, "x": [true]}})).unwrap(),
        r#"{"a":{"x":[true],"y":1.5},"brand":"B","weight_g":5}"#
    );
    let whole = json!({"weight_g": 5.0, "brand": "B"});
    assert_eq!(attributes(whole).unwrap(), r#"{"brand":"B","weight_g":5}"#);
    assert_eq!(attributes(json!({})).unwrap_err(), "`attributes.brand` is required");
    assert_eq!(schema.attributes(None).unwrap_err().path, "attributes.brand");
    assert_eq!(attributes(json!([])).unwrap_err(), "`attributes` must be an object");
    let deep = json!({"brand": "B", "a": [[[[[1]]]]]});
    assert_eq!(
        attributes(deep).unwrap_err(),
        "`attributes.a` must be JSON of at most 32 bytes, 4 levels deep"
    );
    let many: Map<_, _> =
        (0..=limits::SCHEMA_OTHERS_MAX).map(|n| (format!("n{n}"), Value::from(n))).collect();
    assert!(attributes(Value::Object(many)).unwrap_err().contains("at most 64 undeclared"));
    let bare = compile("[schema]\nversion = 1\n");
    assert_eq!(bare.attributes(None).unwrap(), b"");
    assert_eq!(bare.attributes(Some(&json!({}))).unwrap_err().path, "attributes");
}

#[test]
fn own_events_are_checked_in_full() {
    let schema = compile(STORE);
    let event = schema.own_event("gift-wrapped").unwrap();
    let id = "019A0000-0000-7000-8000-000000000001";
    let whole = json!({
        "order_id": id, "price": [1, 2], "wrapped_at": "2026-01-31T12:00:00Z",
        "cost": {"currency": "EUR", "amount": 5}, "sizes": {"b": 2, "a": 1}, "box": {"lid": true},
    });
    let stored = String::from_utf8(event.canonical(&members(whole.clone())).unwrap()).unwrap();
    assert_eq!(
        stored,
        r#"{"box":{"lid":true},"cost":{"amount":5,"currency":"EUR"},"order_id":"019a0000-0000-7000-8000-000000000001","paper":"plain","price":[1,2],"sizes":{"a":1,"b":2},"wrapped_at":"2026-01-31T12:00:00.000Z"}"#
    );
    let rows = [
        ("order_id", json!("x"), "order_id"),
        ("price", json!([1, -1]), "price[1]"),
        ("wrapped_at", json!("2026-01-31"), "wrapped_at"),
        ("cost", json!({"amount": 901, "currency": "EUR"}), "cost"),
        ("cost", json!({"amount": 1, "currency": "EUR", "x": 1}), "cost"),
        ("sizes", json!({"abc": 1}), "sizes.abc"),
        ("sizes", json!({"a": "1"}), "sizes.a"),
        ("box", json!({}), "box.lid"),
        ("box", json!({"lid": true, "lit": 1}), "box.lit"),
    ];
    for (name, value, path) in rows {
        let mut wrong = members(whole.clone());
        wrong.insert(name.to_owned(), value);
        assert_eq!(event.canonical(&wrong).unwrap_err().path, path);
    }
    assert_eq!(event.canonical(&Map::new()).unwrap_err().to_string(), "`order_id` is required");
    assert!(schema.own_event("gift").is_none());
}

#[test]
fn own_events_say_who_sends_them_and_where_they_lie() {
    let own = |head: &str| {
        let text = format!(
            "[schema]\nversion = 1\n[events.gift-wrapped]\n{head}\n[events.gift-wrapped.fields]\n\
             order_id = {{ type = \"uuid\", required = true }}\nsku = {{ type = \"sku\", required = true }}"
        );
        compile(&text).own_event("gift-wrapped").unwrap().clone()
    };
    let may = |event: &EventType| {
        EventType::ROLES.into_iter().filter(|role| event.sent_by(role)).collect::<Vec<_>>()
    };
    assert_eq!(may(&own("")), ["operator", "source"]);
    assert_eq!(may(&own("by = [\"storefront\"]")), ["operator", "storefront"]);
    let sent = members(json!({"order_id": "AB", "sku": "A-1"}));
    assert_eq!(own("").key_of(&sent), None);
    assert_eq!(own("key = \"order_id\"").key_of(&sent).as_deref(), Some("ab"));
    assert_eq!(own("key = \"sku\"").key_of(&sent).as_deref(), Some("A-1"));
    let hash = |head: &str| {
        let fields = "[events.gift-wrapped.fields]\nsku = { type = \"sku\", required = true }";
        compile(&format!("[schema]\nversion = 1\n[events.gift-wrapped]\n{head}\n{fields}")).hash()
    };
    assert_ne!(hash(""), hash("key = \"sku\""));
    assert_ne!(hash(""), hash("by = [\"storefront\"]"));
    assert_eq!(hash(""), hash("by = [\"source\"]"));
}

#[test]
fn older_versions_are_read_as_todays() {
    let schema = compile(STORE);
    let event = schema.own_event("gift-wrapped").unwrap();
    let one = event.upcast(1, members(json!({"order_id": "o", "ribbon": 1}))).unwrap();
    assert_eq!(Value::Object(one), json!({"order_id": "o", "paper": "plain"}));
    let two = event.upcast(2, members(json!({"msg": "hi", "price": 3}))).unwrap();
    assert_eq!(Value::Object(two), json!({"message": "hi", "price": [3]}));
    let today = members(json!({"message": "hi"}));
    assert_eq!(event.upcast(3, today.clone()).unwrap(), today);
    assert_eq!(
        event.upcast(4, today).unwrap_err(),
        UpcastError::NoPath { from: 4, to: 3 },
        "an event from the future is refused"
    );
    let product = schema.extra_type(BuiltIn::ProductPut);
    let old = members(json!({"attributes": {"maker": "M"}}));
    let new = product.upcast(1, old).unwrap();
    assert_eq!(Value::Object(new), json!({"attributes": {"brand": "M"}}));
    assert_eq!(schema.event_version(BuiltIn::ProductPut), 2);
    assert_eq!(schema.event_version(BuiltIn::HoldGranted), 1);
}

#[test]
fn attributes_of_an_older_version_are_read_as_todays_and_others_are_untouched() {
    let schema = compile(STORE);
    let read = |version, text| schema.attributes_today(version, text).map(Cow::into_owned);
    assert_eq!(read(1, "{\"maker\":\"M\"}"), Ok("{\"brand\":\"M\"}".to_owned()));
    assert_eq!(read(1, ""), Ok(String::new()));
    for version in [0, 2] {
        let text = "{\"maker\":\"M\"}";
        let same = schema.attributes_today(version, text);
        assert!(matches!(same, Ok(Cow::Borrowed(same)) if same == text));
    }
    assert_eq!(read(3, "{}"), Err(UpcastError::NoPath { from: 3, to: 2 }));
}

#[test]
fn numbers_of_types_and_commands_lead_to_the_declared_type() {
    for event in BuiltIn::ALL {
        assert_eq!(BuiltIn::from_code(event.code()), Some(event));
    }
    assert_eq!(BuiltIn::from_code(0), None);
    assert_eq!(BuiltIn::from_code(20), None);
    let schema = compile(STORE);
    let price = Money { amount: 1, currency: Currency::parse("EUR").unwrap() };
    let put =
        Command::PutProduct { sku: "a", name: "n", price, attributes: "", version_expected: None };
    assert_eq!(schema.extra_type_of(&put), ExtraType { code: 1, version: 2 });
    let read = Command::ReadProduct { sku: "a" };
    assert_eq!(schema.extra_type_of(&read), ExtraType::default());
}

#[test]
fn text_is_split_at_a_separator_into_members_beside_it() {
    let schema = compile(
        "[schema]\nversion = 1\n[events.made-up]\nversion = 2\nupcasters = [{ from = 1, to = 2, \
         steps = [{ split = \"box.size\", by = \"x\", into = [\"box.wide\", \"box.deep\", \
         \"box.high\"] }] }]\n[events.made-up.fields.box]\ntype = \"group\"\n\
         fields = { wide = { type = \"text\" }, deep = { type = \"text\" }, high = { type = \"text\" } }\n",
    );
    let event = schema.own_event("made-up").unwrap();
    let read = |old: Value| event.upcast(1, members(old)).map(Value::Object);
    let of = |wide: &str, deep: &str, high: &str| json!({"box": {"wide": wide, "deep": deep, "high": high}});
    assert_eq!(read(json!({"box": {"size": "3x4x5"}})), Ok(of("3", "4", "5")));
    assert_eq!(read(json!({"box": {"size": "3x4x5x6"}})), Ok(of("3", "4", "5x6")));
    assert_eq!(read(json!({"box": {"size": "3"}})), Ok(of("3", "", "")));
    assert_eq!(read(json!({"box": {}})), Ok(json!({"box": {}})));
    assert_eq!(
        read(json!({"box": {"size": 3}})),
        Err(UpcastError::Mismatch("box.size".to_owned()))
    );
}

#[test]
fn the_hash_follows_the_meaning_alone() {
    let whole = compile(STORE);
    let (head, tail) = STORE.split_at(STORE.find("[events.gift-wrapped]").unwrap());
    let parts = [file("z.toml", head), file("b.toml", &format!("# a comment\n\n{tail}"))];
    assert_eq!(CompiledSchema::parse(&parts).unwrap().hash(), whole.hash());
    let changes = [
        ("version = 7", "version = 8"),
        ("max = 60_000", "max = 60_001"),
        ("personal = true }\ntags", "personal = false }\ntags"),
        ("default = \"web\"", "default = \"app\""),
        ("default = \"plain\" }] }", "default = \"fancy\" }] }"),
        ("count_max = 3", "count_max = 4"),
        ("size_bytes_max = 32", "size_bytes_max = 33"),
        ("[\"EUR\", \"USD\"]", "[\"EUR\"]"),
    ];
    for (from, to) in changes {
        let changed = STORE.replacen(from, to, 1);
        assert_ne!(changed, STORE, "{from} is in the text");
        assert_ne!(compile(&changed).hash(), whole.hash(), "{from} -> {to}");
    }
    let respelled =
        STORE.replace("60_000", "60000").replace("[\"web\", \"app\"]", "['app', 'web']");
    assert_eq!(compile(&respelled).hash(), whole.hash());
}

/// Each row: what stands below `[schema]`, and what is said about it.
const REFUSED: &[(&str, &str)] = &[
    ("x = 1", "3:1: unknown key `x` in [schema]: known here: description, version"),
    ("[event.a]", "3:2: unknown key `event` in a schema file: did you mean `events`?"),
    (
        "[events.hold-granted.extra]\nx = { type = \"txt\" }",
        "4:14: unknown type `txt`: did you mean `text`?",
    ),
    (
        "[events.hold-granted.extra]\nx = { }",
        "4:5: [events.hold-granted.extra.x] has no type: add `type`: one of boolean, group, integer, json, list, map, money, sku, text, time, uuid",
    ),
    (
        "[events.hold-granted.extra]\nx = { type = \"text\", min = 1 }",
        "4:22: unknown key `min` in [events.hold-granted.extra.x] (text): known here: type, length_min, length_max, enum, pattern, personal, description, required, default",
    ),
    (
        "[events.hold-granted.extra]\nx = { type = \"text\", lenght_max = 1 }",
        "4:22: unknown key `lenght_max` in [events.hold-granted.extra.x] (text): did you mean `length_max`?",
    ),
    (
        "[events.hold-granted.extra]\nsession = { type = \"text\" }",
        "4:1: `session` is a built-in member already: tighten it under `fields` instead",
    ),
    (
        "[events.hold-granted.extra]\nx = { type = \"integer\", min = 2, max = 1 }",
        "4:31: `min` is above its maximum: nothing would fit",
    ),
    (
        "[events.hold-granted.extra]\nx = { type = \"integer\", default = \"a\" }",
        "4:35: `default` must be an integer from -9223372036854775808 to 9223372036854775807, not a string",
    ),
    (
        "[events.hold-granted.extra]\nx = { type = \"integer\", default = 1, required = true }",
        "4:49: a member with a `default` is never missing: drop one",
    ),
    (
        "[events.hold-granted.extra]\nx = { type = \"text\", pattern = \"(a)\" }",
        "4:32: `pattern`: `(` is not supported in patterns: write `\\(` for the character itself",
    ),
    (
        "[events.hold-granted.extra]\nx = { type = \"list\" }",
        "4:5: [events.hold-granted.extra.x] does not say what it holds: add `of`: what each entry holds, such as \"text\" or { type = \"text\" }",
    ),
    (
        "[events.hold-granted.fields]\nsesion = { length_max = 3 }",
        "4:1: [events.hold-granted] has no built-in member `sesion`: did you mean `session`?",
    ),
    (
        "[events.hold-granted.fields]\nttl_ms = { max = 86_400_001 }",
        "4:18: `max` may only tighten 100 to 86400000",
    ),
    (
        "[events.hold-granted.fields]\nsession = { required = false }",
        "4:24: a built-in member that is required stays required",
    ),
    (
        "[events.coupon-put.fields]\nkind = { enum = [\"gift\"] }",
        "4:17: `gift` is not one of amount, percent",
    ),
    (
        "[events.hold-expired.extra]\nx = { type = \"sku\" }",
        "3:22: unknown key `extra` in [events.hold-expired]: known here: description, fields",
    ),
    (
        "[events.hold-grantd]",
        "3:9: `hold-grantd` is too near to the built-in `hold-granted`: choose another name, or mend this one",
    ),
    (
        "[events.Own.fields]",
        "3:9: `Own` is not a name for events: use lower-case words joined by `-`",
    ),
    (
        "[events.own]",
        "3:9: event type `own` has no members: declare its members under [events.own.fields]",
    ),
    (
        "[events.own]\nversion = 3\nfields = {}\nupcasters = [{ from = 1, to = 2, steps = [{ drop = \"a\" }] }]",
        "3:1: [events.own] has no upcaster from version 2: events written with version 2 could not be read: add one",
    ),
    (
        "[events.own]\nversion = 2\nfields = {}\nupcasters = [{ from = 2, to = 1, steps = [{ drop = \"a\" }] }, { from = 1, to = 2, steps = [{ drop = \"a\" }] }]",
        "6:14: an upcaster from 2 to 1 would go in a circle: upcasters lead to a later version",
    ),
    (
        "[events.own]\nversion = 2\nfields = {}\nupcasters = [{ from = 1, to = 2, steps = [{ drop = \"a\" }] }, { from = 1, to = 2, steps = [{ drop = \"a\" }] }]",
        "6:62: [events.own] has two upcasters from 1: keep one",
    ),
    (
        "[events.own]\nversion = 2\nfields = { wrap = { type = \"sku\" } }\nupcasters = [{ from = 1, to = 2, steps = [{ add = \"wrp\", default = \"a\" }] }]",
        "6:43: the step adds `wrp`, which its version does not have: did you mean `wrap`?",
    ),
    (
        "[events.own]\nversion = 2\nfields = { wrap = { type = \"sku\" } }\nupcasters = [{ from = 1, to = 2, steps = [{ add = \"wrap\", default = \"a b\" }] }]",
        "6:43: the default of `wrap` must be 1 to 64 of A-Z a-z 0-9 . _ -",
    ),
    (
        "[events.own]\nversion = 2\nfields = { n = { type = \"sku\" } }\nupcasters = [{ from = 1, to = 2, steps = [{ widen = \"n\", from = \"list\", to = \"sku\" }] }]",
        "6:43: list cannot be read as sku: compare with the members of version 2",
    ),
    (
        "[events.own]\nversion = 2\nfields = { n = { type = \"sku\" } }\nupcasters = [{ from = 1, to = 2, steps = [{ shrink = \"n\" }] }]",
        "6:43: not a step: write { add = \"x\", default = 0 }, { drop = \"x\" }, { rename = \"x\", to = \"y\" }, { split = \"x\", by = \" \", into = [\"y\", \"z\"] } or { widen = \"x\", from = \"integer\", to = \"text\" }",
    ),
    (
        "[events.own]\nby = [\"sorce\"]\nfields = {}",
        "4:6: there is no role `sorce`: did you mean `source`?",
    ),
    (
        "[events.own]\nkey = \"ordr\"\nfields = { order = { type = \"uuid\", required = true } }",
        "4:7: the key `ordr` is not a member: did you mean `order`?",
    ),
    (
        "[events.own]\nkey = \"order\"\nfields = { order = { type = \"uuid\" } }",
        "4:7: `order` cannot be the key: a key is a required sku, text or uuid that is not personal",
    ),
    (
        "[events.hold-granted]\nby = [\"source\"]",
        "4:1: unknown key `by` in [events.hold-granted]: known here: description, fields, extra, version, upcasters",
    ),
    (
        "[events.own]\nversion = 2\nfields = { a = { type = \"text\" } }\nupcasters = [{ from = 1, to = 2, steps = [{ split = \"n\", by = \" \", into = [\"a\", \"b\"] }] }]",
        "6:43: the step splits into `b`, which its version does not have: compare with the members of version 2",
    ),
    (
        "[events.own]\nversion = 2\nfields = { a = { type = \"text\" }, b = { type = \"sku\" } }\nupcasters = [{ from = 1, to = 2, steps = [{ split = \"n\", by = \" \", into = [\"a\", \"b\"] }] }]",
        "6:43: the step splits into `b`, which is sku, not text: compare with the members of version 2",
    ),
    (
        "[events.own]\nversion = 2\nfields = { n = { type = \"text\" }, a = { type = \"text\" }, b = { type = \"text\" } }\nupcasters = [{ from = 1, to = 2, steps = [{ split = \"n\", by = \" \", into = [\"a\", \"b\"] }] }]",
        "6:43: the step splits `n`, which the later version still has: compare with the members of version 2",
    ),
    (
        "[events.hold-granted.extra]\nx = ",
        "4:5: string values must be quoted, expected literal string",
    ),
];

#[test]
fn diagnostics_name_file_line_reason_and_advice() {
    let mut wrong = Vec::new();
    for (below, expected) in REFUSED {
        let said = refuse(&format!("[schema]\nversion = 1\n{below}\n"));
        if said != format!("schema/a.toml:{expected}") {
            wrong.push(format!("{below}\n  said     {said}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn personal_members_need_somebody_they_are_about() {
    let said = |below: &str| refuse(&format!("[schema]\nversion = 1\n{below}\n"));
    let plain = "x = { type = \"text\", personal = true }";
    for event in ["product-put", "stock-moved", "price-changed", "coupon-put"] {
        let said = said(&format!("[events.{event}.extra]\n{plain}"));
        let expected = format!("schema/a.toml:4:1: `x` is personal, and {event} names no shopper");
        assert!(said.starts_with(&expected), "{said}");
    }
    let nested = "[events.stock-moved.extra.x]\ntype = \"group\"\nfields = { y = { type = \"list\", \
                  of = { type = \"group\", fields = { z = { type = \"text\", personal = true } } } } }";
    assert!(said(nested).contains("`x` is personal"), "{}", said(nested));
    assert!(
        said(&format!("[events.product-put.attributes]\n{plain}")).contains("names no shopper")
    );
    let built_in = "[events.order-started.fields]\nregion = { personal = true }";
    assert!(said(built_in).contains("the node works with `region`"), "{}", said(built_in));
    let own = "[events.return-received.fields]\nnote = { type = \"text\", personal = true }";
    assert!(said(own).contains("nobody is named"), "{}", said(own));
    for subject in ["nte", "note"] {
        let own = format!("[events.return-received]\nsubject = \"{subject}\"\n{own}");
        assert!(said(&own).contains("nobody is named"), "{}", said(&own));
    }
    for event in BuiltIn::ALL.into_iter().filter(|event| event.has_subject()) {
        let text = format!("[schema]\nversion = 1\n[events.{}.extra]\n{plain}\n", event.name());
        assert!(compile(&text).extra_type(event).fields.hold_personal(), "{}", event.name());
    }
}

#[test]
fn refusal_of_a_personal_member_names_nothing_of_a_person() {
    let schema = compile(
        "[schema]\nversion = 1\n[events.order-started.extra]\n\
         guests = { type = \"map\", of = \"integer\", personal = true }\n\
         open = { type = \"map\", of = \"integer\" }\n\
         [events.order-started.extra.contact]\ntype = \"group\"\npersonal = true\n\
         fields = { email = { type = \"text\", length_max = 3 } }\n",
    );
    let refused = |value| {
        let found = schema.extras(BuiltIn::OrderStarted, &members(value)).unwrap_err();
        assert!(!found.to_string().contains("Ada"), "{found}");
        found.path
    };
    assert_eq!(refused(json!({"guests": {"Ada": "x"}})), "guests");
    assert_eq!(refused(json!({"contact": {"email": "Ada L."}})), "contact.email");
    let open = schema.extras(BuiltIn::OrderStarted, &members(json!({"open": {"a": "x"}})));
    assert_eq!(open.unwrap_err().path, "open.a");
}

#[test]
fn everything_wrong_is_told_at_once_in_the_order_of_the_files() {
    let files = [
        file("b.toml", "[schema]\nversion = 0\n[events.a-b.fields]\n"),
        file("a.toml", "[events.a-b.fields]\nx = { type = \"nope\" }\ny = { type = \"no\" }\n"),
    ];
    let found = CompiledSchema::parse(&files).unwrap_err();
    let places: Vec<_> = found.iter().map(|d| (d.file.as_str(), d.line)).collect();
    assert_eq!(places, [("a.toml", 2), ("a.toml", 3), ("b.toml", 2), ("b.toml", 3)]);
    assert!(found[3].reason.contains("declared twice"));
    assert_eq!(
        lines(&CompiledSchema::parse(&[]).unwrap_err()),
        "schema/:1:1: no file says which version of the schema this is: add `[schema]` with \
         `version = 1` to one of the files"
    );
    let two = [file("a", "[schema]\nversion = 1"), file("b", "[schema]\nversion = 1")];
    assert!(lines(&CompiledSchema::parse(&two).unwrap_err()).starts_with("b:2:11: the schema's"));
}

#[test]
fn built_in_bounds_equal_the_limits_of_the_system() {
    let schema = compile("[schema]\nversion = 1\n");
    let kind =
        |event, member: &str| schema.built_in_members(event).declared(member).unwrap().kind.clone();
    let integer = |min: i64, max: u64| Kind::Integer { min, max: i64::try_from(max).unwrap() };
    let units = integer(1, limits::QUANTITY_MAX.into());
    let lines = |kind| {
        let Kind::List { count_min, count_max, .. } = kind else { panic!("not a list") };
        (count_min, count_max)
    };
    for event in [BuiltIn::HoldGranted, BuiltIn::OrderStarted] {
        assert_eq!(kind(event, "items.quantity"), units);
        assert_eq!(lines(kind(event, "items")), (1, limits::LINES_MAX));
    }
    let minimum = i64::try_from(limits::HOLD_TTL_MS_MIN).unwrap();
    for event in [BuiltIn::HoldGranted, BuiltIn::HoldExtended] {
        assert_eq!(kind(event, "ttl_ms"), integer(minimum, limits::HOLD_TTL_MS_MAX));
    }
    let stock = i64::try_from(limits::STOCK_MAX).unwrap();
    assert_eq!(kind(BuiltIn::StockMoved, "delta"), integer(-stock, limits::STOCK_MAX));
    assert_eq!(kind(BuiltIn::CouponPut, "uses_max"), integer(0, limits::COUPON_USES_MAX));
    assert_eq!(
        kind(BuiltIn::ProductPut, "price"),
        Kind::Money { min: 0, max: limits::PRICE_MAX, currencies: Vec::new() }
    );
    let text = |kind| {
        let Kind::Text { length_max, .. } = kind else { panic!("not text") };
        length_max
    };
    assert_eq!(text(kind(BuiltIn::ProductPut, "name")), limits::NAME_BYTES_MAX);
    assert_eq!(text(kind(BuiltIn::StockMoved, "reason")), limits::REASON_BYTES_MAX);
    assert_eq!(text(kind(BuiltIn::CartCreated, "session")), limits::SESSION_BYTES_MAX);
}

#[test]
fn number_that_was_stored_is_stored_alike_when_it_is_read_again() {
    for number in ["1.1844674407370957e+20", "5e-324", "0.1", "1.7976931348623157e308"] {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let stored = canonical_json(&read(number));
        assert_eq!(canonical_json(&read(&stored)), stored, "{number}");
        assert_eq!(read(&stored).as_f64(), number.parse().ok(), "{number}");
    }
}
