//! Ingest's counters: answers by route and status, refusals by name. One set per core, not shared;
//! the node adds them up. Plain numbers, so counting costs nothing that can be measured.

use std::fmt::Write as _;

use super::problem::ProblemKind;
use super::routes::{ROUTES, Route};
use super::tls::TlsMetrics;

/// Statuses that are counted apart; every other one counts as the last.
const STATUSES: [u16; 20] = [
    200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409, 412, 413, 417, 422, 429, 431, 503, 100,
    500,
];
/// Rows: one per route and one for requests that found none.
const ROWS: usize = ROUTES.len() + 1;

/// Counters of one core.
#[derive(Clone, Debug)]
pub struct IngestMetrics {
    answers: [[u64; STATUSES.len()]; ROWS],
    refusals: [u64; ProblemKind::ALL.len()],
    connections: u64,
    received_bytes: u64,
    sent_bytes: u64,
    tls: TlsMetrics,
}

impl Default for IngestMetrics {
    fn default() -> Self {
        Self {
            answers: [[0; STATUSES.len()]; ROWS],
            refusals: [0; ProblemKind::ALL.len()],
            connections: 0,
            received_bytes: 0,
            sent_bytes: 0,
            tls: TlsMetrics::default(),
        }
    }
}

impl IngestMetrics {
    /// Counts an answer.
    pub fn answered(&mut self, route: Option<Route>, status: u16) {
        let row = route.map_or(ROUTES.len(), |route| usize::from(route as u8));
        let column = STATUSES.iter().position(|known| *known == status);
        self.answers[row][column.unwrap_or(STATUSES.len() - 1)] += 1;
    }

    /// Counts a refusal by name.
    pub fn refused(&mut self, kind: ProblemKind) {
        self.refusals[usize::from(kind as u8)] += 1;
    }

    /// Counts an accepted connection.
    pub const fn accepted(&mut self) {
        self.connections += 1;
    }

    /// Counts bytes received.
    pub const fn received(&mut self, bytes: u64) {
        self.received_bytes += bytes;
    }

    /// Counts bytes sent.
    pub const fn sent(&mut self, bytes: u64) {
        self.sent_bytes += bytes;
    }

    /// Counters of TLS sessions, to count in.
    pub const fn tls(&mut self) -> &mut TlsMetrics {
        &mut self.tls
    }

    /// How often a refusal was given.
    pub const fn refusals(&self, kind: ProblemKind) -> u64 {
        self.refusals[kind as usize]
    }

    /// Adds another core's counters.
    pub fn add(&mut self, other: &Self) {
        for (row, others) in self.answers.iter_mut().zip(&other.answers) {
            for (count, more) in row.iter_mut().zip(others) {
                *count += more;
            }
        }
        for (count, more) in self.refusals.iter_mut().zip(&other.refusals) {
            *count += more;
        }
        self.connections += other.connections;
        self.received_bytes += other.received_bytes;
        self.sent_bytes += other.sent_bytes;
        self.tls.add(&other.tls);
    }

    /// Appends the counters as `OpenMetrics` families.
    pub fn write(&self, out: &mut String) {
        out.push_str("# TYPE claw_ingest_answers counter\n");
        for (row, counts) in self.answers.iter().enumerate() {
            let (method, template) =
                ROUTES.get(row).map_or(("", "none"), |spec| (spec.method, spec.template));
            for (status, count) in STATUSES.iter().zip(counts).filter(|(_, count)| **count > 0) {
                let labels =
                    format!("method=\"{method}\",route=\"{template}\",status=\"{status}\"");
                write_line(out, &format!("claw_ingest_answers_total{{{labels}}}"), *count);
            }
        }
        out.push_str("# TYPE claw_ingest_refusals counter\n");
        for (kind, count) in ProblemKind::ALL.iter().zip(self.refusals) {
            let name = format!("claw_ingest_refusals_total{{reason=\"{}\"}}", kind.name());
            write_line(out, &name, count);
        }
        for (name, count) in [
            ("claw_ingest_connections", self.connections),
            ("claw_ingest_received_bytes", self.received_bytes),
            ("claw_ingest_sent_bytes", self.sent_bytes),
        ] {
            out.push_str("# TYPE ");
            out.push_str(name);
            out.push_str(" counter\n");
            write_line(out, &format!("{name}_total"), count);
        }
        self.tls.write(out);
    }
}

fn write_line(out: &mut String, name: &str, count: u64) {
    writeln!(out, "{name} {count}").expect("a String takes every byte");
}
