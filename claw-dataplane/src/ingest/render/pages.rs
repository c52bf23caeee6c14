//! Answers of the unsigned routes: health, readiness, counters, the interface's description, and
//! what browsers ask before they ask.

use serde_json::{Map, Value, json};

use super::{Extra, Head, JSON, Renderer, ReplyContext};
use crate::ingest::metrics::IngestMetrics;
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::routes::{ROUTES, RouteSpec};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Renderer {
    /// Answers `/v1/health`: the process lives and serves.
    pub fn health(&mut self, out: &mut Vec<u8>, context: ReplyContext) -> u16 {
        self.page(out, context, JSON, b"{\"status\":\"alive\"}")
    }

    /// Answers `/v1/ready`; `why_not` says what is missing.
    pub fn ready(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        why_not: Option<&str>,
    ) -> u16 {
        match why_not {
            None => self.page(out, context, JSON, b"{\"status\":\"ready\"}"),
            Some(why) => self.problem(out, context, &Problem::new(ProblemKind::NotReady, why)),
        }
    }

    /// Answers `/metrics` with ingest's counters, then `others` (`OpenMetrics` families of the
    /// node's other parts, without the closing line).
    pub fn metrics(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        ingest: &IngestMetrics,
        others: &str,
    ) -> u16 {
        let mut text = String::new();
        ingest.write(&mut text);
        text.push_str(others);
        text.push_str("# EOF\n");
        self.page(out, context, OPEN_METRICS, text.as_bytes())
    }

    /// Answers `/openapi.json`.
    pub fn open_api(&mut self, out: &mut Vec<u8>, context: ReplyContext) -> u16 {
        let text = describe_interface().to_string();
        self.page(out, context, JSON, text.as_bytes())
    }

    /// Answers `OPTIONS` of any path: its methods, and to a page of one of the store's origins what
    /// it may send.
    pub fn preflight(&mut self, out: &mut Vec<u8>, context: ReplyContext, path: &str) -> u16 {
        self.body.clear();
        let extra = match context.origin {
            Some(_) => Extra::Preflight(path),
            None => Extra::Allow(path),
        };
        let head = Head { extra, ..Head::plain(204, JSON) };
        self.finish(out, context, &head);
        204
    }

    fn page(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        content_type: &str,
        body: &[u8],
    ) -> u16 {
        self.body.clear();
        self.body.extend_from_slice(body);
        self.finish(out, context, &Head::plain(200, content_type));
        200
    }
}

/// The interface as `OpenAPI` 3.1, made from the table of routes.
pub fn describe_interface() -> Value {
    let mut paths = Map::new();
    for spec in ROUTES.iter().filter(|spec| spec.template.starts_with('/')) {
        let path = paths.entry(spec.template).or_insert_with(|| Value::Object(Map::new()));
        path[spec.method.to_ascii_lowercase()] = describe_route(spec);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "OpenClaw", "version": "1" },
        "paths": paths,
        "components": {
            "schemas": { "Problem": describe_problem() },
            "securitySchemes": {
                "signature": {
                    "type": "http",
                    "scheme": "signature",
                    "description": "RFC 9421 message signature, ed25519 or hmac-sha256"
                }
            }
        }
    })
}

fn describe_route(spec: &RouteSpec) -> Value {
    let mut parameters: Vec<Value> = spec
        .template
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    if spec.unsafe_method() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": true,
            "schema": { "type": "string", "format": "uuid" }
        }));
    }
    let roles: Vec<_> = spec.roles.names().collect();
    let security = if spec.signed() { json!([{ "signature": [] }]) } else { json!([]) };
    json!({
        "summary": spec.summary,
        "operationId": format!("{:?}", spec.route),
        "parameters": parameters,
        "security": security,
        "x-claw-roles": roles,
        "responses": {
            "2XX": { "description": "Done" },
            "default": {
                "description": "A problem",
                "content": { "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/Problem" }
                } }
            }
        }
    })
}

fn describe_problem() -> Value {
    let types: Vec<_> = ProblemKind::ALL
        .iter()
        .map(|kind| format!("urn:openclaw:problem:{}", kind.name()))
        .collect();
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string", "enum": types },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" }
        }
    })
}
