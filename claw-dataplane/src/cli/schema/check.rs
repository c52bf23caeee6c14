//! `claw schema check`: is a store's State-Schema one that a node would start with?
//!
//! Checks exactly as the node does, with the same code; starts nothing and changes nothing.

use std::process::ExitCode;

use claw_core::schema::{BuiltIn, CompiledSchema, Diagnostic, EventType};
use serde_json::{Value, json};

use super::{CheckArgs, hex};
use crate::cli::output;
use crate::config::{SchemaLoadError, load_schema};

pub(super) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    match load_schema(&args.store) {
        Ok(schema) => {
            if args.json {
                output::json(&describe(&schema))?;
            } else {
                output::data(&summary(&schema))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(SchemaLoadError::Invalid { found }) => {
            if args.json {
                let rows: Vec<_> = found.iter().map(describe_diagnostic).collect();
                output::json(&json!({ "valid": false, "diagnostics": rows }))?;
            } else {
                found.iter().try_for_each(|diagnostic| output::data(&diagnostic.to_string()))?;
            }
            let count = found.len();
            let problems = if count == 1 { "problem" } else { "problems" };
            output::talk(&format!("{count} {problems}: a node would not start with this schema"));
            Ok(ExitCode::FAILURE)
        }
        Err(error @ SchemaLoadError::Read { .. }) => Err(error.into()),
    }
}

fn summary(schema: &CompiledSchema) -> String {
    let hash = hex(&schema.hash());
    let extras: usize =
        BuiltIn::ALL.iter().map(|event| schema.extra_type(*event).fields.iter().len()).sum();
    let attributes = schema.attribute_fields().map_or(0, |fields| fields.iter().len());
    format!(
        "valid: version {}, hash {}, {extras} extra members, {attributes} attributes, {} own \
         event types",
        schema.version(),
        &hash[..16],
        schema.own_events().len(),
    )
}

fn describe(schema: &CompiledSchema) -> Value {
    let names = |event: &EventType| -> Vec<Value> {
        let fields = event.fields.iter();
        fields
            .map(|field| {
                json!({
                    "name": field.name,
                    "type": field.kind.name(),
                    "personal": field.personal,
                    "must_be": field.kind.to_string(),
                })
            })
            .collect()
    };
    let built_in = BuiltIn::ALL.iter().map(|event| schema.extra_type(*event));
    let events: Vec<_> = built_in
        .chain(schema.own_events())
        .map(|event| {
            json!({ "name": event.name, "version": event.version, "members": names(event) })
        })
        .collect();
    json!({
        "valid": true,
        "version": schema.version(),
        "hash": hex(&schema.hash()),
        "events": events,
    })
}

pub(super) fn describe_diagnostic(diagnostic: &Diagnostic) -> Value {
    json!({
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "reason": diagnostic.reason,
        "suggestion": diagnostic.suggestion,
    })
}
