//! Answers of the unsigned routes: health, readiness, counters, the interface's description, and
//! what browsers ask before they ask.

use std::sync::Arc;

use super::{Extra, Head, JSON, Renderer, ReplyContext};
use crate::ingest::metrics::IngestMetrics;
use crate::ingest::problem::{Problem, ProblemKind};

const HTML: &str = "text/html; charset=utf-8";
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
        let text = Arc::clone(&self.description.json);
        self.page(out, context, JSON, &text)
    }

    /// Answers `/docs`.
    pub fn docs(&mut self, out: &mut Vec<u8>, context: ReplyContext) -> u16 {
        self.body.clear();
        self.body.extend_from_slice(&self.description.page);
        let policy = Extra::Page(&self.description.page_policy);
        let head = Head { extra: policy, ..Head::plain(200, HTML) };
        self.finish(out, context, &head);
        200
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
