//! Counters of TLS sessions, one set per core as ingest's others.

use std::fmt::Write as _;

use super::error::SessionError;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsMetrics {
    full: u64,
    resumed: u64,
    truncated: u64,
    failures: [u64; SessionError::ALL.len()],
}

impl TlsMetrics {
    /// Counts a finished handshake that agreed on everything anew.
    pub const fn established(&mut self) {
        self.full += 1;
    }

    /// Counts a finished handshake that took up an earlier session.
    pub const fn resumed(&mut self) {
        self.resumed += 1;
    }

    /// Counts a connection that ended without `close_notify`.
    pub const fn truncated(&mut self) {
        self.truncated += 1;
    }

    /// Counts a session that failed.
    pub const fn failed(&mut self, error: SessionError) {
        self.failures[error as usize] += 1;
    }

    /// Adds another core's counters.
    pub fn add(&mut self, other: &Self) {
        self.full += other.full;
        self.resumed += other.resumed;
        self.truncated += other.truncated;
        for (count, more) in self.failures.iter_mut().zip(other.failures) {
            *count += more;
        }
    }

    /// Appends the counters as `OpenMetrics` families.
    pub fn write(&self, out: &mut String) {
        // Writing to a String does not fail.
        writeln!(out, "# TYPE claw_tls_handshakes counter").ok();
        for (kind, count) in [("full", self.full), ("resumed", self.resumed)] {
            writeln!(out, "claw_tls_handshakes_total{{kind=\"{kind}\"}} {count}").ok();
        }
        writeln!(out, "# TYPE claw_tls_failures counter").ok();
        for (error, count) in SessionError::ALL.iter().zip(self.failures) {
            let name = error.name();
            writeln!(out, "claw_tls_failures_total{{reason=\"{name}\"}} {count}").ok();
        }
        writeln!(out, "# TYPE claw_tls_truncated counter").ok();
        writeln!(out, "claw_tls_truncated_total {}", self.truncated).ok();
    }
}
