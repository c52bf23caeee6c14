//! A signed `POST /v1/holds` through the node's HTTP stages.
//!
//! Owns the signed requests and the order in which the parts are called, which is the order of
//! `node::intake`. One connection; each request arrives in a piece of its own.

use std::hint::black_box;

use anyhow::{Result, anyhow};
use claw_common::id::{Position, ShardId};
use claw_core::admission::Rate;
use claw_core::command::{AuthMode, Command, ReplyTo};
use claw_core::schema::{CompiledSchema, SchemaFile};
use claw_dataplane::ingest::auth::{Keyring, Verifier};
use claw_dataplane::ingest::authorize;
use claw_dataplane::ingest::decode::{Input, Scratch, Settings, decode};
use claw_dataplane::ingest::http::{
    Connection, Event, Flow, Request, ResponseQueue, Ticket, Timeouts,
};
use claw_dataplane::ingest::limits::{Limits, Rates};
use claw_dataplane::ingest::openapi::Description;
use claw_dataplane::ingest::render::{Renderer, ReplyContext};
use claw_dataplane::ingest::routes::{Match, Routing, find_route};
use claw_sdk::key::{Signer, generate_secret};
use claw_sdk::signature::sign::RequestParts;

use super::backend::{Asked, Backend, HOLD_TTL_MS, NOW_MS};
use super::{BATCH_COUNT, Fill, Pipeline, Stage};
use crate::greeting;

pub(super) const SETTINGS: Settings = Settings {
    shards_count: 1,
    hold_ttl_ms_default: 60_000,
    checkout_ttl_ms: 30_000,
    takes_payments: false,
};
/// Requests a second that a key or a session may ask: counted, and never the reason to wait.
const RATE_MAX: u32 = 10_000_000;
/// Sessions that ask, in turn.
pub(super) const SESSIONS_COUNT: usize = 1_000;

/// See the module.
pub(super) struct HttpHolds {
    requests: Vec<Vec<u8>>,
    next: usize,
    connection: Connection,
    front: Front,
    send: Vec<u8>,
    renderer: Renderer,
}

/// What stands between a request and its decision.
struct Front {
    until: Stage,
    keyring: Keyring,
    verifier: Verifier,
    limits: Limits,
    scratch: Scratch,
    schema: CompiledSchema,
    answers: ResponseQueue,
    contexts: Vec<(Ticket, ReplyContext)>,
    backend: Backend,
}

impl HttpHolds {
    /// `count` signed requests, to be served up to a stage.
    pub(super) fn new(count: usize, until: Stage) -> Result<Self> {
        let (signer, keyring) = key()?;
        Ok(Self {
            requests: (0..count).map(|number| signed_hold(&signer, number)).collect(),
            next: 0,
            connection: Connection::new(NOW_MS, Timeouts::default()),
            front: Front {
                until,
                keyring,
                verifier: Verifier::default(),
                limits: limits()?,
                scratch: Scratch::default(),
                schema: schema()?,
                answers: ResponseQueue::default(),
                contexts: Vec::with_capacity(BATCH_COUNT),
                backend: Backend::new(until, Fill::HOT),
            },
            send: Vec::with_capacity(BATCH_COUNT * 1024),
            renderer: Renderer::new(Vec::new(), Description::of(&schema()?, &SETTINGS)),
        })
    }

    fn finish_batch(&mut self) {
        let Front { until, backend, answers, contexts, .. } = &mut self.front;
        let (send, renderer) = (&mut self.send, &mut self.renderer);
        backend.finish_batch(|to, outcome, sequence| {
            if *until < Stage::Render {
                black_box(outcome);
                return;
            }
            let (ticket, context) = contexts[usize::try_from(to.0).expect("a batch's index")];
            answers.complete(ticket, send, |out| {
                let positions = [Position { shard: ShardId(0), sequence }];
                renderer
                    .outcome(out, context, outcome, &positions)
                    .expect("encoded by the shard of this version");
            });
        });
        black_box(&*send);
        send.clear();
        contexts.clear();
    }
}

