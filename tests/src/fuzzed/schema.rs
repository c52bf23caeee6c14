//! State-Schemas: TOML that a shop's people write, compiled when a node starts and by tools.
//!
//! The promises: a refusal names a place in the text; what is accepted compiles to the same hash
//! again, whatever the order of its lines of comment; it differs in nothing from itself; a value
//! that passed is stored as canonical JSON, and what is stored passes again and is stored alike;
//! code for clients can be written of it. Deliberately not here: what a shop should declare.

use claw_common::limits::EXTRA_BYTES_MAX;
use claw_core::schema::{BuiltIn, CompiledSchema, Diagnostic, SchemaFile, codegen, compare};
use serde_json::{Map, Value, json};

const NAME: &str = "schema/fuzzed.toml";

/// Compiles `bytes`, and uses what was compiled.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match compile(text) {
        Err(found) => check_refusal(text, &found),
        Ok(schema) => check_schema(text, &schema),
    }
}

fn compile(text: &str) -> Result<CompiledSchema, Vec<Diagnostic>> {
    CompiledSchema::parse(&[SchemaFile { name: NAME.to_owned(), text: text.to_owned() }])
}

fn check_refusal(text: &str, found: &[Diagnostic]) {
    assert!(!found.is_empty(), "a refusal has a reason");
    let lines = text.split('\n').count();
    for one in found {
        assert_eq!(one.file, NAME);
        assert!(one.column > 0 && !one.reason.is_empty(), "{one}");
        assert!((1..=lines + 1).contains(&usize::try_from(one.line).expect("small")), "{one}");
    }
}

fn check_schema(text: &str, schema: &CompiledSchema) {
    let again = compile(&format!("# a comment more\n{text}\n"));
    let again = again.expect("a comment changes nothing");
    assert_eq!((again.hash(), again.version()), (schema.hash(), schema.version()));
    assert!(compare(schema, &again).is_empty(), "a schema differs in nothing from itself");
    assert!(!codegen::rust(schema).is_empty());
    assert!(!codegen::typescript(schema).is_empty());
    assert!(codegen::json_schema(schema).is_object());
    for event in BuiltIn::ALL {
        for members in values(schema.extra_type(event).fields.iter().map(|field| &*field.name)) {
            settles(&members, |members| schema.extras(event, members).ok());
        }
    }
    for own in schema.own_events() {
        for members in values(own.fields.iter().map(|field| &*field.name)) {
            settles(&members, |members| own.canonical(members).ok());
        }
    }
}

/// Members of every name, all with one value: some kinds take it and the others refuse it.
fn values<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Map<String, Value>> {
    let names: Vec<&str> = names.collect();
    let all = |value: &Value| names.iter().map(|&name| (name.to_owned(), value.clone())).collect();
    [
        json!("a"),
        json!(1),
        json!(true),
        json!({ "amount": 1, "currency": "EUR" }),
        json!("2026-01-02T03:04:05Z"),
        json!("018f0000-0000-7000-8000-000000000001"),
        json!(["a"]),
        json!({ "a": 1 }),
    ]
    .iter()
    .map(all)
    .chain([Map::new()])
    .collect()
}

/// What is stored is bounded, and passes again as it is.
fn settles(members: &Map<String, Value>, store: impl Fn(&Map<String, Value>) -> Option<Vec<u8>>) {
    let Some(stored) = store(members) else { return };
    assert!(stored.len() <= EXTRA_BYTES_MAX, "{} bytes", stored.len());
    if stored.is_empty() {
        return;
    }
    let read = serde_json::from_slice(&stored).expect("what is stored is a JSON object");
    assert_eq!(store(&read).as_ref(), Some(&stored), "what is stored passes again");
}
