//! Requests to bytes: lines, body and signature of every operation a shopper knows.
//!
//! Owns the buffers that are used again for each request, so that a request costs no allocation.
//! Does not decide what to ask (see [`super::super::user`]).

use std::io::Write as _;
use std::sync::Arc;

use claw_common::id::Id;
use claw_common::limits::TOKEN_LIFE_S_MAX;
use claw_sdk::client::now_s;
use claw_sdk::{RequestParts, Signer, TokenClaims, TokenError};

use super::super::ledger::Lines;
use super::super::scenario::Scenario;
use super::super::user::{Operation, Request, Source};

/// How long a checkout may wait for its order to be decided, seconds.
pub(super) const CHECKOUT_WAIT_S: u32 = 5;

/// What the shoppers' tokens are for.
const TOKEN_SCOPE: &str = "cart checkout";

/// Writes signed requests, or such that bear a token.
#[derive(Debug)]
pub struct RequestWriter {
    authority: String,
    session_prefix: String,
    signer: Arc<Signer>,
    /// The shoppers' own tokens; none where the signer signs.
    tokens: Vec<String>,
    path: Vec<u8>,
    body: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Target<'a> {
    method: &'a str,
    path: &'a str,
    body: &'a [u8],
    token: Option<&'a str>,
}

impl RequestWriter {
    /// Requests to `authority` in sessions whose names start with `session_prefix`.
    pub fn new(authority: &str, session_prefix: &str, signer: Arc<Signer>) -> Self {
        Self {
            authority: authority.to_owned(),
            session_prefix: session_prefix.to_owned(),
            signer,
            tokens: Vec::new(),
            path: Vec::with_capacity(128),
            body: Vec::with_capacity(1024),
        }
    }

    /// Lets each of `users` shoppers bear a token, for the store called `audience`.
    pub fn bear_tokens(&mut self, audience: &str, users: u32) -> Result<(), TokenError> {
        let tokens = (0..users).map(|user| {
            self.signer.token(&TokenClaims {
                audience,
                session: &format!("{}{user}", self.session_prefix),
                scope: TOKEN_SCOPE,
                issued_s: now_s(),
                life_s: TOKEN_LIFE_S_MAX,
            })
        });
        self.tokens = tokens.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Replaces `out` by the bytes of a shopper's request.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        scenario: &Scenario,
        user: u32,
        request: &Request,
        created_s: u64,
    ) {
        let mut path = std::mem::take(&mut self.path);
        let mut body = std::mem::take(&mut self.body);
        path.clear();
        body.clear();
        let method = write_target(&mut path, scenario, &request.operation);
        self.write_body(&mut body, scenario, user, &request.operation);
        let target = Target {
            method,
            path: std::str::from_utf8(&path).expect("paths are made of ASCII"),
            body: &body,
            token: self.tokens.get(user as usize).map(String::as_str),
        };
        self.write_head(out, &target, request, created_s);
        out.extend_from_slice(&body);
        self.path = path;
        self.body = body;
    }

    fn write_head(
        &self,
        out: &mut Vec<u8>,
        target: &Target<'_>,
        request: &Request,
        created_s: u64,
    ) {
        out.clear();
        let Target { method, path, body, token } = *target;
        let authority = &self.authority;
        put(out, format_args!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\n"));
        if !body.is_empty() {
            let length = body.len();
            put(
                out,
                format_args!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
            );
        }
        if let Operation::Checkout { .. } = request.operation {
            put(out, format_args!("Prefer: wait={CHECKOUT_WAIT_S}\r\n"));
        }
        if !matches!(request.operation, Operation::Health) {
            let key = request.key.map(Id::to_text);
            let idempotency_key =
                key.as_ref().map(|text| std::str::from_utf8(text).expect("an id is ASCII"));
            if let Some(token) = token {
                put(out, format_args!("Authorization: Bearer {token}\r\n"));
                if let Some(key) = idempotency_key {
                    put(out, format_args!("Idempotency-Key: {key}\r\n"));
                }
            } else {
                let parts =
                    RequestParts { method, authority, path, query: None, body, idempotency_key };
                self.signer.sign_into(out, &parts, created_s);
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    fn write_body(
        &self,
        body: &mut Vec<u8>,
        scenario: &Scenario,
        user: u32,
        operation: &Operation,
    ) {
        let prefix = &self.session_prefix;
        match operation {
            Operation::ViewProduct { .. }
            | Operation::ViewOrder { .. }
            | Operation::Health
            | Operation::Release { .. } => {}
            Operation::FillCart { line, .. } => {
                put(body, format_args!("{{\"quantity\":{}}}", line.quantity));
            }
            Operation::OpenCart => put(body, format_args!("{{\"session\":\"{prefix}{user}\"}}")),
            Operation::Hold { lines, ttl_ms } => {
                put(body, format_args!("{{\"session\":\"{prefix}{user}\","));
                write_lines(body, scenario, lines);
                if let Some(ttl_ms) = ttl_ms {
                    put(body, format_args!(",\"ttl_ms\":{ttl_ms}"));
                }
                body.push(b'}');
            }
            Operation::Checkout { source, lines, coupon } => {
                put(body, format_args!("{{\"session\":\"{prefix}{user}\","));
                match source {
                    Source::Cart(cart) => put(body, format_args!("\"cart_id\":\"{cart}\"")),
                    Source::Hold(hold) => put(body, format_args!("\"hold_id\":\"{hold}\"")),
                    Source::Items => write_lines(body, scenario, lines),
                }
                if let Some(coupon) = coupon {
                    let code = &scenario.coupons[*coupon].code;
                    put(body, format_args!(",\"coupon\":\"{code}\""));
                }
                if !scenario.payment.is_empty() {
                    let token = &scenario.payment;
                    put(body, format_args!(",\"payment\":{{\"token\":\"{token}\"}}"));
                }
                body.push(b'}');
            }
        }
    }
}

fn write_lines(body: &mut Vec<u8>, scenario: &Scenario, lines: &Lines) {
    body.extend_from_slice(b"\"items\":[");
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        let sku = &scenario.products[line.product as usize].sku;
        put(body, format_args!("{{\"sku\":\"{sku}\",\"quantity\":{}}}", line.quantity));
    }
    body.push(b']');
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes every byte");
}

fn write_target(path: &mut Vec<u8>, scenario: &Scenario, operation: &Operation) -> &'static str {
    let sku = |product: u32| &scenario.products[product as usize].sku;
    match *operation {
        Operation::ViewProduct { product } => {
            put(path, format_args!("/v1/products/{}", sku(product)));
            "GET"
        }
        Operation::ViewOrder { order } => {
            put(path, format_args!("/v1/orders/{order}"));
            "GET"
        }
        Operation::Health => {
            path.extend_from_slice(b"/v1/health");
            "GET"
        }
        Operation::Release { hold } => {
            put(path, format_args!("/v1/holds/{hold}"));
            "DELETE"
        }
        Operation::FillCart { cart, line } => {
            put(path, format_args!("/v1/carts/{cart}/items/{}", sku(line.product)));
            "PUT"
        }
        Operation::Hold { .. } => {
            path.extend_from_slice(b"/v1/holds");
            "POST"
        }
        Operation::OpenCart => {
            path.extend_from_slice(b"/v1/carts");
            "POST"
        }
        Operation::Checkout { .. } => {
            path.extend_from_slice(b"/v1/checkouts");
            "POST"
        }
    }
}
