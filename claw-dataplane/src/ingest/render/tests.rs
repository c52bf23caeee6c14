//! Answers as clients see them: every outcome, every refusal, heads and lists.

use std::borrow::Cow;

use claw_common::id::{Id, ShardId};
use claw_common::money::{Currency, Money};
use claw_core::codec::{Decode as _, Encode, Reader, Writer};
use claw_core::command::{CouponTerms, CouponValue};
use claw_core::lines::LinesBuffer;
use claw_core::outcome::{
    CancelReason, CartView, CouponView, HoldState, HoldView, Missing, OrderView, ProductView,
    Refusal,
};
use claw_core::schema::{CompiledSchema, SchemaFile};
use serde_json::{Value, json};

use super::*;
use crate::ingest::decode::Settings;
use crate::ingest::metrics::IngestMetrics;
use crate::ingest::routes::ROUTES;

const AT_MS: u64 = 1_767_225_600_123;
const AT: &str = "2026-01-01T00:00:00.123Z";

fn encoded(outcome: &Outcome<'_>) -> Vec<u8> {
    let mut bytes = vec![0; outcome.encoded_bytes_max()];
    let mut writer = Writer::new(&mut bytes);
    outcome.encode(&mut writer);
    let written = writer.written();
    bytes.truncate(written);
    bytes
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

fn parse(status: u16, bytes: &[u8]) -> Answer {
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    if status != 204 {
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    }
    let body = serde_json::from_str(body).unwrap_or_default();
    Answer { status, head: head.to_owned(), body }
}

fn store_schema() -> CompiledSchema {
    let text =
        "[schema]\nversion = 1\n[events.product-put.attributes]\ncolor = {type = \"text\"}\n";
    let file = SchemaFile { name: "schema/a.toml".to_owned(), text: text.to_owned() };
    CompiledSchema::parse(&[file]).unwrap()
}

/// What is shown is what the interface's description says is shown.
fn assert_described(route: Route, answer: &Answer) {
    let document = crate::ingest::openapi::describe(&store_schema(), &settings());
    let spec = route.spec();
    let operation = &document["paths"][spec.template][spec.method.to_ascii_lowercase()];
    let response = &operation["responses"][answer.status.to_string()];
    let content = response["content"].as_object().unwrap().values().next().unwrap();
    fits(&document, &content["schema"], &answer.body);
    for (name, header) in response["headers"].as_object().unwrap() {
        let header = resolve(&document, header);
        let sent = answer.head.contains(&format!("\r\n{name}: "));
        assert!(sent || header["required"] != true, "{name} is missing: {}", answer.head);
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
    target.map_or(schema, |pointer| document.pointer(pointer).unwrap())
}

/// Every member shown is described, and every member required is shown.
fn fits(document: &Value, schema: &Value, shown: &Value) {
    let schema = resolve(document, schema);
    if let Some(kinds) = schema["oneOf"].as_array() {
        let kind = kinds.iter().find(|kind| {
            let kind = resolve(document, kind);
            let named = &kind["properties"]["type"]["const"];
            if shown.is_null() { kind["type"] == "null" } else { named == &shown["type"] }
        });
        return fits(document, kind.unwrap_or_else(|| panic!("{shown} is no {schema}")), shown);
    }
    match shown {
        Value::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(name.as_str().unwrap()), "{name} in {shown}");
            }
            for (name, member) in members {
                let described = schema["properties"].get(name);
                let described = described.unwrap_or_else(|| panic!("{name} is not described"));
                fits(document, described, member);
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                fits(document, &schema["items"], entry);
            }
        }
        Value::String(text) => {
            let words = schema["enum"].as_array();
            assert!(words.is_none_or(|words| words.contains(shown)), "{text} in {schema}");
            assert_eq!(schema["type"], "string", "{text}");
        }
        Value::Number(_) => assert_eq!(schema["type"], "integer"),
        Value::Null | Value::Bool(_) => panic!("{shown} as {schema}"),
    }
}

