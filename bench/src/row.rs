//! One row of the results: what was done, and what came of it.
//!
//! Owns the arithmetic over runs (median, least, most) and the rule that a run with an error or
//! with books that do not agree makes its row not count. Does not run anything.

use claw_dataplane::simulate::report::Latency;
use serde::Serialize;

/// How requests arrive.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Load {
    /// Connections, each with at most one request out.
    pub(crate) connections: u32,
    /// Arrivals a second of an open loop; none in a closed one.
    pub(crate) rate: Option<u32>,
}

impl Load {
    /// Each connection asks again as soon as it is answered.
    pub(crate) const fn closed(connections: u32) -> Self {
        Self { connections, rate: None }
    }

    /// Arrivals on a schedule; latency counts from it.
    pub(crate) fn open(connections: u32, rate: u64) -> Self {
        Self { connections, rate: Some(u32::try_from(rate).unwrap_or(u32::MAX).max(1)) }
    }

    /// Why a run at this rate does not count: the schedule was not met, so that what was measured
    /// is a queue.
    pub(crate) fn excuse(self, per_second: u64) -> Option<String> {
        let rate = u64::from(self.rate?);
        (per_second * 100 < rate * 95).then(|| format!("{per_second}/s of {rate}/s were answered"))
    }

    /// For a table.
    pub(crate) fn in_words(self) -> String {
        match self.rate {
            None => "closed".to_owned(),
            Some(rate) => format!("open {rate}/s"),
        }
    }
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) per_second: u64,
    pub(crate) latency: Latency,
    /// Why it does not count.
    pub(crate) excuse: Option<String>,
    /// What else is worth knowing, such as the load's own share of its core.
    pub(crate) remark: String,
}

/// Median, least and most of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl Spread {
    /// Of at least one number.
    pub(crate) fn of(mut numbers: Vec<u64>) -> Self {
        assert!(!numbers.is_empty(), "a row has a run");
        numbers.sort_unstable();
        let (least, most) = (numbers[0], numbers[numbers.len() - 1]);
        Self { median: numbers[numbers.len() / 2], least, most }
    }
}

/// What a row does, in words that stand in the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Subject {
    pub(crate) system: String,
    pub(crate) operation: &'static str,
    pub(crate) hot_share: &'static str,
    pub(crate) durability: String,
    pub(crate) cores: String,
}

/// A row.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) load: Load,
    pub(crate) per_second: Spread,
    pub(crate) p50_us: Spread,
    pub(crate) p99_us: Spread,
    /// Why the row does not count.
    pub(crate) excuse: Option<String>,
    pub(crate) runs: Vec<Run>,
}

impl Row {
    /// Puts runs together.
    pub(crate) fn new(subject: Subject, load: Load, runs: Vec<Run>) -> Self {
        let spread = |number: fn(&Run) -> u64| Spread::of(runs.iter().map(number).collect());
        Self {
            per_second: spread(|run| run.per_second),
            p50_us: spread(|run| run.latency.p50_ns / 1000),
            p99_us: spread(|run| run.latency.p99_ns / 1000),
            excuse: runs.iter().find_map(|run| run.excuse.clone()),
            subject,
            load,
            runs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_median_least_and_most() {
        assert_eq!(Spread::of(vec![3, 9, 5]), Spread { median: 5, least: 3, most: 9 });
        assert_eq!(Spread::of(vec![7]), Spread { median: 7, least: 7, most: 7 });
    }

    #[test]
    fn open_loop_that_is_not_kept_up_with_does_not_count() {
        assert_eq!(Load::open(1, 100).excuse(95), None);
        assert!(Load::open(1, 100).excuse(94).is_some());
        assert_eq!(Load::closed(1).excuse(0), None);
    }

    #[test]
    fn one_bad_run_makes_the_row_not_count() {
        let run = |excuse: Option<&str>| Run {
            per_second: 1,
            latency: Latency { count: 0, p50_ns: 0, p90_ns: 0, p99_ns: 0, p999_ns: 0, max_ns: 0 },
            excuse: excuse.map(ToOwned::to_owned),
            remark: String::new(),
        };
        let subject = Subject {
            system: String::new(),
            operation: "",
            hot_share: "",
            durability: String::new(),
            cores: String::new(),
        };
        let row = Row::new(subject, Load::closed(1), vec![run(None), run(Some("3 errors"))]);
        assert_eq!(row.excuse.as_deref(), Some("3 errors"));
    }
}
