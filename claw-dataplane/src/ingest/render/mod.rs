//! From encoded outcomes and problems to answers on the wire.
//!
//! [`Renderer`] writes heads; [`views`] and [`refusal`] write bodies, [`list`] merges the pages of
//! shards, [`pages`] answers the unsigned routes. A body is written first, since its length stands
//! in the head; both go to the connection's send buffer, and nothing allocates once warm.

pub mod list;
pub mod pages;
pub mod refusal;
pub mod text;
pub mod today;
pub mod views;
pub mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use claw_common::id::Position;
use claw_core::codec::{CodecError, Decode as _, Reader};
use claw_core::outcome::{OrderState, Outcome};
use claw_core::schema::CompiledSchema;

use self::text::write_number;
use self::today::attributes_today;
use super::openapi::{Description, contract_of, may_refuse};
use super::problem::{Member, Problem, ProblemKind};
use super::routes::Route;

const JSON: &str = "application/json";
const PROBLEM_JSON: &str = "application/problem+json";

/// What must be remembered of a request until its answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyContext {
    /// Its route, when it has one.
    pub route: Option<Route>,
    /// Whether the connection ends with the answer.
    pub close: bool,
    /// Whether it asked to wait for the order (`Prefer: wait`).
    pub waited: bool,
    /// Which of the configured origins asks: see [`Renderer::origin`].
    pub origin: Option<u16>,
}

/// Seconds to wait before a momentary refusal is worth a retry.
const RETRY_AFTER_S: u32 = 1;

/// Writes answers; keeps its buffer. Contexts are taken by value or by reference.
#[derive(Debug, Default)]
pub struct Renderer {
    body: Vec<u8>,
    origins: Vec<String>,
    description: Description,
    /// Reads attributes that an older schema wrote.
    schema: Option<Arc<CompiledSchema>>,
}