fn answer(outcome: &Outcome<'_>, context: ReplyContext) -> Answer {
    let mut out = Vec::new();
    let position = Position { shard: ShardId(1), sequence: 42 };
    let bytes = encoded(outcome);
    let status = Renderer::default().outcome(&mut out, context, &bytes, &[position]).unwrap();
    let answer = parse(status, &out);
    assert!(answer.head.contains("\r\nClaw-Position: 1:42"), "{}", answer.head);
    if let Some(route) = context.route {
        assert_described(route, &answer);
    }
    answer
}

fn of(route: Route) -> ReplyContext {
    ReplyContext { route: Some(route), ..ReplyContext::default() }
}

fn eur() -> Currency {
    Currency::parse("EUR").unwrap()
}

fn product(sku: &str) -> ProductView<'_> {
    ProductView {
        created: true,
        sku,
        name: "Claw \"S\"",
        price: Money { amount: 1999, currency: eur() },
        attributes: "{\"color\":\"red\"}",
        attributes_version: 1,
        received: 10,
        removed: 1,
        held: 2,
        sold: 3,
        version: 7,
    }
}

fn id() -> Id {
    Id::parse("018f0000-0000-7000-8000-000000000001").unwrap()
}

#[test]
fn products_show_their_stock_and_version() {
    let view = product("a");
    let made = answer(&Outcome::Product(view), of(Route::ProductPut));
    assert_eq!(made.status, 201);
    assert!(made.head.contains("\r\nETag: \"7\""));
    let expected = json!({"sku": "a", "name": "Claw \"S\"",
        "price": {"amount": 1999, "currency": "EUR"}, "received": 10, "removed": 1, "on_hand": 6,
        "held": 2, "sold": 3, "available": 4, "version": 7, "attributes": {"color": "red"}});
    assert_eq!(made.body, expected);
    let again = ProductView { created: false, attributes: "", ..view };
    assert_eq!(answer(&Outcome::Product(again), of(Route::ProductPut)).status, 200);
}

#[test]
fn product_read_over_the_wire_has_the_shape_of_today_and_the_code_of_the_protocol() {
    let text = "[schema]\nversion = 2\n[events.product-put]\nversion = 2\n\
                upcasters = [{ from = 1, to = 2, steps = [\n\
                { rename = \"attributes.color\", to = \"attributes.colour\" }] }]\n\
                [events.product-put.attributes]\ncolour = { type = \"text\" }\n";
    let file = SchemaFile { name: "schema/a.toml".to_owned(), text: text.to_owned() };
    let schema = CompiledSchema::parse(&[file]).unwrap();
    let written = product("a");
    for (version, shown) in [(1, "{\"colour\":\"red\"}"), (2, written.attributes)] {
        let kept =
            encoded(&Outcome::Product(ProductView { attributes_version: version, ..written }));
        let expected = ProductView { attributes: shown, attributes_version: 0, ..written };
        let said = today::outcome_today(&schema, &kept).unwrap();
        assert_eq!(*said, encoded(&Outcome::Product(expected)));
        assert_eq!(said[0], 1, "the protocol's own code of a product");
    }
    // What is remembered of a command goes out as it is, byte for byte.
    let remembered = encoded(&Outcome::Product(ProductView { attributes_version: 0, ..written }));
    let said = today::outcome_today(&schema, &remembered).unwrap();
    assert!(matches!(said, Cow::Borrowed(said) if said == remembered));
}

