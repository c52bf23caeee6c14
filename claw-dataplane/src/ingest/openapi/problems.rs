//! JSON Schema of problem documents: one for each name, with the members it adds.

use serde_json::{Map, Value, json};

use super::views::{count, hold_state, object, order_state, reference, text};
use crate::ingest::problem::{MemberKind, ProblemKind};

/// The name of a problem's schema.
pub(super) fn schema_name(kind: ProblemKind) -> String {
    format!("{kind:?}Problem")
}

/// A problem's `type`.
pub(super) fn urn(kind: ProblemKind) -> String {
    format!("urn:openclaw:problem:{}", kind.name())
}

/// The schemas of all problems by name, `Problem` for any of them among them.
pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas: Map<_, _> =
        ProblemKind::ALL.iter().map(|&kind| (schema_name(kind), schema(kind))).collect();
    let any = object(
        &[("type", text()), ("title", text()), ("status", json!({ "type": "integer" }))],
        &[("detail", text())],
    );
    schemas.insert("Problem".to_owned(), any);
    schemas
}

fn schema(kind: ProblemKind) -> Value {
    let mut required = vec![
        ("type", json!({ "type": "string", "const": urn(kind) })),
        ("title", json!({ "type": "string", "const": kind.title() })),
        ("status", json!({ "type": "integer", "const": kind.status() })),
        ("detail", json!({ "type": "string", "description": "What happened, and what to do." })),
    ];
    let mut optional = Vec::new();
    for member in kind.members() {
        let schema = match member.kind {
            MemberKind::Number => count(),
            MemberKind::Text => text(),
            MemberKind::HoldState => hold_state(),
            MemberKind::OrderState => order_state(),
        };
        if member.required { &mut required } else { &mut optional }.push((member.name, schema));
    }
    let mut schema = object(&required, &optional);
    schema["description"] = kind.title().into();
    schema
}

/// One of several problems, told apart by their `type`.
pub(super) fn any_of(kinds: &[ProblemKind]) -> Value {
    if let [only] = kinds {
        return reference(&schema_name(*only));
    }
    let references: Vec<_> = kinds.iter().map(|&kind| reference(&schema_name(kind))).collect();
    let mapping: Map<_, _> = kinds
        .iter()
        .map(|&kind| {
            let target = format!("#/components/schemas/{}", schema_name(kind));
            (urn(kind), target.into())
        })
        .collect();
    json!({
        "oneOf": references,
        "discriminator": { "propertyName": "type", "mapping": mapping },
    })
}
