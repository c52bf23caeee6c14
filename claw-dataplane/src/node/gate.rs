//! The gate of a core: everything ingest needs between a request and its command, and back.
//!
//! Owns the keyring in force, the verifier, the compiled schema, the settings, the renderer and the
//! counters, and the order of the checks: route, signature or token, role and scope, rate. What
//! each check is belongs to `ingest`.

use std::sync::Arc;

use claw_common::id::Position;
use claw_common::time::UnixMs;
use claw_core::admission::Rate;
use claw_core::schema::CompiledSchema;

use crate::config::{Config, Payments};
use crate::ingest::auth::{Caller, Keyring, Verifier};
use crate::ingest::decode::{Scratch, Settings, headers};
use crate::ingest::http;
use crate::ingest::limits::{Limits, Rates};
use crate::ingest::metrics::IngestMetrics;
use crate::ingest::openapi::Description;
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::render::{Renderer, ReplyContext};
use crate::ingest::routes::{Match, Route, Routing, find_route};
use crate::ingest::tickets::SocketTicket;
use crate::ingest::{authorize, unrouted, wire};
use crate::subjects::{Sealer, SubjectKeys};

use super::peer::Peer;
use super::shared::Shared;

/// Sessions whose rate a core remembers; the longest idle makes room.
const SESSIONS_REMEMBERED: u32 = 65_536;

/// See the module.
#[derive(Debug)]
pub struct Gate {
    keyring: Option<Arc<Keyring>>,
    verifier: Verifier,
    scratch: Scratch,
    pub(super) wire_scratch: wire::decode::Scratch,
    pub(super) schema: Arc<CompiledSchema>,
    pub(super) settings: Settings,
    pub(super) sealer: Sealer,
    /// Whether counters are served.
    metrics_served: bool,
    pub(super) limits: Limits,
    renderer: Renderer,
    pub(super) metrics: IngestMetrics,
}

/// A request that may be decoded.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// Who asks.
    pub caller: Caller<'a>,
    /// For ed25519, what proves it.
    pub evidence: &'a [u8],
    /// The schema in force.
    pub schema: &'a CompiledSchema,
    /// The store's settings.
    pub settings: &'a Settings,
    /// Memory for decoding.
    pub scratch: &'a mut Scratch,
    /// How often sessions may ask.
    pub limits: &'a mut Limits,
    /// Seals what is personal.
    pub sealer: &'a mut Sealer,
}

impl Gate {
    /// A gate that lets nobody in until it has keys.
    pub fn new(
        config: &Config,
        schema: Arc<CompiledSchema>,
        subject_keys: Arc<SubjectKeys>,
    ) -> Self {
        let settings = Settings {
            shards_count: config.store.shards,
            hold_ttl_ms_default: config.holds.ttl_ms_default,
            checkout_ttl_ms: config.holds.ttl_ms_default,
            takes_payments: config.payments.kind == Payments::Vault,
        };
        let description = Description::of(&schema, &settings);
        let renderer = Renderer::new(config.http.cors_origins.clone(), description)
            .read_with(Arc::clone(&schema));
        Self {
            keyring: None,
            verifier: Verifier::new(&config.store.name),
            scratch: Scratch::default(),
            sealer: Sealer::new(subject_keys, Arc::clone(&schema)),
            wire_scratch: wire::decode::Scratch::default(),
            schema,
            settings,
            metrics_served: config.node.metrics,
            limits: Limits::new(&rates(config)),
            renderer,
            metrics: IngestMetrics::default(),
        }
    }

    /// Lets these keys in from now on; `true` the first time.
    pub fn use_keyring(&mut self, keyring: Arc<Keyring>) -> bool {
        self.verifier.forget_tokens();
        self.keyring.replace(keyring).is_none()
    }

    /// Seals with these keys from now on.
    pub fn use_subject_keys(&mut self, keys: Arc<SubjectKeys>) {
        self.sealer.use_keys(keys);
    }

    /// The keys in force.
    pub(super) fn keyring(&self) -> Result<&Arc<Keyring>, Problem> {
        self.keyring.as_ref().ok_or_else(not_ready)
    }

    /// The counters so far.
    pub fn metrics(&self) -> &IngestMetrics {
        &self.metrics
    }

    /// The counters, to count what happens below requests.
    pub fn metrics_mut(&mut self) -> &mut IngestMetrics {
        &mut self.metrics
    }

    /// What an answer to this request needs to know.
    pub fn context(&self, request: &http::Request<'_>) -> ReplyContext {
        ReplyContext {
            route: None,
            close: request.close,
            waited: headers::prefer_wait_s(request.fields.prefer) > 0,
            origin: self.renderer.origin(request.fields.origin),
        }
    }