#[test]
fn holds_carts_and_coupons_are_as_the_interface_says() {
    let mut buffer = LinesBuffer::default();
    buffer.add("a", 2, 150).unwrap();
    buffer.add("b", 1, 50).unwrap();
    let lines = buffer.lines();
    let items = json!([
        {"sku": "a", "quantity": 2, "unit_price": {"amount": 150, "currency": "EUR"}},
        {"sku": "b", "quantity": 1, "unit_price": {"amount": 50, "currency": "EUR"}}]);
    let hold = HoldView {
        created: true,
        hold: id(),
        state: HoldState::Active,
        lines,
        currency: eur(),
        expires_at_ms: AT_MS,
    };
    let made = answer(&Outcome::Hold(hold), of(Route::HoldCreate));
    assert_eq!(made.status, 201);
    assert!(made.head.contains(&format!("\r\nLocation: /v1/holds/{}", id())));
    assert_eq!(
        made.body,
        json!({"hold_id": id().to_string(), "state": "active", "items": items, "expires_at": AT})
    );
    let cart = CartView { cart: id(), lines, currency: Some(eur()) };
    let shown = answer(&Outcome::Cart(cart), of(Route::CartRead));
    let subtotal = json!({"amount": 350, "currency": "EUR"});
    assert_eq!(
        shown.body,
        json!({"cart_id": id().to_string(), "items": items, "subtotal": subtotal})
    );
    let made = answer(&Outcome::CartCreated { cart: id() }, of(Route::CartCreate));
    assert_eq!((made.status, made.body), (201, json!({"cart_id": id().to_string()})));
    let coupon = CouponView {
        created: false,
        code: "TEN",
        terms: CouponTerms {
            value: CouponValue::Percent(1000),
            uses_max: 5,
            currency: None,
            starts_at: Some(AT_MS),
            ends_at: None,
            subtotal_min: Some(1),
        },
        uses: 2,
    };
    let shown = answer(&Outcome::Coupon(coupon), of(Route::CouponRead));
    assert_eq!(
        shown.body,
        json!({"code": "TEN", "kind": "percent", "value": 1000, "uses_max": 5, "uses": 2,
            "starts_at": AT, "subtotal_min": 1})
    );
}

#[test]
fn checkouts_answer_at_once_or_with_the_whole_order_when_asked_to_wait() {
    let mut history = Vec::new();
    for state in [OrderState::Reserving, OrderState::Cancelled] {
        history.push(state as u8);
        history.extend_from_slice(&AT_MS.to_le_bytes());
    }
    let mut buffer = LinesBuffer::default();
    buffer.add("a", 1, 100).unwrap();
    let view = OrderView {
        order: id(),
        state: OrderState::Cancelled,
        lines: buffer.lines(),
        currency: eur(),
        subtotal: 100,
        discount: 10,
        tax: 0,
        total: 90,
        reason: Some(CancelReason::SoldOut),
        history: &history,
        client_secret: "",
    };
    let outcome = Outcome::Order(view);
    let checkout = of(Route::CheckoutCreate);
    let at_once = answer(&outcome, checkout);
    assert_eq!(at_once.status, 202);
    assert!(at_once.head.contains(&format!("\r\nLocation: /v1/orders/{}", id())));
    assert_eq!(at_once.body, json!({"order_id": id().to_string(), "state": "cancelled"}));
    let waited = answer(&outcome, ReplyContext { waited: true, ..checkout });
    assert_eq!(waited.status, 200);
    assert_eq!(waited.body["reason"], "sold-out");
    assert_eq!(waited.body["total"], json!({"amount": 90, "currency": "EUR"}));
    assert_eq!(waited.body["history"][1], json!({"at": AT, "state": "cancelled"}));
    let open = Outcome::Order(OrderView { state: OrderState::Confirming, ..view });
    assert_eq!(answer(&open, ReplyContext { waited: true, ..checkout }).status, 202);
    assert_eq!(answer(&open, of(Route::OrderRead)).status, 200);
    let must_act =
        OrderView { state: OrderState::RequiresAction, client_secret: "pi_1_secret_2", ..view };
    let must_act = Outcome::Order(must_act);
    let read = answer(&must_act, of(Route::OrderRead));
    assert_eq!(read.body["client_secret"], "pi_1_secret_2");
    let carried = today::outcome_today(&store_schema(), &encoded(&must_act)).unwrap().into_owned();
    let without = Outcome::decode(&mut Reader::new(&carried)).unwrap();
    assert!(matches!(without, Outcome::Order(view) if view.client_secret.is_empty()));
}

