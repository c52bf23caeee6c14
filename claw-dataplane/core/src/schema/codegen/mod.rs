//! A store's requests and events as types of other languages.
//!
//! ```text
//!  CompiledSchema --shapes--> one named object for each  --rust--------> structs for serde
//!                             request with a body (own    --typescript--> interfaces
//!                             members merged in), each    --json_schema-> $defs, 2020-12
//!                             type's extras, each own event
//! ```
//! The same schema gives the same text. Types say shapes; bounds (lengths, patterns, counts) stand
//! in the documentation of each member and, for JSON Schema, in its keywords. What no type can say
//! is the node's to check.

mod names;
mod rust;
mod typescript;

use core::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::built_in::BuiltIn;
use super::compiled::CompiledSchema;
use super::field::{Allowed, Field, Fields, Kind, Presence};

/// A named object.
struct Shape {
    /// Words joined by hyphens.
    name: String,
    /// A sentence about it.
    about: String,
    fields: Fields,
    /// For an own event its type's name and version.
    event: Option<(String, u16)>,
}

/// Rust: structs and enums for `serde`.
pub fn rust(schema: &CompiledSchema) -> String {
    rust::write(schema, &shapes(schema))
}

/// TypeScript: interfaces.
pub fn typescript(schema: &CompiledSchema) -> String {
    typescript::write(schema, &shapes(schema))
}

/// JSON Schema 2020-12, one entry of `$defs` for each request and event.
pub fn json_schema(schema: &CompiledSchema) -> Value {
    let mut definitions = Map::new();
    for shape in shapes(schema) {
        let mut object = shape.fields.json_schema();
        object["description"] = shape.about.into();
        if let Some((name, version)) = shape.event {
            object["x-claw-event"] = json!({ "type": name, "version": version });
        }
        definitions.insert(shape.name, object);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:openclaw:state-schema:{}", short_hash(schema)),
        "title": format!("State-Schema version {}", schema.version()),
        "$defs": definitions,
    })
}

fn shapes(schema: &CompiledSchema) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for event in BuiltIn::ALL.into_iter().filter(|event| event.takes_body()) {
        let name = event.name();
        shapes.push(Shape {
            name: format!("{name}-request"),
            about: format!("The body of the request that causes `{name}`."),
            fields: schema.request_fields(event),
            event: None,
        });
        let extra = schema.extra_type(event);
        if !extra.fields.is_empty() {
            shapes.push(Shape {
                name: format!("{name}-extra"),
                about: format!("What the store adds to `{name}`, as the log holds it."),
                fields: extra.fields.clone(),
                event: None,
            });
        }
    }
    shapes.extend(schema.own_events().iter().map(|event| Shape {
        name: event.name.clone(),
        about: format!("The store's own event `{}`, version {}.", event.name, event.version),
        fields: event.fields.clone(),
        event: Some((event.name.clone(), event.version)),
    }));
    shapes
}

/// What a member must be, as sentences.
fn about(field: &Field) -> String {
    let mut text = sentence(&field.kind);
    if let Presence::Default(value) = &field.presence {
        write!(text, " Absent means `{value}`.").expect("a String takes every character");
    }
    if field.personal {
        text.push_str(" Personal.");
    }
    text
}

fn sentence(kind: &Kind) -> String {
    let mut text = match kind {
        Kind::Money { .. } => kind.to_string().replace("{\"amount\", \"currency\"} with an", "an"),
        Kind::Text { length_min, length_max, allowed: Allowed::Matching(pattern) } => {
            let pattern = pattern.as_str();
            format!("text of {length_min} to {length_max} bytes that matches `{pattern}`")
        }
        _ => kind.to_string(),
    };
    if let Kind::List { of, .. } | Kind::Map { of, .. } = kind {
        write!(text, ", each {of}").expect("a String takes every character");
    }
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    format!("{}{}.", first.map_or_else(String::new, String::from), characters.as_str())
}

/// The texts of an enum.
const fn values(kind: &Kind) -> Option<&Vec<String>> {
    match kind {
        Kind::Text { allowed: Allowed::OneOf(texts), .. } => Some(texts),
        _ => None,
    }
}

fn short_hash(schema: &CompiledSchema) -> String {
    schema.hash().iter().take(8).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes every character");
        text
    })
}

/// `text` in lines of at most `width`, each behind `prefix`.
fn wrapped(text: &str, prefix: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && prefix.len() + line.len() + 1 + word.len() > width {
            writeln!(out, "{prefix}{line}").expect("a String takes every character");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{prefix}{line}").expect("a String takes every character");
    out
}
