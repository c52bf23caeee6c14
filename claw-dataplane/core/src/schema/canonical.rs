//! The schema's meaning as one text, and its hash.
//!
//! One line per fact in a fixed order; texts that a store chose are written as JSON strings, so no
//! name can pretend to be a fact. Anything that changes what is accepted, stored or read back
//! changes a line. Comments, order, division into files and spelling of numbers do not reach it.

use core::fmt::{self, Write};

use claw_common::checksum::{Digest, blake3};
use claw_common::money::Currency;
use serde_json::Value;

use super::built_in::BuiltIn;
use super::check::canonical_json;
use super::compiled::CompiledSchema;
use super::event_type::EventType;
use super::field::{Allowed, Field, Fields, Kind, Presence};
use super::upcast::Step;

/// The hash of everything in `schema` but its hash.
pub(super) fn hash(schema: &CompiledSchema) -> Digest {
    let mut text = String::new();
    describe(schema, &mut text).expect("a String takes every character");
    blake3(text.as_bytes())
}

fn describe(schema: &CompiledSchema, out: &mut String) -> fmt::Result {
    writeln!(out, "state-schema 1\nversion {}", schema.version)?;
    for (event, rules) in BuiltIn::ALL.iter().zip(&schema.built_in) {
        writeln!(out, "built-in {}", event.name())?;
        describe_fields(&rules.members, "member", out)?;
        describe_event(&rules.extra, out)?;
    }
    if let Some(attributes) = &schema.attributes {
        writeln!(out, "attributes")?;
        describe_fields(attributes, "attribute", out)?;
    }
    schema.own.iter().try_for_each(|event| describe_event(event, out))
}

fn describe_event(event: &EventType, out: &mut String) -> fmt::Result {
    writeln!(out, "event {} {}", quoted(&event.name), event.version)?;
    event.by.iter().try_for_each(|role| writeln!(out, "by {role}"))?;
    event.key.iter().try_for_each(|key| writeln!(out, "key {}", quoted(key)))?;
    event.subject.iter().try_for_each(|name| writeln!(out, "subject {}", quoted(name)))?;
    describe_fields(&event.fields, "field", out)?;
    for upcaster in &event.upcasters {
        writeln!(out, "upcaster {} {}", upcaster.from, upcaster.to)?;
        for step in &upcaster.steps {
            describe_step(step, out)?;
        }
    }
    Ok(())
}

fn describe_step(step: &Step, out: &mut String) -> fmt::Result {
    match step {
        Step::Add { field, default } => {
            writeln!(out, "add {} {}", quoted(field), canonical_json(default))
        }
        Step::Drop { field } => writeln!(out, "drop {}", quoted(field)),
        Step::Rename { field, to } => writeln!(out, "rename {} {}", quoted(field), quoted(to)),
        Step::Split { field, by, into } => {
            write!(out, "split {} {}", quoted(field), quoted(by))?;
            into.iter().try_for_each(|part| write!(out, " {}", quoted(part)))?;
            writeln!(out)
        }
        Step::Widen { field, from, to } => writeln!(out, "widen {} {from} {to}", quoted(field)),
    }
}

fn describe_fields(fields: &Fields, word: &str, out: &mut String) -> fmt::Result {
    fields.iter().chain(fields.any_other()).try_for_each(|field| describe_field(field, word, out))
}

fn describe_field(field: &Field, word: &str, out: &mut String) -> fmt::Result {
    write!(out, "{word} {} personal {} ", quoted(&field.name), field.personal)?;
    match &field.presence {
        Presence::Default(value) => write!(out, "default {} ", canonical_json(value))?,
        Presence::Optional => out.push_str("optional "),
        Presence::Required => out.push_str("required "),
    }
    describe_kind(&field.kind, out)?;
    writeln!(out)
}

fn describe_kind(kind: &Kind, out: &mut String) -> fmt::Result {
    write!(out, "{}", kind.name())?;
    match kind {
        Kind::Boolean | Kind::Sku | Kind::Time | Kind::Uuid => Ok(()),
        Kind::Group(fields) => {
            writeln!(out, " {{")?;
            describe_fields(fields, "field", out)?;
            write!(out, "}}")
        }
        Kind::Integer { min, max } => write!(out, " {min} {max}"),
        Kind::Json { size_bytes_max } => write!(out, " {size_bytes_max}"),
        Kind::List { of, count_min, count_max } => {
            write!(out, " {count_min} {count_max} of ")?;
            describe_kind(of, out)
        }
        Kind::Map { of, count_max, key_length_max } => {
            write!(out, " {count_max} {key_length_max} of ")?;
            describe_kind(of, out)
        }
        Kind::Money { min, max, currencies } => {
            write!(out, " {min} {max}")?;
            currencies.iter().map(Currency::as_str).try_for_each(|name| write!(out, " {name}"))
        }
        Kind::Text { length_min, length_max, allowed } => {
            write!(out, " {length_min} {length_max}")?;
            match allowed {
                Allowed::Any => Ok(()),
                Allowed::OneOf(texts) => {
                    texts.iter().try_for_each(|text| write!(out, " {}", quoted(text)))
                }
                Allowed::Matching(pattern) => write!(out, " like {}", quoted(pattern.as_str())),
            }
        }
    }
}

fn quoted(text: &str) -> Value {
    Value::String(text.to_owned())
}