#[test]
fn every_refusal_of_the_core_has_its_status_name_and_members() {
    let sold_out = Refusal::SoldOut { sku: "a", requested: 3, available: 1 };
    let rows = [
        (Refusal::WindowFull, 503, "overloaded", json!({})),
        (Refusal::CapacityFull { slab: "holds" }, 503, "capacity-full", json!({"slab": "holds"})),
        (Refusal::StillDeciding, 503, "still-deciding", json!({})),
        (Refusal::IdempotencyMismatch, 422, "idempotency-mismatch", json!({})),
        (Refusal::NotFound(Missing::Hold), 404, "not-found", json!({})),
        (Refusal::VersionMismatch { version: 3 }, 412, "version-mismatch", json!({"version": 3})),
        (Refusal::UnknownSku { sku: "a" }, 404, "unknown-sku", json!({"sku": "a"})),
        (Refusal::CurrencyMixed, 409, "currency-mixed", json!({})),
        (Refusal::Empty, 409, "empty", json!({})),
        (Refusal::LinesAboveMax, 409, "lines-above-max", json!({})),
        (
            Refusal::StockNegative { sku: "a", available: 2 },
            409,
            "stock-negative",
            json!({"available": 2}),
        ),
        (Refusal::CouponUsesBelowUsed { uses: 4 }, 409, "coupon-uses", json!({"uses": 4})),
        (sold_out, 409, "sold-out", json!({"sku": "a", "requested": 3, "available": 1})),
        (Refusal::HoldSold, 409, "hold-sold", json!({})),
        (
            Refusal::HoldNotActive { state: HoldState::Expired },
            409,
            "hold-not-active",
            json!({"state": "expired"}),
        ),
        (
            Refusal::OrderState { state: OrderState::Shipped },
            409,
            "order-state",
            json!({"state": "shipped"}),
        ),
    ];
    for (refusal, status, name, members) in rows {
        let kind = refusal::kind_of(&refusal);
        let route = ROUTES.iter().find(|spec| may_refuse(spec.route, kind)).expect("some route");
        let answer = answer(&Outcome::Refused(refusal), of(route.route));
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.body["type"], format!("urn:openclaw:problem:{name}"));
        assert_eq!(answer.body["status"], status);
        assert!(answer.body["title"].is_string() && answer.body["detail"].is_string());
        for (member, value) in members.as_object().unwrap() {
            assert_eq!(&answer.body[member], value, "{name}");
        }
        assert!(answer.head.contains("application/problem+json"), "{}", answer.head);
        assert_eq!(answer.head.contains("Retry-After: "), status == 503, "{name}");
    }
}

#[test]
fn lists_merge_the_shards_pages_and_say_where_to_go_on() {
    let page = |skus: &[&str], more| {
        let mut views = Vec::new();
        for sku in skus {
            let view = product(sku);
            let mut bytes = vec![0; 4096];
            let mut writer = Writer::new(&mut bytes);
            view.encode_whole(&mut writer);
            let written = writer.written();
            views.extend_from_slice(&bytes[..written]);
        }
        let count = u16::try_from(skus.len()).unwrap();
        encoded(&Outcome::Products { count, views: &views, more })
    };
    let (first, second) = (page(&["a", "d"], true), page(&["b", "c"], false));
    let render = |limit| {
        let mut out = Vec::new();
        let pages: [&[u8]; 2] = [&first, &second];
        let context = of(Route::ProductList);
        let status = Renderer::default().products(&mut out, context, &pages, limit).unwrap();
        let body = parse(status, &out).body;
        let skus: Vec<_> =
            body["products"].as_array().unwrap().iter().map(|p| p["sku"].clone()).collect();
        (skus, body["next"].as_str().map(str::to_owned))
    };
    assert_eq!(render(2), (vec![json!("a"), json!("b")], Some("Yg".to_owned())));
    assert_eq!(render(4).1.as_deref(), Some("ZA"), "the first shard has more");
    let only: [&[u8]; 1] = [&second];
    let mut out = Vec::new();
    Renderer::default().products(&mut out, of(Route::ProductList), &only, 2).unwrap();
    assert_eq!(parse(200, &out).body.get("next"), None);
}

