//! Bodies and paths: what becomes of good ones, and the precise problem of each bad one.

use claw_common::id::ShardId;
use claw_core::command::{AuthMode, Basket, CouponValue};
use claw_core::schema::SchemaFile;
use proptest::prelude::*;

use super::*;
use crate::ingest::http::{Connection, Event, Flow, Timeouts};
use crate::ingest::problem::Member;
use crate::ingest::routes::{Role, Routing, find_route};
use crate::ingest::scopes::Scopes;

const SETTINGS: Settings = Settings {
    shards_count: 2,
    hold_ttl_ms_default: 60_000,
    checkout_ttl_ms: 30_000,
    takes_payments: false,
};
const CALLER: Caller<'static> = Caller {
    key: 1,
    name: "operator",
    role: Role::Operator,
    auth_mode: AuthMode::Ed25519,
    session: None,
    scopes: Scopes::NONE,
};
const KEY: &str = "00000000-0000-4000-8000-000000000001";
const HOLD: &str = "018f0000-0000-7000-8000-000000000001";

fn schema() -> CompiledSchema {
    let text = "[schema]\nversion = 1\n\n[events.hold-granted.extra]\n\
                gift = { type = \"boolean\" }\n\n[events.product-put.attributes]\n\
                color = { type = \"text\", length_max = 16 }\n";
    let file = SchemaFile { name: "schema.toml".to_owned(), text: text.to_owned() };
    CompiledSchema::parse(&[file]).unwrap()
}

/// Decodes a request of the form `METHOD target`, with further header lines and a body.
fn try_decode<R>(
    line: &str,
    headers: &str,
    body: &[u8],
    then: impl FnOnce(&Routed<'_>) -> R,
) -> Result<R, Problem> {
    let schema = schema();
    let mut bytes =
        format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    let mut then = Some(then);
    let mut result = None;
    Connection::new(0, Timeouts::default()).ingest(&bytes, 0, &mut |event| {
        let Event::Request(request) = event else { panic!("{event:?}") };
        let Routing::Found(matched) = find_route(request.method, request.path) else {
            panic!("no route: {line}")
        };
        let settings = &SETTINGS;
        let caller = &CALLER;
        let input = Input { request, matched, caller, schema: &schema, settings, now_ms: 1_000 };
        result = Some(decode(&input, &mut Scratch::default(), then.take().unwrap()));
        Flow::Continue
    });
    result.unwrap()
}

fn with_key(line: &str, body: &str) -> Result<String, Problem> {
    try_decode(line, &format!("Idempotency-Key: {KEY}\r\n"), body.as_bytes(), |routed| {
        format!("{:?} {:?} {:?}", routed.target, routed.command, str::from_utf8(routed.extra))
    })
}

fn member<'p>(problem: &'p Problem, name: &str) -> Option<&'p Member> {
    problem.members.iter().find(|member| member.0 == name).map(|member| &member.1)
}

#[test]
fn holds_sum_demand_and_go_to_the_shard_of_their_first_sku() {
    let body = r#"{"items":[{"sku":"b","quantity":1},{"quantity":2,"sku":"a"},
        {"sku":"b","quantity":3}],"session":"s","ttl_ms":500,"gift":true}"#;
    let headers = format!("Idempotency-Key: \"{KEY}\"\r\nClaw-After: 1:7\r\n");
    try_decode("POST /v1/holds", &headers, body.as_bytes(), |routed| {
        let Command::CreateHold { session, lines, ttl_ms } = routed.command else { panic!() };
        assert_eq!((session, ttl_ms), ("s", 500));
        let lines: Vec<_> = lines.iter().map(|line| (line.sku, line.quantity)).collect();
        assert_eq!(lines, [("a", 2), ("b", 4)]);
        assert_eq!(routed.target, Target::Shard(shard_of_key("a", 2)));
        assert_eq!(routed.extra, br#"{"gift":true}"#);
        assert_eq!(routed.after, [Position { shard: ShardId(1), sequence: 7 }]);
        assert_ne!(routed.identity, CommandKey::default());
    })
    .unwrap();
}

#[test]
fn request_without_a_body_takes_the_white_space_of_json_and_no_other() {
    for body in ["", " \t\r\n", "{}", "\n {}\r\n"] {
        assert!(with_key("GET /v1/products/a", body).is_ok(), "{body:?}");
    }
    for body in ["\u{c}", "\u{c}{}", "{}\u{b}", "{ }", "[]", "{}{}"] {
        let problem = with_key("GET /v1/products/a", body).unwrap_err();
        assert_eq!(problem.detail, "this request has no body", "{body:?}");
    }
}