impl Pipeline for HttpHolds {
    fn serve(&mut self, count: usize) {
        for number in self.next..self.next + count {
            let (now_ms, front) = (self.front.backend.now_ms, &mut self.front);
            self.connection.ingest(&self.requests[number], now_ms, &mut |event| {
                let Event::Request(request) = event else { panic!("a request: {event:?}") };
                front.take(request);
                Flow::Continue
            });
            if (number + 1).is_multiple_of(BATCH_COUNT) && self.front.until >= Stage::Decide {
                self.finish_batch();
            }
        }
        self.next += count;
    }
}

impl Front {
    fn take(&mut self, request: &Request<'_>) {
        let Routing::Found(matched) = find_route(request.method, request.path) else {
            panic!("holds have a route")
        };
        if self.until == Stage::Grammar {
            black_box((request, matched));
            return;
        }
        self.authenticate(request, matched);
    }

    fn authenticate(&mut self, request: &Request<'_>, matched: Match<'_>) {
        let now_ms = self.backend.now_ms;
        let caller = self.verifier.authenticate(&self.keyring, request, now_ms).expect("signed");
        authorize(matched.route.spec(), &caller).expect("a storefront may hold");
        self.limits.admit_key(caller.name, now_ms * 1_000).expect("below the rate");
        if self.until == Stage::Signature {
            black_box(caller);
            return;
        }
        let input = Input {
            request,
            matched,
            caller: &caller,
            schema: &self.schema,
            settings: &SETTINGS,
            now_ms,
        };
        let Self { scratch, limits, backend, answers, contexts, until, .. } = self;
        decode(&input, scratch, |routed| {
            let Command::CreateHold { session, .. } = routed.command else { panic!("a hold") };
            limits.admit_session(session, now_ms * 1_000).expect("below the rate");
            if *until == Stage::Decode {
                black_box(routed);
                return;
            }
            let reply_to = ReplyTo(u64::try_from(contexts.len()).expect("a batch's index"));
            contexts.push((answers.open(), ReplyContext::default()));
            let asked = Asked {
                command: routed.command,
                identity: routed.identity,
                auth_mode: AuthMode::HmacSha256,
            };
            backend.decide(&asked, reply_to);
        })
        .expect("a valid hold");
    }
}

/// A storefront's HMAC key, on both sides.
pub(super) fn key() -> Result<(Signer, Keyring)> {
    greeting::keys(&generate_secret()?)
}

/// A schema without declarations of the store's own.
pub(super) fn schema() -> Result<CompiledSchema> {
    let text = "[schema]\nversion = 1\n".to_owned();
    let file = SchemaFile { name: "schema.toml".to_owned(), text };
    CompiledSchema::parse(&[file]).map_err(|found| anyhow!("an empty schema: {found:?}"))
}

/// Rates that are asked and never exceeded.
pub(super) fn limits() -> Result<Limits> {
    let rate = Some(Rate { per_second: RATE_MAX, burst: RATE_MAX });
    let sessions_count_max = u32::try_from(SESSIONS_COUNT)?;
    Ok(Limits::new(&Rates { key: rate, session: rate, sessions_count_max }))
}

fn signed_hold(signer: &Signer, number: usize) -> Vec<u8> {
    let key = format!("00000000-0000-4000-8000-{number:012}");
    let (session, sku) = (number % SESSIONS_COUNT, Fill::HOT.sku(number));
    let body = format!(
        "{{\"session\":\"s{session}\",\"items\":[{{\"sku\":\"{sku}\",\"quantity\":1}}],\
         \"ttl_ms\":{HOLD_TTL_MS}}}"
    );
    let parts = RequestParts {
        method: "POST",
        authority: "127.0.0.1:7070",
        path: "/v1/holds",
        query: None,
        body: body.as_bytes(),
        idempotency_key: Some(&key),
    };
    let length = body.len();
    let mut bytes = format!(
        "POST /v1/holds HTTP/1.1\r\nHost: 127.0.0.1:7070\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n"
    )
    .into_bytes();
    signer.sign_into(&mut bytes, &parts, NOW_MS / 1000);
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body.as_bytes());
    bytes
}
