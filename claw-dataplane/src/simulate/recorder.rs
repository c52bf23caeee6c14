//! What was measured: latency by endpoint, and the count of each outcome.
//!
//! Owns the `HdrHistogram`s (nanoseconds, three significant digits, up to a minute) and the tables
//! of outcomes and transport failures. Latency runs from the time a request was *due* (scheduled
//! arrival, or end of the pause) to the last byte of its answer. Pure.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::user::Operation;

/// Longest latency told apart, nanoseconds.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// An endpoint of the interface as shoppers use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `GET /v1/health`.
    Health,
    /// `GET /v1/products/{sku}`.
    Product,
    /// `POST /v1/holds`.
    Hold,
    /// `DELETE /v1/holds/{id}`.
    Release,
    /// `POST /v1/carts`.
    Cart,
    /// `PUT /v1/carts/{cart}/items/{sku}`.
    CartItem,
    /// `POST /v1/checkouts`.
    Checkout,
    /// `GET /v1/orders/{id}`.
    Order,
}

impl Endpoint {
    /// Every endpoint, in the order of a report.
    pub const ALL: [Self; 8] = [
        Self::Product,
        Self::Hold,
        Self::Release,
        Self::Cart,
        Self::CartItem,
        Self::Checkout,
        Self::Order,
        Self::Health,
    ];

    /// Method and path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Health => "GET /v1/health",
            Self::Product => "GET /v1/products/{sku}",
            Self::Hold => "POST /v1/holds",
            Self::Release => "DELETE /v1/holds/{id}",
            Self::Cart => "POST /v1/carts",
            Self::CartItem => "PUT /v1/carts/{cart}/items/{sku}",
            Self::Checkout => "POST /v1/checkouts",
            Self::Order => "GET /v1/orders/{id}",
        }
    }
}

impl From<&Operation> for Endpoint {
    fn from(operation: &Operation) -> Self {
        match operation {
            Operation::Checkout { .. } => Self::Checkout,
            Operation::FillCart { .. } => Self::CartItem,
            Operation::Health => Self::Health,
            Operation::Hold { .. } => Self::Hold,
            Operation::OpenCart => Self::Cart,
            Operation::Release { .. } => Self::Release,
            Operation::ViewOrder { .. } => Self::Order,
            Operation::ViewProduct { .. } => Self::Product,
        }
    }
}

/// Requests that got no answer, by cause.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Transport {
    /// Connections that could not be made.
    pub connect_failed: u64,
    /// Connections that ended while a request was out.
    pub broken: u64,
    /// Requests whose time was up.
    pub timed_out: u64,
    /// Answers that were not of the protocol, or came unasked.
    pub protocol: u64,
    /// Connections that the node closed while they were idle; not an error.
    pub closed_idle: u64,
    /// Connections that shoppers cut on purpose; not an error.
    pub cut_on_purpose: u64,
    /// Arrivals of an open loop that found every shopper busy and no room to wait.
    pub arrivals_dropped: u64,
}

impl Transport {
    /// How many are errors.
    pub const fn errors(&self) -> u64 {
        self.connect_failed + self.broken + self.timed_out + self.protocol
    }
}

/// Latency and outcomes of a run.
pub struct Recorder {
    /// Latency by endpoint, in the order of [`Endpoint::ALL`].
    pub histograms: Vec<Histogram<u64>>,
    /// Latency of every answer.
    pub total: Histogram<u64>,
    /// Count by endpoint, status and name of the problem.
    pub outcomes: BTreeMap<(Endpoint, u16), BTreeMap<String, u64>>,
    /// Requests without an answer.
    pub transport: Transport,
    /// Answers that arrived before the run's time was up.
    pub answers_in_time: u64,
    /// Answers with status 429 or 503.
    pub pushed_back: u64,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("answers", &self.total.len())
            .field("outcomes", &self.outcomes)
            .field("transport", &self.transport)
            .field("answers_in_time", &self.answers_in_time)
            .finish_non_exhaustive()
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// Nothing recorded.
    pub fn new() -> Self {
        let histogram = || {
            let mut histogram =
                Histogram::new_with_bounds(1_000, LATENCY_NS_MAX, 3).expect("valid bounds");
            histogram.auto(false);
            histogram
        };
        Self {
            histograms: Endpoint::ALL.iter().map(|_| histogram()).collect(),
            total: histogram(),
            outcomes: BTreeMap::new(),
            transport: Transport::default(),
            answers_in_time: 0,
            pushed_back: 0,
        }
    }

    /// An answer with `status` came `latency_ns` after it was due.
    pub fn record(
        &mut self,
        endpoint: Endpoint,
        status: u16,
        problem: Option<&str>,
        latency_ns: u64,
    ) {
        let index = Endpoint::ALL.iter().position(|known| *known == endpoint).expect("all named");
        self.histograms[index].saturating_record(latency_ns);
        self.total.saturating_record(latency_ns);
        if matches!(status, 429 | 503) {
            self.pushed_back += 1;
        }
        let problems = self.outcomes.entry((endpoint, status)).or_default();
        let problem = problem.unwrap_or("");
        match problems.get_mut(problem) {
            Some(count) => *count += 1,
            None => {
                problems.insert(problem.to_owned(), 1);
            }
        }
    }

    /// Latency by endpoint, those that were asked.
    pub fn by_endpoint(&self) -> impl Iterator<Item = (Endpoint, &Histogram<u64>)> {
        Endpoint::ALL.into_iter().zip(&self.histograms).filter(|(_, found)| !found.is_empty())
    }

    /// Count by endpoint, status and name of the problem (empty for none).
    pub fn outcomes(&self) -> impl Iterator<Item = (Endpoint, u16, &str, u64)> {
        self.outcomes.iter().flat_map(|((endpoint, status), problems)| {
            problems.iter().map(|(problem, count)| (*endpoint, *status, problem.as_str(), *count))
        })
    }

    /// Answers that a correct client never gets from a healthy node: 5xx other than 503, and 4xx
    /// other than business refusals and limits.
    pub fn unexpected(&self) -> u64 {
        let expected = |status: u16| matches!(status, 200..=299 | 404 | 409 | 429 | 503);
        self.outcomes().filter(|(_, status, _, _)| !expected(*status)).map(|found| found.3).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_by_endpoint_status_and_problem() {
        let mut recorder = Recorder::new();
        recorder.record(Endpoint::Hold, 201, None, 5_000);
        recorder.record(Endpoint::Hold, 409, Some("sold-out"), 6_000);
        recorder.record(Endpoint::Hold, 409, Some("sold-out"), 7_000);
        recorder.record(Endpoint::Hold, 503, Some("overloaded"), 7_000);
        recorder.record(Endpoint::Product, 401, Some("bad-signature"), 7_000);
        let found: Vec<_> = recorder.outcomes().collect();
        assert_eq!(found[1], (Endpoint::Hold, 201, "", 1));
        assert_eq!(found[2], (Endpoint::Hold, 409, "sold-out", 2));
        assert_eq!((recorder.pushed_back, recorder.unexpected()), (1, 1));
        assert_eq!(recorder.by_endpoint().count(), 2);
        assert_eq!(recorder.total.len(), 5);
    }

    #[test]
    fn latency_beyond_the_histogram_is_its_maximum_not_lost() {
        let mut recorder = Recorder::new();
        recorder.record(Endpoint::Health, 200, None, u64::MAX);
        assert_eq!(recorder.total.len(), 1);
        assert!(recorder.total.max() >= LATENCY_NS_MAX);
    }
}
