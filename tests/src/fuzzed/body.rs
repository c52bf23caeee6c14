//! The API's requests behind their signature: paths, queries, fields and JSON bodies.
//!
//! The promises: the node's own JSON reader takes nothing that another reader does not, and reads
//! the same; what is taken is a command that survives its own encoding within its bound; the
//! store's own members are stored as canonical JSON; scratch memory that was used before changes
//! nothing. An input is a line `METHOD target`, then the body. Deliberately not here: HTTP.

use std::cell::RefCell;

use claw_core::command::AuthMode;
use claw_dataplane::ingest::auth::Caller;
use claw_dataplane::ingest::decode::{Input, Scratch, decode, decode_ticket};
use claw_dataplane::ingest::http::head::Fields;
use claw_dataplane::ingest::http::{Request, Scheme};
use claw_dataplane::ingest::routes::{Role, Route, Routing, find_route};
use claw_dataplane::ingest::scopes::Scopes;
use serde_json::Value;

use super::routed::check_routed;
use super::store::{NOW_MS, SETTINGS, schema};

const CALLER: Caller<'static> = Caller {
    key: 1,
    name: "operator",
    role: Role::Operator,
    auth_mode: AuthMode::Ed25519,
    session: None,
    scopes: Scopes::NONE,
};
const KEY: &str = "00000000-0000-4000-8000-000000000001";

/// Routes and decodes `bytes`.
pub fn check(bytes: &[u8]) {
    thread_local! {
        static USED: RefCell<Scratch> = RefCell::default();
    }
    let line_end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let Ok(line) = std::str::from_utf8(&bytes[..line_end]) else { return };
    let body = bytes.get(line_end + 1..).unwrap_or_default();
    let Some((method, target)) = line.split_once(' ') else { return };
    let used = USED.with_borrow_mut(|scratch| ask(method, target, body, scratch));
    let fresh = ask(method, target, body, &mut Scratch::default());
    assert_eq!(used, fresh, "memory that was used before changes nothing");
    let Some(Ok(asked)) = fresh else { return };
    // White space is no body where none is wanted.
    if body.trim_ascii().is_empty() {
        return;
    }
    let value: Value = serde_json::from_slice(body).expect("what is taken is JSON");
    let again = ask(method, target, value.to_string().as_bytes(), &mut Scratch::default());
    assert_eq!(again, Some(Ok(asked)), "another reader's JSON is the same request");
}

/// What is asked, or the problem's words; none for what is answered without decoding.
fn ask(
    method: &str,
    target: &str,
    body: &[u8],
    scratch: &mut Scratch,
) -> Option<Result<String, String>> {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    let Routing::Found(matched) = find_route(method, path) else { return None };
    if !matched.route.spec().signed() {
        return None;
    }
    let fields = Fields {
        idempotency_key: Some(KEY),
        content_type: Some("application/json"),
        ..Fields::default()
    };
    let request = Request {
        method,
        target,
        path,
        query,
        authority: "a",
        fields,
        all: &[],
        body,
        close: false,
        scheme: Scheme::Http,
    };
    let (schema, settings) = (schema(), &SETTINGS);
    let input =
        Input { request: &request, matched, caller: &CALLER, schema, settings, now_ms: NOW_MS };
    let answer = if matched.route == Route::TicketCreate {
        decode_ticket(&input, scratch).map(|wish| format!("{:?}", wish.session))
    } else {
        decode(&input, scratch, check_routed)
    };
    Some(answer.map_err(|problem| problem.detail))
}