#[test]
fn problems_carry_their_members_and_close_when_told_to() {
    let mut renderer =
        Renderer::new(vec!["https://shop.example".to_owned()], Description::default());
    assert_eq!(renderer.origin(Some("https://evil.example")), None);
    let origin = renderer.origin(Some("https://shop.example"));
    let context = ReplyContext { close: true, origin, ..ReplyContext::default() };
    let mut out = Vec::new();
    let problem = Problem::schema("items[0].sku", "`items[0].sku` must be a SKU");
    let status = renderer.problem(&mut out, context, &problem);
    let answer = parse(status, &out);
    assert_eq!((answer.status, &answer.body["path"]), (422, &json!("items[0].sku")));
    assert!(answer.head.contains("\r\nConnection: close"));
    assert!(answer.head.contains("\r\nAccess-Control-Allow-Origin: https://shop.example"));
    out.clear();
    let problem =
        crate::ingest::unrouted(&crate::ingest::routes::Routing::OtherMethods, "/v1/holds");
    renderer.problem(&mut out, ReplyContext::default(), &problem);
    assert!(parse(405, &out).head.contains("\r\nAllow: OPTIONS, POST"));
    out.clear();
    let problem = Problem::new(ProblemKind::RateLimited, "slow down").text("limit", "key");
    renderer.problem(&mut out, ReplyContext::default(), &problem);
    assert!(parse(429, &out).head.contains("\r\nRetry-After: 1"));
}

#[test]
fn unsigned_pages_answer() {
    let mut renderer = Renderer::new(Vec::new(), Description::of(&store_schema(), &settings()));
    let context = ReplyContext::default();
    let mut out = Vec::new();
    assert_eq!(renderer.health(&mut out, context), 200);
    assert_eq!(renderer.ready(&mut out, context, None), 200);
    assert_eq!(renderer.ready(&mut out, context, Some("replaying the log")), 503);
    out.clear();
    assert_eq!(renderer.preflight(&mut out, context, "/v1/holds"), 204);
    let head = parse(204, &out).head;
    assert!(
        head.contains("\r\nAllow: OPTIONS, POST") && !head.contains("Access-Control"),
        "{head}"
    );
    out.clear();
    assert_eq!(renderer.open_api(&mut out, context), 200);
    assert_eq!(parse(200, &out).body["openapi"], "3.1.0");
    out.clear();
    assert_eq!(renderer.docs(&mut out, context), 200);
    let page = parse(200, &out);
    assert!(page.head.contains("\r\nContent-Type: text/html; charset=utf-8\r\n"), "{}", page.head);
    assert!(page.head.contains("\r\nContent-Security-Policy: default-src 'none'; "));
    let mut metrics = IngestMetrics::default();
    metrics.answered(Some(Route::HoldCreate), 201);
    metrics.answered(None, 404);
    metrics.refused(ProblemKind::SoldOut);
    metrics.received(9);
    let mut sum = metrics.clone();
    sum.add(&metrics);
    out.clear();
    renderer.metrics(&mut out, context, &sum, "");
    let text = String::from_utf8(out).unwrap();
    for line in [
        "claw_ingest_answers_total{method=\"POST\",route=\"/v1/holds\",status=\"201\"} 2\n",
        "claw_ingest_answers_total{method=\"\",route=\"none\",status=\"404\"} 2\n",
        "claw_ingest_refusals_total{reason=\"sold-out\"} 2\n",
        "claw_ingest_received_bytes_total 18\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

fn settings() -> Settings {
    Settings { shards_count: 1, hold_ttl_ms_default: 1, checkout_ttl_ms: 1, takes_payments: true }
}
