//! The interface's description: `/openapi.json` as `OpenAPI` 3.1, and `/docs` to read it.
//!
//! ```text
//!  routes::ROUTES, contract, problem::ProblemKind  --+
//!  the running store's State-Schema                --+--> document --> JSON, page
//! ```
//! Made once when a core starts, of the same tables that the router, the decoders and the renderer
//! use: `contract` says what each route takes and answers, `bodies` and `views` are the schemas of
//! what is sent and shown, `problems` those of every "no", `operation` puts them together, `page`
//! writes the document as HTML. A store's own members are in it, with the store's own bounds.
//!
//! Deliberately absent: anything fetched from elsewhere, and a second list of routes.

mod bodies;
mod contract;
mod operation;
mod page;
mod problems;
mod security;
mod views;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use claw_core::schema::{BuiltIn, CompiledSchema};
use serde_json::{Map, Value, json};

use crate::ingest::decode::Settings;

pub use contract::{Answer, Body, Contract, View, contract_of, may_refuse, problems_of};

use super::routes::{ROUTES, Route, RouteSpec};

/// The description as it is served.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// `/openapi.json`.
    pub json: Arc<[u8]>,
    /// `/docs`.
    pub page: Arc<[u8]>,
    /// What `/docs` may load, for `Content-Security-Policy`.
    pub page_policy: String,
}

impl Description {
    /// The description of a store with this schema and these settings.
    pub fn of(store: &CompiledSchema, settings: &Settings) -> Self {
        let document = describe(store, settings);
        let page = page::write(&document);
        Self {
            json: document.to_string().into_bytes().into(),
            page: page.into_bytes().into(),
            page_policy: page::policy(),
        }
    }
}

const INTRODUCTION: &str = "\
Money is an amount in minor units with its currency. Times are RFC 3339 in UTC with milliseconds, \
ids are UUIDs. Bodies are JSON of at most 64 KiB; members that are not listed are refused with \
their name. Answers may gain members: ignore those you do not know.\n\n\
Every request that is not marked as open is signed, or carries a shopper's token. Each POST, PUT \
and DELETE carries an `Idempotency-Key`: the same key and body get the first answer again, so a \
request whose answer was lost is sent again as it was.\n\n\
Every answer to a command carries `Claw-Position`, its place in the log; send it as `Claw-After` \
to read what is at least that new. A \"no\" is a problem document (RFC 9457) whose `type` names \
it; 429 and 503 say in `Retry-After` when to ask again. A path with another method is answered \
405 with `Allow`.";

/// The document.
pub fn describe(store: &CompiledSchema, settings: &Settings) -> Value {
    let shards_count = settings.shards_count;
    let mut paths = Map::new();
    for spec in ROUTES.iter().filter(|spec| spec.template.starts_with('/')) {
        for operation in operation::describe(store, spec) {
            let path = paths
                .entry(operation.path.clone())
                .or_insert_with(|| json!({ "options": operation::preflight(&operation.path) }));
            path[spec.method.to_ascii_lowercase()] = operation.content;
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "OpenClaw",
            "version": "1",
            "summary": "The public interface of an OpenClaw store",
            "description": INTRODUCTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": schemas(store, settings),
            "parameters": operation::parameters(shards_count),
            "headers": operation::headers(),
            "securitySchemes": security::schemes(),
        },
        "x-claw-schema-version": store.version(),
    })
}

fn schemas(store: &CompiledSchema, settings: &Settings) -> Map<String, Value> {
    let mut schemas = views::schemas(store);
    schemas.extend(problems::schemas());
    for spec in ROUTES {
        let (event, mut body) = match contract_of(spec.route).body {
            Some(Body::BuiltIn(event)) => {
                (event, bodies::schema(store, event, settings.takes_payments))
            }
            Some(Body::Session) => (BuiltIn::CartCreated, bodies::session(store)),
            Some(Body::Own) | None => continue,
        };
        if let Some(example) = bodies::example(&body, event) {
            body["examples"] = json!([example]);
        }
        schemas.insert(operation::body_name(spec.route), body);
    }
    for event in store.own_events() {
        schemas.insert(operation::own_body_name(&event.name), event.fields.json_schema());
    }
    schemas
}

/// What a route belongs to: the first part of its path.
fn tag_of(spec: &RouteSpec) -> &'static str {
    let mut parts = spec.template.split('/').skip_while(|part| ["", "v1"].contains(part));
    match spec.route {
        Route::Health | Route::Ready | Route::Metrics | Route::OpenApi | Route::Docs => "node",
        // A place in line is a hold.
        Route::WaitlistJoin => "holds",
        _ => parts.next().unwrap_or("node"),
    }
}

fn tags() -> Vec<Value> {
    let mut names: Vec<_> = ROUTES.iter().filter(|spec| spec.template != "*").map(tag_of).collect();
    names.dedup();
    names.into_iter().map(|name| json!({ "name": name })).collect()
}