    /// Whether pages of an origin may ask.
    pub fn lets_in(&self, origin: Option<&str>) -> bool {
        self.renderer.origin(origin).is_some()
    }

    /// Finds the route.
    pub fn route<'a>(&self, request: &http::Request<'a>) -> Result<Match<'a>, Problem> {
        match find_route(request.method, request.path) {
            Routing::Found(matched) if matched.route == Route::Metrics && !self.metrics_served => {
                Err(unrouted(&Routing::NoPath, request.path))
            }
            Routing::Found(matched) => Ok(matched),
            other => Err(unrouted(&other, request.path)),
        }
    }

    /// Checks who asks and whether they may.
    pub fn admit(
        &mut self,
        request: &http::Request<'_>,
        route: Route,
        now_ms: UnixMs,
    ) -> Result<Admitted<'_>, Problem> {
        let keyring = self.keyring.as_deref().ok_or_else(not_ready)?;
        let caller = self.verifier.authenticate(keyring, request, now_ms)?;
        authorize(route.spec(), &caller)?;
        let now_us = now_ms * 1_000;
        match &caller.session {
            Some(session) => self.limits.admit_session(session.as_str(), now_us)?,
            None => self.limits.admit_key(caller.name, now_us)?,
        }
        Ok(Admitted {
            caller,
            evidence: self.verifier.evidence(),
            schema: &self.schema,
            settings: &self.settings,
            scratch: &mut self.scratch,
            limits: &mut self.limits,
            sealer: &mut self.sealer,
        })
    }

    /// Answers a route that needs no signature.
    pub fn answer_open(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        matched: &Match<'_>,
        shared: &Shared,
    ) {
        let status = match matched.route {
            Route::Health => self.renderer.health(out, context),
            Route::Ready => {
                let why_not = (!shared.ready()).then_some("the node is starting or stopping");
                self.renderer.ready(out, context, why_not)
            }
            Route::Metrics => {
                let (ingest, others) = shared.gather_metrics();
                self.renderer.metrics(out, context, &ingest, &others)
            }
            Route::OpenApi => self.renderer.open_api(out, context),
            Route::Docs => self.renderer.docs(out, context),
            _ => self.renderer.preflight(out, context, matched.parameters[0]),
        };
        self.metrics.answered(context.route, status);
    }

    /// Says no.
    pub fn refuse(
        &mut self,
        peer: &mut Peer,
        ticket: http::Ticket,
        context: ReplyContext,
        problem: &Problem,
    ) {
        let (renderer, metrics) = (&mut self.renderer, &mut self.metrics);
        metrics.refused(problem.kind);
        peer.answers.complete(ticket, &mut peer.send, |out| {
            let status = renderer.problem(out, context, problem);
            metrics.answered(context.route, status);
        });
    }

    /// Writes an outcome.
    pub fn render(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        outcome: &[u8],
        position: Position,
    ) {
        let status = self
            .renderer
            .outcome(out, context, outcome, &[position])
            .expect("encoded by a shard of this version");
        self.metrics.answered(context.route, status);
    }

    /// Writes a ticket.
    pub fn render_ticket(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        ticket: SocketTicket,
    ) {
        let status = self.renderer.ticket(out, context, &ticket.to_text());
        self.metrics.answered(context.route, status);
    }

    /// Writes that a webhook was taken.
    pub fn render_received(&mut self, out: &mut Vec<u8>, context: ReplyContext) {
        let status = self.renderer.received(out, context);
        self.metrics.answered(context.route, status);
    }

    /// Writes an answer that was made elsewhere.
    pub fn render_json(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        body: &[u8],
        position: Position,
    ) {
        let status = self.renderer.json(out, context, body, &[position]);
        self.metrics.answered(context.route, status);
    }

    /// Writes a list made of every shard's part.
    pub fn render_list(
        &mut self,
        out: &mut Vec<u8>,
        context: ReplyContext,
        parts: &[Box<[u8]>],
        limit: u16,
    ) {
        let pages: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
        let status = self
            .renderer
            .products(out, context, &pages, limit)
            .expect("encoded by shards of this version");
        self.metrics.answered(context.route, status);
    }
}

fn not_ready() -> Problem {
    Problem::new(ProblemKind::NotReady, "the node is starting; try again in a second")
}

/// The configured rates. A bucket holds a second's worth, so that a page's burst passes.
fn rates(config: &Config) -> Rates {
    let rate = |per_second: Option<u32>| {
        per_second.map(|per_second| Rate { per_second, burst: per_second })
    };
    Rates {
        key: rate(config.limits.requests_per_second_per_key),
        session: rate(config.limits.requests_per_second_per_session),
        sessions_count_max: SESSIONS_REMEMBERED,
    }
}
