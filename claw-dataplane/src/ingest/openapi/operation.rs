//! A route as an `OpenAPI` operation: parameters, body, answers by status, problems by status.

use std::collections::BTreeMap;

use claw_common::limits::{SHARDS_MAX, WAIT_SECONDS_MAX};
use claw_core::schema::{CompiledSchema, EventType};
use serde_json::{Map, Value, json};

use super::contract::{Answer, Body, Contract, View, contract_of, problems_of};
use super::views::{id, reference, sku};
use super::{problems, security, tag_of};
use crate::ingest::decode::headers::{LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX};
use crate::ingest::problem::ProblemKind;
use crate::ingest::routes::{Route, RouteSpec};

/// The schema's name of a route's body.
pub(super) fn body_name(route: Route) -> String {
    format!("{route:?}Body")
}

/// The schema's name of an event of the store's own: `return-received` becomes
/// `ReturnReceivedEvent`.
pub(super) fn own_body_name(event: &str) -> String {
    let words = event.split('-').filter(|word| !word.is_empty());
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    words.map(capital).collect::<String>() + "Event"
}

/// An operation and where it stands.
pub(super) struct Operation {
    pub(super) path: String,
    pub(super) content: Value,
}

/// The operation of a route; for events of the store's own one for each type, since each has a body
/// of its own.
pub(super) fn describe(store: &CompiledSchema, spec: &RouteSpec) -> Vec<Operation> {
    let content = describe_route(spec);
    let events = store.own_events();
    if contract_of(spec.route).body != Some(Body::Own) || events.is_empty() {
        return vec![Operation { path: spec.template.to_owned(), content }];
    }
    let of_event = |event: &EventType| {
        let name = own_body_name(&event.name);
        let mut content = content.clone();
        content["operationId"] = format!("record{name}").into();
        content["summary"] = format!("Record an event of the store's own: {}", event.name).into();
        content["requestBody"] = body(&name);
        content["x-claw-roles"] = event.by.iter().map(String::as_str).collect();
        let parameters = content["parameters"].as_array_mut().expect("a list");
        parameters.retain(|one| *one != parameter("type"));
        Operation { path: spec.template.replace("{type}", &event.name), content }
    };
    events.iter().map(of_event).collect()
}

fn body(name: &str) -> Value {
    let content = json!({ "application/json": { "schema": reference(name) } });
    json!({ "required": true, "content": content })
}

fn describe_route(spec: &RouteSpec) -> Value {
    let contract = contract_of(spec.route);
    let mut operation = json!({
        "operationId": operation_id(spec.route),
        "summary": spec.summary,
        "tags": [tag_of(spec)],
        "parameters": parameters_of(spec, &contract),
        "security": security::of_route(spec),
        "responses": responses(spec, &contract),
    });
    let object = operation.as_object_mut().expect("an object");
    object.append(&mut security::extensions(spec));
    if !contract.description.is_empty() {
        operation["description"] = contract.description.into();
    }
    match contract.body {
        Some(Body::BuiltIn(_) | Body::Session) => {
            operation["requestBody"] = body(&body_name(spec.route));
        }
        // A store that declares no event takes none, whatever is in it.
        Some(Body::Own) => {
            let content = json!({ "application/json": { "schema": { "type": "object" } } });
            operation["requestBody"] = json!({ "required": true, "content": content });
        }
        None => {}
    }
    operation
}

/// What browsers ask of any path.
pub(super) fn preflight(template: &str) -> Value {
    // Any text will do: the path is not looked at beyond which methods it has.
    let names = names_in(template);
    let path: Vec<_> = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": {} }))
        .collect();
    json!({
        "operationId": format!("preflight {template}"),
        "summary": "What browsers ask before they ask",
        "tags": ["node"],
        "parameters": path,
        "security": [],
        "responses": { "204": {
            "description": "What may be asked, and from where.",
            "headers": {
                "Allow": { "required": true, "schema": { "type": "string" } },
            },
        } },
    })
}

fn operation_id(route: Route) -> String {
    let name = format!("{route:?}");
    name[..1].to_ascii_lowercase() + &name[1..]
}

fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

fn names_in(template: &str) -> impl Iterator<Item = &str> {
    template.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameters_of(spec: &RouteSpec, contract: &Contract) -> Vec<Value> {
    let mut all: Vec<_> = names_in(spec.template).map(parameter).collect();
    all.extend(contract.fields.iter().map(|field| parameter(&format!("{field:?}"))));
    if spec.signed() {
        if spec.unsafe_method() {
            all.push(parameter("IdempotencyKey"));
        }
        all.push(parameter("ClawAfter"));
    }
    all
}

fn path(name: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn field(name: &str, schema: &Value, description: &str) -> Value {
    json!({ "name": name, "in": "header", "schema": schema, "description": description })
}

/// A field of an answer.
fn text(pattern: &str, description: &str) -> Value {
    let schema = json!({ "type": "string", "pattern": pattern });
    json!({ "schema": schema, "description": description })
}

/// Every parameter by the name that references use.
pub(super) fn parameters(shards_count: u16) -> Value {
    let shards: Vec<_> = (0..shards_count).map(|shard| shard.to_string()).collect();
    let position = format!("(?:{}):[0-9]{{1,19}}", shards.join("|"));
    let after = format!("^{position}(?:,{position}){{0,{}}}$", SHARDS_MAX - 1);
    let mut key = field(
        "Idempotency-Key",
        &id(),
        "A fresh UUID for each request that means something new; the same one in a retry.",
    );
    key["required"] = true.into();
    json!({
        "sku": path("sku", &sku()),
        "code": path("code", &sku()),
        "cart": path("cart", &id()),
        "id": path("id", &id()),
        "shard": path("shard", &json!({ "type": "integer", "minimum": 0,
            "maximum": shards_count.saturating_sub(1) })),
        "type": path("type", &json!({ "type": "string", "pattern": "^[a-z][a-z0-9-]{0,63}$" })),
        "After": { "name": "after", "in": "query",
            "schema": { "type": "string", "format": "claw-cursor" },
            "description": "The `next` of the page before." },
        "AfterOrder": { "name": "after", "in": "query", "schema": id(),
            "description": "The `next` of the page before." },
        "Limit": { "name": "limit", "in": "query",
            "schema": { "type": "integer", "minimum": 1, "maximum": LIST_LIMIT_MAX,
                "default": LIST_LIMIT_DEFAULT },
            "description": "Most entries in the answer." },
        "Parked": { "name": "parked", "in": "query", "schema": { "type": "boolean" },
            "description": "`true`: only what waits for somebody to retry it." },
        "IfMatch": field("If-Match",
            &json!({ "type": "string", "format": "claw-version", "pattern": "^\"[0-9]{1,19}\"$" }),
            "The version it must have, in quotes; else 412. 0: it must be new."),
        "Prefer": field("Prefer", &json!({ "type": "string" }),
            &format!("`wait=S`: answer when the order is settled, or after S seconds (at most \
                      {WAIT_SECONDS_MAX}). What is not understood is ignored (RFC 7240).")),
        "Ticket": { "name": "ticket", "in": "query", "required": true,
            "schema": { "type": "string", "format": "claw-ticket" },
            "description": "What `POST /v1/tickets` gave, within 30 s, once." },
        "AfterCursor": { "name": "after", "in": "query",
            "schema": { "type": "string", "format": "claw-socket-cursor" },
            "description": "The `cursor` of the last message that was heard." },
        "Format": { "name": "format", "in": "query",
            "schema": { "type": "string", "enum": ["json", "hx"], "default": "json" },
            "description": "JSON, or HTML fragments for HTMX." },
        "Stock": { "name": "stock", "in": "query",
            "schema": { "type": "string", "format": "claw-skus" },
            "description": "SKUs, apart by commas, whose available units are told." },
        "StripeSignature": field("Stripe-Signature", &json!({ "type": "string" }),
            "`t=SECONDS,v1=HEX`: the gateway's HMAC-SHA256 over the raw body."),
        "IdempotencyKey": key,
        "ClawAfter": field("Claw-After",
            &json!({ "type": "string", "format": "claw-positions", "pattern": after }),
            "Positions of earlier answers: this one is at least that new, or 503 `behind`."),
    })
}

/// Every field of an answer by the name that references use.
pub(super) fn headers() -> Value {
    let always = |mut header: Value| {
        header["required"] = true.into();
        header
    };
    let seconds =
        json!({ "schema": { "type": "integer", "minimum": 1 }, "description": "Seconds." });
    let position = text("^[0-9]+:[0-9]+(?:,[0-9]+:[0-9]+)*$", "Its places in the log.");
    json!({
        "ClawPosition": always(position.clone()),
        "ClawPositionPerhaps": position,
        "ETag": always(text("^\"[0-9]+\"$", "The version, for `If-Match`.")),
        "Location": always(text("^/v1/(?:carts|holds|orders)/[0-9a-f-]{36}$", "Where it is.")),
        "RetryAfter": always(seconds.clone()),
        "RetryAfterPerhaps": seconds,
        "WwwAuthenticate": always(json!({ "schema": { "type": "string" },
            "description": "What is asked for." })),
    })
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn responses(spec: &RouteSpec, contract: &Contract) -> Value {
    let mut responses: BTreeMap<String, Value> = BTreeMap::new();
    for answer in contract.answers {
        responses.insert(answer.status.to_string(), done(spec, answer));
    }
    let mut by_status: BTreeMap<u16, Vec<ProblemKind>> = BTreeMap::new();
    for kind in problems_of(spec.route) {
        by_status.entry(kind.status()).or_default().push(kind);
    }
    for (status, kinds) in by_status {
        responses.insert(status.to_string(), refused(spec, status, &kinds));
    }
    json!(responses)
}

fn done(spec: &RouteSpec, answer: &Answer) -> Value {
    let mut response = json!({ "description": answer.when });
    let content = match answer.view {
        View::Metrics => Some(("application/openmetrics-text", json!({ "type": "string" }))),
        View::OpenApi => Some(("application/json", json!({ "type": "object" }))),
        View::Page => Some(("text/html", json!({ "type": "string" }))),
        View::Nothing => None,
        view => view.name().map(|name| ("application/json", reference(&name))),
    };
    if let Some((media, schema)) = content {
        response["content"] = json!({ media: { "schema": schema } });
    }
    let mut headers = Map::new();
    // A page of a list is no one place in the log, and a ticket is not in it.
    if spec.signed() && !matches!(answer.view, View::ProductPage | View::TicketCreated) {
        headers.insert("Claw-Position".to_owned(), header("ClawPosition"));
    }
    if answer.view == View::Product {
        headers.insert("ETag".to_owned(), header("ETag"));
    }
    let made = answer.status == 201 && matches!(answer.view, View::CartCreated | View::Hold);
    if made || spec.route == Route::CheckoutCreate {
        headers.insert("Location".to_owned(), header("Location"));
    }
    if !headers.is_empty() {
        response["headers"] = headers.into();
    }
    response
}

fn refused(spec: &RouteSpec, status: u16, kinds: &[ProblemKind]) -> Value {
    let names: Vec<_> = kinds.iter().map(|kind| format!("`{}`", kind.name())).collect();
    let mut headers = Map::new();
    if spec.signed() && status != 401 {
        headers.insert("Claw-Position".to_owned(), header("ClawPositionPerhaps"));
    }
    match status {
        401 => {
            headers.insert("WWW-Authenticate".to_owned(), header("WwwAuthenticate"));
        }
        429 | 503 => {
            headers.insert("Retry-After".to_owned(), header("RetryAfter"));
        }
        _ if kinds.contains(&ProblemKind::ReceiptNotYet) => {
            headers.insert("Retry-After".to_owned(), header("RetryAfterPerhaps"));
        }
        _ => {}
    }
    let schema = problems::any_of(kinds);
    json!({
        "description": names.join(", "),
        "headers": headers,
        "content": { "application/problem+json": { "schema": schema } },
    })
}
