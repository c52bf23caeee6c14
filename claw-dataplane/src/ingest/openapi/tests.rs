//! The description agrees with the router, with what decoders take and with itself.

use claw_core::schema::SchemaFile;

use crate::ingest::decode::Settings;

use super::*;
use crate::ingest::problem::ProblemKind;

fn store(text: &str) -> CompiledSchema {
    let file = SchemaFile { name: "schema/a.toml".to_owned(), text: text.to_owned() };
    CompiledSchema::parse(&[file]).unwrap()
}

fn settings(shards_count: u16, takes_payments: bool) -> Settings {
    let (hold_ttl_ms_default, checkout_ttl_ms) = (60_000, 30_000);
    Settings { shards_count, hold_ttl_ms_default, checkout_ttl_ms, takes_payments }
}

fn document(text: &str) -> Value {
    describe(&store(text), &settings(4, false))
}

const PLAIN: &str = "[schema]\nversion = 1\n";

#[test]
fn every_route_is_described_with_its_answers_and_problems() {
    let document = document(PLAIN);
    for spec in ROUTES.iter().filter(|spec| spec.template != "*") {
        let method = spec.method.to_ascii_lowercase();
        let operation = &document["paths"][spec.template][&method];
        assert_eq!(operation["summary"], spec.summary, "{method} {}", spec.template);
        let contract = contract_of(spec.route);
        for answer in contract.answers {
            let described = &operation["responses"][answer.status.to_string()];
            assert_eq!(described["description"], answer.when, "{}", spec.template);
        }
        for kind in problems_of(spec.route) {
            let response = operation["responses"][kind.status().to_string()].to_string();
            assert!(response.contains(&format!("{kind:?}Problem")), "{kind:?} {response}");
        }
        assert_eq!(operation.get("requestBody").is_some(), contract.body.is_some());
        assert_eq!(operation["security"].as_array().unwrap().is_empty(), !spec.signed());
    }
}

#[test]
fn every_problem_is_answered_by_some_route_or_elsewhere() {
    let elsewhere = [
        ProblemKind::MethodNotAllowed,
        ProblemKind::Internal,
        // Over the wire.
        ProblemKind::FrameSequence,
        ProblemKind::CreditsExceeded,
        ProblemKind::VersionUnknown,
    ];
    for &kind in ProblemKind::ALL {
        let routes = ROUTES.iter().filter(|spec| may_refuse(spec.route, kind)).count();
        assert_eq!(routes == 0, elsewhere.contains(&kind), "{kind:?}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_names_are_used_once() {
    let document = document(PLAIN);
    let mut references = Vec::new();
    gather(&document, "$ref", &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut ids = Vec::new();
    gather(&document, "operationId", &mut ids);
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

fn sorted(names: &Value) -> Vec<&str> {
    let mut names: Vec<_> = names.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names
}

fn gather(value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(name).and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| gather(member, name, found));
        }
        Value::Array(entries) => entries.iter().for_each(|entry| gather(entry, name, found)),
        _ => {}
    }
}

#[test]
fn bodies_hold_the_members_of_the_state_schema_with_the_bounds_of_the_store() {
    let document = document(
        r#"
        [schema]
        version = 3
        [events.hold-granted.fields]
        "items.quantity" = { max = 10 }
        [events.hold-granted.extra]
        channel = { type = "text", enum = ["app", "web"], required = true }
        [events.product-put.attributes]
        brand = { type = "text", length_max = 64, required = true }
        "#,
    );
    let bodies = &document["components"]["schemas"];
    let hold = &bodies["HoldCreateBody"];
    assert_eq!(hold["properties"]["channel"]["enum"], json!(["app", "web"]));
    assert_eq!(sorted(&hold["required"]), ["channel", "items", "session"]);
    assert_eq!(hold["additionalProperties"], false);
    let line = &hold["properties"]["items"]["items"];
    assert_eq!(line["properties"]["quantity"]["maximum"], 10);
    assert!(hold.get("examples").is_none(), "an example would lack the channel");
    let product = &bodies["ProductPutBody"];
    assert_eq!(sorted(&product["required"]), ["attributes", "name", "price"]);
    assert!(product["properties"].get("sku").is_none(), "it stands in the path");
    assert_eq!(product["properties"]["attributes"]["required"], json!(["brand"]));
    assert!(bodies["CheckoutCreateBody"]["properties"].get("payment").is_none());
    let paid = describe(&store(PLAIN), &settings(1, true));
    let body = &paid["components"]["schemas"]["CheckoutCreateBody"];
    assert_eq!(body["properties"]["payment"]["required"], json!(["token"]), "{body}");
    assert_eq!(document["x-claw-schema-version"], 3);
}

#[test]
fn events_of_the_stores_own_have_a_path_each() {
    let document = document(
        r#"
        [schema]
        version = 1
        [events.gift-wrapped]
        version = 1
        [events.gift-wrapped.fields]
        paper = { type = "text", length_max = 16, required = true }
        "#,
    );
    let operation = &document["paths"]["/v1/events/gift-wrapped"]["post"];
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["$ref"], "#/components/schemas/GiftWrappedEvent");
    assert_eq!(document["components"]["schemas"]["GiftWrappedEvent"]["required"], json!(["paper"]));
    assert!(document["paths"].get("/v1/events/{type}").is_none());
}

#[test]
fn every_event_with_a_body_has_a_route_that_takes_it() {
    for event in BuiltIn::ALL {
        let taken =
            ROUTES.iter().any(|spec| contract_of(spec.route).body == Some(Body::BuiltIn(event)));
        assert_eq!(taken, event.takes_body(), "{event:?}");
    }
}

#[test]
fn the_page_shows_every_route_and_loads_nothing() {
    let description = Description::of(&store(PLAIN), &settings(4, false));
    let page = String::from_utf8(description.page.to_vec()).unwrap();
    for spec in ROUTES.iter().filter(|spec| spec.template != "*") {
        assert!(page.contains(&format!("<h3>{}</h3>", spec.template)), "{}", spec.template);
    }
    for kind in ProblemKind::ALL {
        assert!(page.contains(&problems::urn(*kind)), "{kind:?}");
    }
    for loader in [" src=", "<link", "@import", "url(", " style=", " onclick=", "https://"] {
        assert!(!page.contains(loader), "{loader}");
    }
    for (open, close) in [("<article", "</article>"), ("<table", "</table>"), ("<p", "</p>")] {
        let opened =
            page.matches(&format!("{open}>")).count() + page.matches(&format!("{open} ")).count();
        assert_eq!(opened, page.matches(close).count(), "{open}");
    }
    assert!(description.page_policy.starts_with("default-src 'none';"));
}