/// A head's particulars.
#[derive(Clone, Copy, Debug)]
struct Head<'a> {
    status: u16,
    content_type: &'a str,
    positions: &'a [Position],
    retry_after_s: Option<u32>,
    extra: Extra<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Extra<'a> {
    None,
    /// `ETag`.
    Version(u64),
    /// `Location`: folder and id.
    Location(&'a str, claw_common::id::Id),
    /// `WWW-Authenticate`.
    Challenge(Challenge<'a>),
    /// `Allow`, for a path.
    Allow(&'a str),
    /// What a browser may do with a path.
    Preflight(&'a str),
    /// What a page may load: what is in it, and nothing else.
    Page(&'a str),
}

/// What would be let in (RFC 9421 has no scheme of its own; RFC 6750, section 3).
#[derive(Clone, Copy, Debug)]
enum Challenge<'a> {
    Signature,
    SignatureOrToken,
    /// The token is not good.
    Token,
    /// It is, for other things than these scopes.
    Scope(&'a str),
}

impl Renderer {
    /// With the origins that browsers may ask from, and the interface's description.
    pub const fn new(origins: Vec<String>, description: Description) -> Self {
        Self { body: Vec::new(), origins, description, schema: None }
    }

    /// Shows attributes as this schema reads them, whatever version they were written with.
    #[must_use]
    pub fn read_with(mut self, schema: Arc<CompiledSchema>) -> Self {
        self.schema = Some(schema);
        self
    }

    /// The number of a configured origin.
    pub fn origin(&self, field: Option<&str>) -> Option<u16> {
        let field = field?;
        let index = self.origins.iter().position(|origin| origin == field)?;
        u16::try_from(index).ok()
    }

    /// Appends the answer that an outcome is, and returns its status.
    pub fn outcome(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        encoded: &[u8],
        positions: &[Position],
    ) -> Result<u16, CodecError> {
        let outcome = Outcome::decode(&mut Reader::new(encoded))?;
        self.body.clear();
        let (status, extra) = self.write_outcome(&outcome, context);
        let refused = matches!(outcome, Outcome::Refused(_));
        assert_described(context.route, &outcome, status);
        let head = Head {
            status,
            content_type: if refused { PROBLEM_JSON } else { JSON },
            positions,
            retry_after_s: (refused && status == 503).then_some(RETRY_AFTER_S),
            extra,
        };
        self.finish(out, context, &head);
        Ok(status)
    }

    /// Appends a list of products made of every shard's page.
    pub fn products(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        pages: &[&[u8]],
        limit: u16,
    ) -> Result<u16, CodecError> {
        self.body.clear();
        let Self { body, schema, .. } = self;
        let schema = schema.as_deref();
        list::write_products(body, (pages, limit), |view| attributes_today(schema, view))?;
        self.finish(out, context, &Head::plain(200, JSON));
        Ok(200)
    }

    /// Appends a document that was made elsewhere, and returns its status.
    pub fn json(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        document: &[u8],
        positions: &[Position],
    ) -> u16 {
        self.body.clear();
        self.body.extend_from_slice(document);
        self.finish(out, context, &Head { positions, ..Head::plain(200, JSON) });
        200
    }

    /// Appends a problem of ingest or the node, and returns its status.
    pub fn problem(&mut self, out: &mut Vec<u8>, context: ReplyContext, problem: &Problem) -> u16 {
        self.body.clear();
        refusal::write_problem(&mut self.body, problem);
        let status = problem.kind.status();
        debug_assert!(
            context.route.is_none_or(|route| may_refuse(route, problem.kind)),
            "not in openapi::contract: {context:?} {problem:?}"
        );
        let extra = match (problem.kind, problem.members.first()) {
            (ProblemKind::MethodNotAllowed, Some((_, Member::Text(path)))) => Extra::Allow(path),
            (ProblemKind::InsufficientScope, Some((_, Member::Text(scopes)))) => {
                Extra::Challenge(Challenge::Scope(scopes))
            }
            (ProblemKind::Unsigned, _) => Extra::Challenge(Challenge::SignatureOrToken),
            _ if status == 401 && problem.of_token => Extra::Challenge(Challenge::Token),
            _ if status == 401 => Extra::Challenge(Challenge::Signature),
            _ => Extra::None,
        };
        let retry_after_s = problem.retry_after_s;
        let head = Head { retry_after_s, extra, ..Head::plain(status, PROBLEM_JSON) };
        self.finish(out, context, &head);
        status
    }

    /// Appends a ticket.
    pub fn ticket(&mut self, out: &mut Vec<u8>, context: ReplyContext, text: &str) -> u16 {
        self.body.clear();
        for part in ["{\"ticket\":\"", text, "\"}"] {
            self.body.extend_from_slice(part.as_bytes());
        }
        self.finish(out, context, &Head::plain(201, JSON));
        201
    }

    /// Appends that a webhook was taken.
    pub fn received(&mut self, out: &mut Vec<u8>, context: ReplyContext) -> u16 {
        self.body.clear();
        self.body.extend_from_slice(b"{\"received\":true}");
        self.finish(out, context, &Head::plain(200, JSON));
        200
    }

    /// Appends `100 Continue`.
    pub fn proceed(out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    #[expect(clippy::too_many_lines, reason = "a table: one row for each outcome")]
    fn write_outcome(
        &mut self,
        outcome: &Outcome<'_>,
        context: ReplyContext,
    ) -> (u16, Extra<'static>) {
        let body = &mut self.body;
        let made = |created| if created { 201 } else { 200 };
        match outcome {
            Outcome::Product(view) => {
                let attributes = attributes_today(self.schema.as_deref(), view);
                views::write_product(body, view, &attributes);
                (made(view.created), Extra::Version(view.version))
            }
            Outcome::Coupon(view) => {
                views::write_coupon(body, view);
                (made(view.created), Extra::None)
            }
            Outcome::State(view) => {
                views::write_state(body, view);
                (200, Extra::None)
            }
            Outcome::CartCreated { cart } => {
                body.extend_from_slice(b"{\"cart_id\":");
                text::write_id(body, *cart);
                body.push(b'}');
                (201, Extra::Location("/v1/carts/", *cart))
            }
            Outcome::Cart(view) => {
                views::write_cart(body, view);
                (200, Extra::None)
            }
            Outcome::Hold(view) => {
                views::write_hold(body, view);
                let location = Extra::Location("/v1/holds/", view.hold);
                (made(view.created), if view.created { location } else { Extra::None })
            }
            Outcome::Order(view) if context.route == Some(Route::CheckoutCreate) => {
                let settled = matches!(
                    view.state,
                    OrderState::Placed
                        | OrderState::Shipped
                        | OrderState::Cancelled
                        | OrderState::Refunded
                );
                let whole = context.waited && settled;
                if whole {
                    views::write_order(body, view);
                } else {
                    views::write_order_started(body, view);
                }
                (if whole { 200 } else { 202 }, Extra::Location("/v1/orders/", view.order))
            }
            Outcome::Order(view) => {
                views::write_order(body, view);
                (200, Extra::None)
            }
            Outcome::Saga(view) => {
                views::write_saga(body, view);
                (200, Extra::None)
            }
            Outcome::Sagas { count, views, more } => {
                views::write_sagas(body, *count, views, *more);
                (200, Extra::None)
            }
            Outcome::KeyChanged | Outcome::SubjectForgotten => {
                body.extend_from_slice(b"{}");
                (200, Extra::None)
            }
            Outcome::EventRecorded { event, name, version } => {
                views::write_event_recorded(body, *event, (name, *version));
                (201, Extra::None)
            }
            Outcome::SessionChanges { .. } => unreachable!("a WebSocket tells them"),
            Outcome::OrderRecords { .. } => unreachable!("the prover makes a receipt of them"),
            Outcome::Products { .. } => unreachable!("lists are merged from pages"),
            Outcome::Refused(refused) => {
                refusal::write_refusal(body, refused);
                (refusal::kind_of(refused).status(), Extra::None)
            }
        }
    }

    /// Appends head and body.
    fn finish(&self, out: &mut Vec<u8>, context: ReplyContext, head: &Head<'_>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status_line(head.status).as_bytes());
        if head.status != 204 {
            out.extend_from_slice(b"\r\nContent-Type: ");
            out.extend_from_slice(head.content_type.as_bytes());
            out.extend_from_slice(b"\r\nContent-Length: ");
            write_number(out, u64::try_from(self.body.len()).expect("a length fits"));
        }
        write_positions(out, head.positions);
        if let Some(seconds) = head.retry_after_s {
            out.extend_from_slice(b"\r\nRetry-After: ");
            write_number(out, u64::from(seconds));
        }
        write_extra(out, head.extra);
        if context.close {
            out.extend_from_slice(b"\r\nConnection: close");
        }
        self.write_origin(out, context);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.body);
    }

    /// Who may read the answer. Only named origins, never credentials of a browser's own: a token
    /// travels in a header that a page must set itself. Where any origin may ask, every answer says
    /// that it differs by origin, also to those who may not: caches keep them apart.
    fn write_origin(&self, out: &mut Vec<u8>, context: ReplyContext) {
        if !self.origins.is_empty() {
            out.extend_from_slice(b"\r\nVary: Origin");
        }
        let Some(origin) = context.origin.and_then(|n| self.origins.get(usize::from(n))) else {
            return;
        };
        out.extend_from_slice(b"\r\nAccess-Control-Allow-Origin: ");
        out.extend_from_slice(origin.as_bytes());
        out.extend_from_slice(
            b"\r\nAccess-Control-Expose-Headers: Claw-Position, ETag, Location, Retry-After",
        );
    }
}

impl Head<'_> {
    const fn plain(status: u16, content_type: &str) -> Head<'_> {
        Head { status, content_type, positions: &[], retry_after_s: None, extra: Extra::None }
    }
}

/// In debug builds: the answer is one that the interface's description names.
fn assert_described(route: Option<Route>, outcome: &Outcome<'_>, status: u16) {
    let described = route.is_none_or(|route| match outcome {
        Outcome::Refused(refused) => may_refuse(route, refusal::kind_of(refused)),
        _ => contract_of(route).allows(status),
    });
    debug_assert!(described, "not in openapi::contract: {route:?} {status} {outcome:?}");
}

fn write_positions(out: &mut Vec<u8>, positions: &[Position]) {
    for (index, position) in positions.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\r\nClaw-Position: " } else { b"," });
        write_number(out, u64::from(position.shard.0));
        out.push(b':');
        write_number(out, position.sequence);
    }
}

fn write_extra(out: &mut Vec<u8>, extra: Extra<'_>) {
    match extra {
        Extra::None => {}
        Extra::Version(version) => {
            out.extend_from_slice(b"\r\nETag: \"");
            write_number(out, version);
            out.push(b'"');
        }
        Extra::Location(folder, id) => {
            out.extend_from_slice(b"\r\nLocation: ");
            out.extend_from_slice(folder.as_bytes());
            out.extend_from_slice(&id.to_text());
        }
        Extra::Challenge(challenge) => write_challenge(out, challenge),
        Extra::Allow(path) => write_methods(out, b"\r\nAllow: OPTIONS", path),
        Extra::Preflight(path) => {
            write_methods(out, b"\r\nAllow: OPTIONS", path);
            write_methods(out, b"\r\nAccess-Control-Allow-Methods: OPTIONS", path);
            out.extend_from_slice(
                b"\r\nAccess-Control-Allow-Headers: Authorization, Claw-After, Content-Digest, \
                  Content-Type, Idempotency-Key, If-Match, Prefer, Signature, Signature-Input\
                  \r\nAccess-Control-Max-Age: 600",
            );
        }
        Extra::Page(policy) => {
            out.extend_from_slice(b"\r\nContent-Security-Policy: ");
            out.extend_from_slice(policy.as_bytes());
            out.extend_from_slice(
                b"\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer",
            );
        }
    }
}

/// A line that names the methods of a path, from the table of routes.
fn write_methods(out: &mut Vec<u8>, start: &[u8], path: &str) {
    out.extend_from_slice(start);
    for method in super::routes::methods_of(path) {
        out.extend_from_slice(b", ");
        out.extend_from_slice(method.as_bytes());
    }
}

fn write_challenge(out: &mut Vec<u8>, challenge: Challenge<'_>) {
    out.extend_from_slice(b"\r\nWWW-Authenticate: ");
    match challenge {
        Challenge::Signature => out.extend_from_slice(b"Signature"),
        Challenge::SignatureOrToken => out.extend_from_slice(b"Signature, Bearer"),
        Challenge::Token => out.extend_from_slice(b"Bearer error=\"invalid_token\""),
        Challenge::Scope(scopes) => {
            out.extend_from_slice(b"Bearer error=\"insufficient_scope\", scope=\"");
            out.extend_from_slice(scopes.as_bytes());
            out.push(b'"');
        }
    }
}

const fn status_line(status: u16) -> &'static str {
    match status {
        200 => "200 OK",
        201 => "201 Created",
        202 => "202 Accepted",
        204 => "204 No Content",
        400 => "400 Bad Request",
        401 => "401 Unauthorized",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        405 => "405 Method Not Allowed",
        408 => "408 Request Timeout",
        409 => "409 Conflict",
        412 => "412 Precondition Failed",
        413 => "413 Content Too Large",
        417 => "417 Expectation Failed",
        422 => "422 Unprocessable Content",
        429 => "429 Too Many Requests",
        431 => "431 Request Header Fields Too Large",
        503 => "503 Service Unavailable",
        _ => "500 Internal Server Error",
    }
}
