//! The line that says how the run goes, on stderr.
//!
//! On a terminal one line that rewrites itself twice a second; elsewhere (a log, CI) one line each
//! five seconds. Never on stdout, which is for the report. Does not measure.

use std::io::{IsTerminal as _, Write as _};

use super::recorder::Recorder;
use super::schedule::RunNs;

const TERMINAL_PERIOD_NS: RunNs = 500_000_000;
const LOG_PERIOD_NS: RunNs = 5_000_000_000;

/// The numbers of a moment.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// Since the start of the run.
    pub now_ns: RunNs,
    /// Everything recorded so far.
    pub recorder: &'a Recorder,
    /// Requests that are out.
    pub in_flight: u32,
    /// Units we were told are sold.
    pub sold: u64,
    /// Everything that should not have happened.
    pub errors: u64,
}

/// Where progress goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One line each five seconds.
    Lines,
    /// Nothing.
    Quiet,
    /// One line that rewrites itself.
    Terminal,
}

/// The line.
#[derive(Debug)]
pub struct Progress {
    style: Style,
    due_ns: RunNs,
    last_ns: RunNs,
    last_answers: u64,
    seconds: u64,
}

impl Progress {
    /// For a run of `seconds`, in the style that stderr deserves.
    pub fn on_stderr(seconds: u64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self::new(if terminal { Style::Terminal } else { Style::Lines }, seconds)
    }

    /// In a given style.
    pub const fn new(style: Style, seconds: u64) -> Self {
        Self { style, due_ns: 0, last_ns: 0, last_answers: 0, seconds }
    }

    /// Products are being made; the clock does not run yet.
    pub fn preparing(&mut self, count: usize, products_count: usize) {
        if self.style == Style::Terminal && count.is_multiple_of(50) {
            self.show(&format!("setting up: {count} of {products_count} products"));
        }
    }

    /// Connections are being made.
    pub fn connecting(&mut self, now_ns: RunNs, connected: u32) {
        if self.is_due(now_ns) {
            self.show(&format!("connecting: {connected} shoppers are in"));
        }
    }

    /// The run goes on.
    pub fn running(&mut self, snapshot: &Snapshot<'_>) {
        let now_ns = snapshot.now_ns;
        if now_ns < self.last_ns {
            // The clock starts again when everybody is connected.
            (self.last_ns, self.due_ns) = (0, 0);
        }
        if !self.is_due(now_ns) {
            return;
        }
        self.show(&self.line(snapshot));
        self.last_ns = now_ns;
        self.last_answers = snapshot.recorder.total.len();
    }

    /// Rate since the last line, everything else since the start.
    fn line(&self, snapshot: &Snapshot<'_>) -> String {
        let now_ns = snapshot.now_ns;
        let answers = snapshot.recorder.total.len();
        let gap_ms = (now_ns - self.last_ns) / 1_000_000;
        let rate = ((answers - self.last_answers) * 1000).checked_div(gap_ms).unwrap_or(0);
        let p99_us = snapshot.recorder.total.value_at_quantile(0.99) / 1000;
        format!(
            "{:>4} / {} s  {rate:>7} req/s  p99 {:>8}  in flight {:>5}  sold {:>6}  errors {}",
            now_ns / 1_000_000_000,
            self.seconds,
            in_milliseconds(p99_us),
            snapshot.in_flight,
            snapshot.sold,
            snapshot.errors,
        )
    }

    /// Ends the rewriting line, so that what follows starts on its own.
    pub fn finish(&mut self) {
        if self.style == Style::Terminal {
            self.write(b"\r\x1b[K");
        }
    }

    fn is_due(&mut self, now_ns: RunNs) -> bool {
        let due = self.style != Style::Quiet && now_ns >= self.due_ns;
        if due {
            let terminal = self.style == Style::Terminal;
            self.due_ns = now_ns + if terminal { TERMINAL_PERIOD_NS } else { LOG_PERIOD_NS };
        }
        due
    }

    fn show(&self, text: &str) {
        match self.style {
            Style::Terminal => self.write(format!("\r\x1b[K{text}").as_bytes()),
            Style::Lines => self.write(format!("{text}\n").as_bytes()),
            Style::Quiet => {}
        }
    }

    /// A progress line that cannot be written is no reason to stop measuring.
    #[expect(clippy::unused_self, reason = "only a Progress writes to stderr here")]
    fn write(&self, bytes: &[u8]) {
        let mut stderr = std::io::stderr().lock();
        if stderr.write_all(bytes).and_then(|()| stderr.flush()).is_err() {
            log::trace!("stderr is closed");
        }
    }
}

/// `1.23 ms`.
pub fn in_milliseconds(us: u64) -> String {
    format!("{}.{:02} ms", us / 1000, us % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::super::recorder::Endpoint;
    use super::*;

    #[test]
    fn line_says_rate_latency_and_sales() {
        let mut recorder = Recorder::new();
        for _ in 0..500 {
            recorder.record(Endpoint::Hold, 201, None, 2_000_000);
        }
        let mut progress = Progress::new(Style::Quiet, 30);
        progress.last_ns = 1_000_000_000;
        progress.last_answers = 100;
        let now_ns = 2_000_000_000;
        let snapshot = Snapshot { now_ns, recorder: &recorder, in_flight: 7, sold: 42, errors: 0 };
        let line = progress.line(&snapshot);
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..6], ["2", "/", "30", "s", "400", "req/s"], "{line}");
        assert!(line.contains("p99  2.00 ms"), "{line}");
        assert!(line.ends_with("in flight     7  sold     42  errors 0"), "{line}");
    }

    #[test]
    fn lines_come_at_their_period_and_not_more_often() {
        let mut progress = Progress::new(Style::Lines, 30);
        assert!(progress.is_due(0));
        assert!(!progress.is_due(LOG_PERIOD_NS - 1));
        assert!(progress.is_due(LOG_PERIOD_NS));
        assert!(!Progress::new(Style::Quiet, 30).is_due(u64::MAX));
    }
}