#[test]
fn every_route_makes_its_command() {
    let order = format!("/v1/orders/{HOLD}");
    let rows = [
        (
            "PUT /v1/products/a",
            r#"{"name":"\u00e9","price":{"amount":1,"currency":"EUR"},
            "attributes":{"color":"red"}}"#,
            "PutProduct",
        ),
        ("GET /v1/products/a", "", "ReadProduct"),
        ("GET /v1/products?limit=3", "", "ListProducts"),
        ("POST /v1/products/a/stock", r#"{"delta":-3,"reason":"broken"}"#, "MoveStock"),
        ("POST /v1/products/a/price", r#"{"price":{"currency":"EUR","amount":1}}"#, "ChangePrice"),
        ("GET /v1/coupons/a", "", "ReadCoupon"),
        ("POST /v1/carts", r#"{"session":"s"}"#, "CreateCart"),
        (&format!("PUT /v1/carts/{HOLD}/items/a"), r#"{"quantity":2}"#, "PriceThen"),
        (&format!("PUT /v1/carts/{HOLD}/items/a"), r#"{"quantity":0}"#, "Shard(ShardId(1))"),
        (&format!("GET /v1/carts/{HOLD}"), "", "ReadCart"),
        (&format!("GET /v1/holds/{HOLD}"), "", "ReadHold"),
        (&format!("DELETE /v1/holds/{HOLD}"), "", "ReleaseHold"),
        (&format!("POST /v1/holds/{HOLD}/extend"), r#"{"ttl_ms":500}"#, "ExtendHold"),
        (&format!("GET {order}"), "", "ReadOrder"),
        (&format!("POST {order}/cancel"), "", "Cancel"),
        (&format!("POST {order}/ship"), "{}", "Ship"),
        (&format!("POST {order}/refund"), "", "Refund"),
    ];
    for (line, body, expected) in rows {
        let seen = with_key(line, body).unwrap_or_else(|problem| panic!("{line}: {problem:?}"));
        assert!(seen.contains(expected), "{line}: {seen}");
    }
    let seen = with_key(rows[0].0, rows[0].1).unwrap();
    assert!(seen.contains("name: \"\u{e9}\"") && seen.contains("color"), "{seen}");
}

#[test]
fn checkouts_name_one_basket_and_may_wait() {
    let rows = [
        (format!(r#"{{"session":"s","hold_id":"{HOLD}"}}"#), "Shard(ShardId(1))"),
        (format!(r#"{{"session":"s","cart_id":"{HOLD}"}}"#), "basket: Cart"),
        (
            r#"{"session":"s","items":[{"sku":"a","quantity":1}],"coupon":"TEN","region":"DE",
            "ship_to":{"b":1,"a":[]}}"#
                .to_owned(),
            r#"ship_to: "{\"a\":[],\"b\":1}""#,
        ),
    ];
    for (body, expected) in &rows {
        let seen = with_key("POST /v1/checkouts", body).unwrap();
        assert!(seen.contains(expected), "{seen}");
    }
    let headers = format!("Idempotency-Key: {KEY}\r\nPrefer: wait=2\r\n");
    try_decode("POST /v1/checkouts", &headers, rows[0].0.as_bytes(), |routed| {
        let Command::Checkout { basket, wait_until_ms, ttl_ms, .. } = routed.command else {
            panic!()
        };
        assert_eq!((wait_until_ms, ttl_ms), (3_000, 30_000));
        assert!(matches!(basket, Basket::Hold(_)));
    })
    .unwrap();
}

#[test]
fn coupons_are_worth_what_they_say() {
    let body = r#"{"kind":"percent","value":1000,"uses_max":5,"currency":"EUR",
        "starts_at":"2026-01-01T00:00:00Z","ends_at":"2026-01-02T00:00:00.000Z","subtotal_min":9}"#;
    let headers = format!("Idempotency-Key: {KEY}\r\n");
    try_decode("PUT /v1/coupons/TEN", &headers, body.as_bytes(), |routed| {
        let Command::PutCoupon { code, terms } = routed.command else { panic!() };
        assert_eq!((code, terms.value), ("TEN", CouponValue::Percent(1000)));
        assert_eq!(terms.starts_at, Some(1_767_225_600_000));
    })
    .unwrap();
}

const HOLDS: &str = "POST /v1/holds";
const PRODUCT: &str = "PUT /v1/products/a";
const COUPON: &str = "PUT /v1/coupons/a";
const CHECKOUTS: &str = "POST /v1/checkouts";

/// Request, body, and the path that is refused.
const AGAINST_THE_SCHEMA: &[(&str, &str, &str)] = &[
    (HOLDS, r#"{"items":[{"sku":"a","quantity":1}]}"#, "session"),
    (HOLDS, r#"{"session":"s"}"#, "items"),
    (HOLDS, r#"{"session":"s","items":[]}"#, "items"),
    (HOLDS, r#"{"session":"s","items":{}}"#, "items"),
    (HOLDS, r#"{"session":"s","items":[1]}"#, "items[0]"),
    (HOLDS, r#"{"session":"s","items":[{"sku":"a"}]}"#, "items[0].quantity"),
    (HOLDS, r#"{"session":"s","items":[{"sku":"a","quantity":0}]}"#, "items[0].quantity"),
    (HOLDS, r#"{"session":"s","items":[{"sku":"a","quantity":1.5}]}"#, "items[0].quantity"),
    (HOLDS, r#"{"session":"s","items":[{"sku":"a","quantity":"1"}]}"#, "items[0].quantity"),
    (
        HOLDS,
        r#"{"session":"s","items":[{"sku":"a","quantity":1},{"sku":"a b","quantity":1}]}"#,
        "items[1].sku",
    ),
    (HOLDS, r#"{"session":"s","items":[{"sku":"a","quantity":1,"color":1}]}"#, "items[0].color"),
    (HOLDS, r#"{"session":"a b","items":[{"sku":"a","quantity":1}]}"#, "session"),
    (HOLDS, r#"{"session":"s","items":[{"sku":"a","quantity":1}],"ttl_ms":99}"#, "ttl_ms"),
    (HOLDS, r#"{"session":"s","items":[{"sku":"a","quantity":1}],"gift":1}"#, "gift"),
    (HOLDS, r#"{"session":"s","sesion":"t"}"#, "sesion"),
    (HOLDS, r#"{"session":"s","session":"t"}"#, "session"),
    (PRODUCT, r#"{"name":"","price":{"amount":1,"currency":"EUR"}}"#, "name"),
    (PRODUCT, r#"{"name":"n","price":{"amount":-1,"currency":"EUR"}}"#, "price"),
    (PRODUCT, r#"{"name":"n","price":{"amount":1,"currency":"eur"}}"#, "price.currency"),
    (PRODUCT, r#"{"name":"n","price":{"amount":1}}"#, "price.currency"),
    (PRODUCT, r#"{"name":"n","price":7}"#, "price"),
    (
        PRODUCT,
        r#"{"name":"n","price":{"amount":99999999999999999999,"currency":"EUR"}}"#,
        "price.amount",
    ),
    (
        PRODUCT,
        r#"{"name":"n","price":{"amount":1,"currency":"EUR"},"attributes":{"size":1}}"#,
        "attributes.size",
    ),
    ("PUT /v1/products/a%20b", r#"{"name":"n","price":{"amount":1,"currency":"EUR"}}"#, "sku"),
    ("POST /v1/products/a/stock", r#"{"delta":0,"reason":"r"}"#, "delta"),
    (COUPON, r#"{"kind":"half","value":1,"uses_max":1}"#, "kind"),
    (COUPON, r#"{"kind":"percent","value":10001,"uses_max":1}"#, "value"),
    (COUPON, r#"{"kind":"amount","value":1,"uses_max":1}"#, "currency"),
    (COUPON, r#"{"kind":"percent","value":1,"uses_max":-1}"#, "uses_max"),
    (COUPON, r#"{"kind":"percent","value":1,"uses_max":1,"starts_at":"soon"}"#, "starts_at"),
    (
        COUPON,
        r#"{"kind":"percent","value":1,"uses_max":1,"starts_at":"2026-01-02T00:00:00Z",
            "ends_at":"2026-01-01T00:00:00Z"}"#,
        "ends_at",
    ),
    (CHECKOUTS, r#"{"session":"s"}"#, "hold_id"),
    (CHECKOUTS, r#"{"session":"s","hold_id":"x"}"#, "hold_id"),
    (
        CHECKOUTS,
        r#"{"session":"s","items":[{"sku":"a","quantity":1}],"payment":{"token":"t"}}"#,
        "payment",
    ),
    (
        CHECKOUTS,
        r#"{"session":"s","cart_id":"018f0000-0000-7000-8000-000000000001",
            "items":[{"sku":"a","quantity":1}]}"#,
        "items",
    ),
    (
        CHECKOUTS,
        r#"{"session":"s","items":[{"sku":"a","quantity":1}],"ship_to":"home"}"#,
        "ship_to",
    ),
    (
        CHECKOUTS,
        r#"{"session":"s","items":[{"sku":"a","quantity":1}],"ship_to":{"a":1,"a":2}}"#,
        "ship_to.a",
    ),
];

#[test]
fn bodies_against_the_schema_are_refused_with_the_path() {
    for &(line, body, path) in AGAINST_THE_SCHEMA {
        let problem = with_key(line, body).expect_err(body);
        assert_eq!(problem.kind, ProblemKind::Schema, "{body}: {problem:?}");
        let expected = Member::Text(path.to_owned());
        assert_eq!(member(&problem, "path"), Some(&expected), "{body}: {}", problem.detail);
        assert!(problem.detail.contains(path), "{}", problem.detail);
    }
    let problem = with_key(HOLDS, r#"{"sesion":"t"}"#).unwrap_err();
    assert_eq!(member(&problem, "suggestion"), Some(&Member::Text("session".to_owned())));
}

#[test]
fn what_cannot_be_read_is_malformed_with_its_place() {
    let problem = with_key("POST /v1/holds", "{\n  \"session\": }").unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Malformed);
    assert_eq!(member(&problem, "line"), Some(&Member::Number(2)));
    assert_eq!(member(&problem, "column"), Some(&Member::Number(14)));
    for (line, body) in [
        ("POST /v1/holds", ""),
        ("POST /v1/holds", "[]x"),
        ("POST /v1/holds?a=1", "{}"),
        ("GET /v1/products/a", "{\"a\":1}"),
        ("GET /v1/products?page=1", ""),
        ("PUT /v1/products/a", "\u{feff}{}"),
    ] {
        let problem = with_key(line, body).expect_err(line);
        assert_eq!(problem.kind, ProblemKind::Malformed, "{line} {body}");
    }
    let key = format!("Idempotency-Key: {KEY}\r\n");
    for headers in ["Content-Type: text/xml\r\n", "Claw-After: x\r\n"] {
        let headers = format!("{key}{headers}");
        let problem = try_decode("POST /v1/holds", &headers, b"{}", |_| ()).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Malformed, "{headers}");
    }
    let problem = try_decode("POST /v1/holds", &key, b"{\"a\":\"\xff\"}", |_| ()).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Malformed);
}

#[test]
fn unsafe_requests_need_a_key_and_ids_of_elsewhere_are_not_found() {
    for headers in ["", "Idempotency-Key: 7\r\n"] {
        let problem = try_decode("POST /v1/holds", headers, b"{}", |_| ()).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::IdempotencyKeyMissing);
    }
    for path in ["/v1/holds/x", "/v1/holds/018f0000-0000-7000-8000-000000000002"] {
        let problem = with_key(&format!("GET {path}"), "").unwrap_err();
        assert_eq!(problem.kind, ProblemKind::NotFound, "{path}");
    }
}

#[test]
fn identity_differs_in_route_parameter_and_key_and_digest_in_the_body() {
    let identity = |line: &str, key: &str, body: &str| {
        let headers = format!("Idempotency-Key: {key}\r\n");
        try_decode(line, &headers, body.as_bytes(), |routed| routed.identity).unwrap()
    };
    let (line, body) = ("POST /v1/products/a/stock", r#"{"delta":1,"reason":"x"}"#);
    let first = identity(line, KEY, body);
    assert_eq!(first, identity(line, KEY, body));
    let other = identity(line, KEY, r#"{"delta":2,"reason":"x"}"#);
    assert_eq!((first.key, first.digest == other.digest), (other.key, false));
    assert_ne!(first.key, identity("POST /v1/products/b/stock", KEY, body).key);
    assert_ne!(first.key, identity(line, HOLD, body).key);
}

proptest! {
    #[test]
    fn arbitrary_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..80)) {
        for line in ["POST /v1/holds", "POST /v1/checkouts", "PUT /v1/products/a"] {
            let headers = format!("Idempotency-Key: {KEY}\r\n");
            prop_assert!(try_decode(line, &headers, &body, |_| ()).is_err());
        }
    }
}
