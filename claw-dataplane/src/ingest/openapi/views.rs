//! JSON Schema of what the store shows of itself, and the pieces it shares with what it takes.
//!
//! The members are those that `render::views` writes; a test of the renderer checks each answer
//! against these. Answers are left open: a later version may show more, never less.

use claw_core::outcome::{CancelReason, HoldState, OrderState};
use claw_core::saga::{Course, SagaKind};
use claw_core::schema::CompiledSchema;
use serde_json::{Map, Value, json};

use super::contract::View;
use crate::ingest::render::views::{hold_state_name, order_state_name, reason_name};

/// SKUs and coupon codes.
pub(super) const SKU_PATTERN: &str = "^[A-Za-z0-9._-]{1,64}$";
/// As `render::text::write_time` writes it.
const TIME_PATTERN: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$";

/// A reference to a schema of the document.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object of these members, open for more.
pub(super) fn object(required: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let members = required.iter().chain(optional);
    let properties: Map<_, _> =
        members.map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let required: Vec<_> = required.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn count() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0 })
}

pub(super) fn sku() -> Value {
    json!({ "type": "string", "pattern": SKU_PATTERN })
}

pub(super) fn id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time", "pattern": TIME_PATTERN })
}

fn list(entry: &Value) -> Value {
    json!({ "type": "array", "items": entry })
}

fn one_of(names: impl Iterator<Item = &'static str>) -> Value {
    json!({ "type": "string", "enum": names.collect::<Vec<_>>() })
}

/// All states of a hold that are shown.
pub(super) fn hold_state() -> Value {
    one_of(HoldState::SHOWN.into_iter().map(hold_state_name))
}

/// All states of an order.
pub(super) fn order_state() -> Value {
    one_of(OrderState::ALL.into_iter().map(order_state_name))
}

impl View {
    /// The name of its schema; what is no JSON of ours has none.
    pub(super) fn name(self) -> Option<String> {
        let own = !matches!(self, Self::Metrics | Self::OpenApi | Self::Page | Self::Nothing);
        own.then(|| format!("{self:?}"))
    }
}

