//! JSON Schema of what requests send: the built-in members with the store's bounds, and the store's
//! own members, closed against all others.
//!
//! What the State-Schema says of a member comes from it; the few rules that the decoders add (a
//! coupon's kinds, exactly one basket) are said here. Rules between members that JSON Schema has no
//! words for are in the descriptions.

use claw_common::limits::PAYMENT_TEXT_BYTES_MAX;
use claw_core::schema::{BuiltIn, CompiledSchema, Field, Fields, Presence};
use serde_json::{Map, Value, json};

/// Printable ASCII without space: a session fits a line of text.
const SESSION_PATTERN: &str = "^[!-~]+$";

/// The members that stand in the path.
const fn in_path(event: BuiltIn) -> &'static str {
    match event {
        BuiltIn::ProductPut
        | BuiltIn::StockMoved
        | BuiltIn::PriceChanged
        | BuiltIn::CartChanged => "sku",
        BuiltIn::CouponPut => "code",
        _ => "",
    }
}

/// The body of the request that becomes `event`. Where nothing is paid for, no request may send a
/// `payment`.
pub(super) fn schema(store: &CompiledSchema, event: BuiltIn, takes_payments: bool) -> Value {
    let mut body = own_members(store, event);
    let mut required = Vec::new();
    for field in store.built_in_members(event) {
        let (name, inner) = field.name.split_once('.').unwrap_or((&field.name, ""));
        if name == in_path(event) || !inner.is_empty() {
            continue;
        }
        body["properties"][name] = member(store.built_in_members(event), field);
        if field.presence == Presence::Required {
            required.push(name);
        }
    }
    if event == BuiltIn::ProductPut
        && let Some(fields) = store.attribute_fields()
    {
        body["properties"]["attributes"] = fields.json_schema();
        if fields.iter().any(|field| field.presence == Presence::Required) {
            required.push("attributes");
        }
    }
    if event == BuiltIn::OrderStarted && takes_payments {
        body["properties"]["payment"] = payment();
    }
    let all = body["required"].as_array_mut().expect("made here");
    all.extend(required.into_iter().map(Value::from));
    refine(event, body)
}

fn payment() -> Value {
    json!({
        "type": "object",
        "required": ["token"],
        "additionalProperties": false,
        "properties": { "token": { "type": "string", "minLength": 1,
            "maxLength": PAYMENT_TEXT_BYTES_MAX,
            "description": "The payment gateway's token, never a card number." } },
        "description": "Needed unless the order costs nothing.",
    })
}

/// A session alone; a store that narrows what it is does so for its carts.
pub(super) fn session(store: &CompiledSchema) -> Value {
    let members = store.built_in_members(BuiltIn::CartCreated);
    let session = members.declared("session").expect("a cart has one");
    json!({
        "type": "object",
        "required": ["session"],
        "properties": { "session": member(members, session) },
        "additionalProperties": false,
    })
}

/// The store's own members, as an object that may grow.
fn own_members(store: &CompiledSchema, event: BuiltIn) -> Value {
    let own = store.extra_type(event).fields.json_schema();
    json!({
        "type": "object",
        "required": own.get("required").cloned().unwrap_or_else(|| json!([])),
        "properties": own["properties"],
        "additionalProperties": own["additionalProperties"],
    })
}

/// A built-in member; the entries of a list are declared beside it with a dot.
fn member(members: &Fields, field: &Field) -> Value {
    let mut schema = field.json_schema();
    let prefix = format!("{}.", field.name);
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for inner in members {
        let Some(name) = inner.name.strip_prefix(&prefix) else { continue };
        properties.insert(name.to_owned(), inner.json_schema());
        if inner.presence == Presence::Required {
            required.push(name);
        }
    }
    if !properties.is_empty() {
        schema["items"] = json!({
            "type": "object",
            "required": required,
            "properties": properties,
            "additionalProperties": false,
        });
    }
    if field.name == "session" {
        schema["pattern"] = SESSION_PATTERN.into();
    }
    schema
}

/// What decoders ask beside the State-Schema.
fn refine(event: BuiltIn, mut body: Value) -> Value {
    match event {
        BuiltIn::CouponPut => return coupon(&body),
        BuiltIn::StockMoved => body["properties"]["delta"]["not"] = json!({ "const": 0 }),
        BuiltIn::OrderStarted => {
            body["properties"]["ship_to"]["type"] = "object".into();
            let baskets = ["hold_id", "cart_id", "items"];
            body["oneOf"] = baskets.into_iter().map(|name| json!({ "required": [name] })).collect();
        }
        _ => {}
    }
    body
}

/// A percentage, or an amount that has a currency.
fn coupon(body: &Value) -> Value {
    let kinds = ["percent", "amount"].map(|kind| {
        let mut body = body.clone();
        body["title"] = format!("{kind} coupon").into();
        body["properties"]["kind"] = json!({ "type": "string", "const": kind });
        let value = &mut body["properties"]["value"];
        value["minimum"] = value["minimum"].as_i64().unwrap_or(0).max(1).into();
        if kind == "percent" {
            let most = value["maximum"].as_i64().unwrap_or(i64::MAX);
            value["maximum"] = most.min(crate::ingest::decode::PERCENT_MAX).into();
            value["description"] = "Hundredths of a percent.".into();
        } else {
            value["description"] = "Minor units of `currency`.".into();
            let required = body["required"].as_array_mut().expect("a list");
            if !required.contains(&"currency".into()) {
                required.push("currency".into());
            }
        }
        body
    });
    json!({ "oneOf": kinds })
}

/// A body as one would send it; `None` where the store asks for members that we cannot guess.
pub(super) fn example(body: &Value, event: BuiltIn) -> Option<Value> {
    let example = match event {
        BuiltIn::ProductPut => {
            json!({ "name": "Clog", "price": { "amount": 4900, "currency": "EUR" } })
        }
        BuiltIn::StockMoved => json!({ "delta": 100, "reason": "delivery 4711" }),
        BuiltIn::PriceChanged => json!({ "price": { "amount": 3900, "currency": "EUR" } }),
        BuiltIn::CouponPut => json!({ "kind": "percent", "value": 1000, "uses_max": 500 }),
        BuiltIn::CartCreated => json!({ "session": "ada" }),
        BuiltIn::CartChanged => json!({ "quantity": 2 }),
        BuiltIn::HoldGranted | BuiltIn::OrderStarted => {
            json!({ "session": "ada", "items": [{ "sku": "clog", "quantity": 1 }] })
        }
        BuiltIn::HoldExtended => json!({ "ttl_ms": 60_000 }),
        _ => return None,
    };
    let required = body.pointer("/oneOf/0/required").or_else(|| body.get("required"));
    let required = required.and_then(Value::as_array);
    let all = required.into_iter().flatten().filter_map(Value::as_str);
    all.into_iter().all(|name| example.get(name).is_some()).then_some(example)
}