/// The schemas of all views, by name.
#[expect(clippy::too_many_lines, reason = "a table: one row for each view")]
pub(super) fn schemas(schema: &CompiledSchema) -> Map<String, Value> {
    let money = reference("Money");
    let lines = list(&reference("Line"));
    let entries = [
        (
            "Money",
            object(
                &[
                    (
                        "amount",
                        json!({ "type": "integer", "format": "int64",
                        "description": "Minor units: cents." }),
                    ),
                    (
                        "currency",
                        json!({ "type": "string", "pattern": "^[A-Z]{3}$",
                        "description": "ISO 4217." }),
                    ),
                ],
                &[],
            ),
        ),
        (
            "Line",
            object(&[("sku", sku()), ("quantity", count()), ("unit_price", money.clone())], &[]),
        ),
        ("Product", product(schema)),
        (
            "ProductPage",
            object(
                &[("products", list(&reference("Product")))],
                &[("next", json!({ "type": "string", "description": "Send it as `after`." }))],
            ),
        ),
        ("Coupon", coupon()),
        ("CartCreated", object(&[("cart_id", id())], &[])),
        (
            "ShardState",
            object(
                &[("shard", count()), ("sequence", count()), ("entries", count())],
                &[(
                    "state_hash",
                    json!({ "type": "string", "pattern": "^[0-9a-f]{64}$",
                    "description": "BLAKE3 over the state's canonical bytes." }),
                )],
            ),
        ),
        (
            "Cart",
            object(
                &[
                    ("cart_id", id()),
                    ("items", lines.clone()),
                    (
                        "subtotal",
                        json!({ "oneOf": [money, { "type": "null" }],
                        "description": "`null` while the cart is empty." }),
                    ),
                ],
                &[],
            ),
        ),
        (
            "Hold",
            object(
                &[
                    ("hold_id", id()),
                    ("state", hold_state()),
                    ("items", lines),
                    ("expires_at", time()),
                ],
                &[],
            ),
        ),
        (
            "EventRecorded",
            object(
                &[
                    ("event_id", id()),
                    ("type", text()),
                    ("version", json!({ "type": "integer", "minimum": 1 })),
                ],
                &[],
            ),
        ),
        ("Order", order()),
        ("Saga", saga()),
        (
            "SagaPage",
            object(
                &[("sagas", list(&reference("Saga")))],
                &[("next", json!({ "type": "string", "description": "Send it as `after`." }))],
            ),
        ),
        ("Receipt", receipt()),
        ("Received", object(&[("received", json!({ "type": "boolean" }))], &[])),
        ("TicketCreated", object(&[("ticket", text())], &[])),
        ("OrderStarted", object(&[("order_id", id()), ("state", order_state())], &[])),
        ("NodeState", object(&[("status", one_of(["alive", "ready"].into_iter()))], &[])),
    ];
    entries.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// What `claw verify` checks: the document that the log's proofs make (see proofs.md).
fn receipt() -> Value {
    let bytes = || json!({ "type": "string", "contentEncoding": "base64" });
    let said = |what: &str| json!({ "type": "string", "description": what });
    let mut leaf = bytes();
    leaf["description"] = "The place of the record and its bytes, as they were hashed.".into();
    let record = object(
        &[
            ("sequence", count()),
            ("event", said("The kind of event, such as `hold-granted`.")),
            ("accepted_at", time()),
            ("decided_at", time()),
            ("leaf", leaf),
            ("inclusion", list(&bytes())),
        ],
        &[],
    );
    let mut document = object(
        &[
            ("format", json!({ "type": "string", "const": "openclaw-receipt/1" })),
            ("order_id", id()),
            ("store", object(&[("id", id()), ("name", text())], &[])),
            ("shard", count()),
            ("records", list(&record)),
            ("checkpoint", said("A signed note: origin, tree size, root, previous root, time.")),
            ("node_key", bytes()),
            ("consistency", object(&[("size", count()), ("hint", text())], &[])),
        ],
        &[],
    );
    document["description"] = "What `claw verify` checks, offline, with the node's key.".into();
    document
}

fn product(schema: &CompiledSchema) -> Value {
    let counts = ["received", "removed", "on_hand", "held", "sold", "available", "version"];
    let mut required = vec![("sku", sku()), ("name", text()), ("price", reference("Money"))];
    required.extend(counts.map(|name| (name, count())));
    let attributes = schema.attribute_fields().map(|fields| {
        let mut shown = fields.json_schema();
        // What was put before the schema changed is shown as it was put.
        for rule in ["additionalProperties", "required", "maxProperties"] {
            shown.as_object_mut().expect("an object").remove(rule);
        }
        ("attributes", json!({ "type": "object", "properties": shown["properties"] }))
    });
    let mut product = object(&required, attributes.as_slice());
    product["description"] =
        "on_hand = received - removed - sold, available = on_hand - held.".into();
    product
}

fn coupon() -> Value {
    object(
        &[
            ("code", sku()),
            ("kind", json!({ "type": "string", "enum": ["percent", "amount"] })),
            ("value", count()),
            ("uses_max", count()),
            ("uses", count()),
        ],
        &[
            ("currency", json!({ "type": "string", "pattern": "^[A-Z]{3}$" })),
            ("starts_at", time()),
            ("ends_at", time()),
            ("subtotal_min", count()),
        ],
    )
}

fn order() -> Value {
    let money = reference("Money");
    object(
        &[
            ("order_id", id()),
            ("state", order_state()),
            ("items", list(&reference("Line"))),
            ("subtotal", money.clone()),
            ("discount", money.clone()),
            ("tax", money.clone()),
            ("total", money),
            ("history", list(&object(&[("at", time()), ("state", order_state())], &[]))),
        ],
        &[
            ("reason", one_of(CancelReason::ALL.into_iter().map(reason_name))),
            (
                "client_secret",
                json!({ "type": "string",
                "description": "While it requires action: what the browser shows the gateway." }),
            ),
        ],
    )
}

fn saga() -> Value {
    let said = |what: &str| json!({ "type": "string", "description": what });
    let step = object(&[("step", text()), ("is", text())], &[]);
    object(
        &[
            ("order_id", id()),
            ("state", order_state()),
            ("saga", one_of(SagaKind::ALL.into_iter().map(|kind| kind.saga().name))),
            ("course", one_of(Course::ALL.into_iter().map(Course::name))),
            ("step", said("What is to be done, or undone, next.")),
            ("parked", json!({ "type": "boolean" })),
            ("attempts", count()),
            ("total", reference("Money")),
            ("created_at", time()),
            ("deadline_at", time()),
            ("shards_owing", count()),
            ("steps", list(&step)),
        ],
        &[
            ("due_at", time()),
            ("reason", one_of(CancelReason::ALL.into_iter().map(reason_name))),
            ("intent", said("The gateway's name for the payment.")),
            ("code", said("The last reason that the gateway or the vault gave.")),
        ],
    )
}
