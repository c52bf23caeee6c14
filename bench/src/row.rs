//! One row of the results: what was done, and what came of it.
//!
//! Owns the arithmetic over runs (median, least, most) and the rule that a run with an error or
//! with books that do not agree makes its row not count. Does not know any system.

use anyhow::Result;
use claw_dataplane::simulate::report::Latency;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::bench::{Bench, say};

/// Longest latency told apart, nanoseconds.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// A histogram of nanoseconds.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, LATENCY_NS_MAX, 3).expect("valid bounds")
}

/// How requests arrive.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Load {
    /// Connections, each with at most one request out.
    pub(crate) connections: u32,
    /// Arrivals a second of an open loop; none in a closed one.
    pub(crate) rate: Option<u32>,
    /// What part of the closed loop's best that is, hundredths.
    pub(crate) peak_percent: Option<u32>,
}

impl Load {
    /// Each connection asks again as soon as it is answered.
    pub(crate) const fn closed(connections: u32) -> Self {
        Self { connections, rate: None, peak_percent: None }
    }

    /// Arrivals on a schedule, at a part of what a closed loop reached; latency counts from it.
    pub(crate) fn open(connections: u32, peak: u64, percent: u32) -> Self {
        let rate = peak * u64::from(percent) / 100;
        let rate = Some(u32::try_from(rate).unwrap_or(u32::MAX).max(1));
        Self { connections, rate, peak_percent: Some(percent) }
    }

    /// Why a run at this rate does not count: the schedule was not met, so that what was measured
    /// is a queue. Arrivals come by chance, so few of them may be fewer than the rate says: three
    /// times their usual deviation.
    pub(crate) fn excuse(self, per_second: u64, seconds: u64) -> Option<String> {
        let rate = u64::from(self.rate?);
        let arrivals = rate * seconds;
        let answered = per_second * seconds + 3 * arrivals.isqrt();
        (answered * 100 < arrivals * 95)
            .then(|| format!("{per_second}/s of {rate}/s were answered"))
    }

    /// For a table.
    pub(crate) fn in_words(self) -> String {
        match self.rate {
            None => "closed".to_owned(),
            Some(rate) => format!("open {rate}/s"),
        }
    }

    /// The same in every run of the benchmark: by part of the peak, as rates differ.
    pub(crate) fn in_lasting_words(self) -> String {
        match self.peak_percent {
            None => self.in_words(),
            Some(percent) => format!("open at {percent} % of the peak"),
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
    /// Every latency, nanoseconds.
    #[serde(skip)]
    pub(crate) histogram: Histogram<u64>,
}

impl Run {
    /// A run that counts, unless somebody finds an excuse.
    pub(crate) fn new(per_second: u64, histogram: Histogram<u64>) -> Self {
        let latency = Latency::of(&histogram);
        Self { per_second, latency, excuse: None, remark: String::new(), histogram }
    }
}

/// Median, least and most of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
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

/// What a row does and what its system promised, in words that stand in the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Subject {
    pub(crate) system: String,
    /// Empty where the commit says it.
    pub(crate) version: String,
    /// One after the other, all the same: the whole mix.
    pub(crate) operation: String,
    pub(crate) hot_share: String,
    /// When an answer may be sent.
    pub(crate) durability: String,
    /// Copies beside the one on the device.
    pub(crate) replication: &'static str,
    pub(crate) cores: String,
}

/// Nobody here keeps a second copy.
pub(crate) const NOT_REPLICATED: &str = "none: one node, one copy";
/// Every load on one thing.
pub(crate) const ALL_ON_ONE: &str = "all on one SKU";

/// Where a row was measured, and with what chance.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Setting {
    /// What the data lies on.
    pub(crate) device: String,
    /// Server and load share the machine, and talk over loopback.
    pub(crate) same_host: bool,
    /// Of every draw.
    pub(crate) seed: u64,
}

impl Setting {
    /// That of every row of a run of the benchmark.
    pub(crate) fn of(bench: &Bench) -> Self {
        Self { device: bench.device.clone(), same_host: true, seed: bench.seed }
    }
}

/// A row.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// Of which scenario.
    pub(crate) scenario: &'static str,
    /// The same in every run of the benchmark: what rows of two runs are matched by.
    pub(crate) name: String,
    pub(crate) subject: Subject,
    pub(crate) setting: Setting,
    pub(crate) load: Load,
    pub(crate) per_second: Spread,
    pub(crate) p50_us: Spread,
    pub(crate) p99_us: Spread,
    /// What the same client reached on as many connections against a server that does nothing.
    pub(crate) ceiling_per_second: Option<u64>,
    /// Why the row does not count.
    pub(crate) excuse: Option<String>,
    pub(crate) runs: Vec<Run>,
}

impl Row {
    /// Puts runs together.
    pub(crate) fn new(
        scenario: &'static str,
        subject: Subject,
        load: Load,
        runs: Vec<Run>,
    ) -> Self {
        let spread = |number: fn(&Run) -> u64| Spread::of(runs.iter().map(number).collect());
        let Subject { system, operation, hot_share, .. } = &subject;
        let (connections, lasting) = (load.connections, load.in_lasting_words());
        Self {
            scenario,
            name: format!(
                "{scenario}: {system}: {operation}; {hot_share}; {connections} connections, {lasting}"
            ),
            setting: Setting::default(),
            ceiling_per_second: None,
            per_second: spread(|run| run.per_second),
            p50_us: spread(|run| run.latency.p50_ns / 1000),
            p99_us: spread(|run| run.latency.p99_ns / 1000),
            excuse: runs.iter().find_map(|run| run.excuse.clone()),
            subject,
            load,
            runs,
        }
    }

    /// Whether there was one SKU that everybody wanted.
    pub(crate) fn is_all_on_one(&self) -> bool {
        self.subject.hot_share == ALL_ON_ONE
    }

    /// Every latency of every run.
    pub(crate) fn histogram(&self) -> Histogram<u64> {
        let mut all = histogram();
        for run in &self.runs {
            all.add(&run.histogram).expect("both have the bounds above or less");
        }
        all
    }
}

/// Runs a load as often as the benchmark asks for.
pub(crate) fn measure(
    bench: &Bench,
    scenario: &'static str,
    subject: Subject,
    load: Load,
    mut run_once: impl FnMut() -> Result<Run>,
) -> Result<Row> {
    let mut runs = Vec::new();
    for number in 1..=bench.runs_count {
        say(&format!(
            "{scenario}: {}, {}, {}, {} connections, {}, run {number}",
            subject.system,
            subject.operation,
            subject.hot_share,
            load.connections,
            load.in_words()
        ))?;
        runs.push(run_once()?);
    }
    let mut row = Row::new(scenario, subject, load, runs);
    row.setting = Setting::of(bench);
    Ok(row)
}

/// The closed loop that reached most.
pub(crate) fn peak(rows: &[Row]) -> Option<&Row> {
    rows.iter().filter(|row| row.load.rate.is_none()).max_by_key(|row| row.per_second.median)
}

/// Closed loops first; then open loops at parts of the best of them and over as many connections,
/// where latency counts from the schedule and a queue would show.
pub(crate) fn measure_loads(
    connections: &[u32],
    open_percents: &[u32],
    mut measure: impl FnMut(Load) -> Result<Row>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &connections in connections {
        rows.push(measure(Load::closed(connections))?);
    }
    let best = peak(&rows).map(|row| (row.load.connections, row.per_second.median));
    if let Some((connections, per_second)) = best {
        for &percent in open_percents {
            rows.push(measure(Load::open(connections, per_second, percent))?);
        }
    }
    Ok(rows)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn run(per_second: u64) -> Run {
        Run::new(per_second, histogram())
    }

    pub(crate) fn subject(system: &str) -> Subject {
        Subject {
            system: system.to_owned(),
            version: String::new(),
            operation: String::new(),
            hot_share: String::new(),
            durability: String::new(),
            replication: NOT_REPLICATED,
            cores: String::new(),
        }
    }

    #[test]
    fn spread_is_median_least_and_most() {
        assert_eq!(Spread::of(vec![3, 9, 5]), Spread { median: 5, least: 3, most: 9 });
        assert_eq!(Spread::of(vec![7]), Spread { median: 7, least: 7, most: 7 });
    }

    #[test]
    fn open_loop_that_is_not_kept_up_with_does_not_count() {
        let load = Load::open(1, 20_000, 50);
        assert_eq!(load.excuse(9_500, 100), None);
        assert!(load.excuse(9_400, 100).is_some());
        assert_eq!(Load::closed(1).excuse(0, 100), None);
    }

    #[test]
    fn few_arrivals_may_be_fewer_than_their_rate_by_chance() {
        let load = Load::open(1, 132, 25);
        assert_eq!(load.excuse(31, 2), None);
        assert_eq!(load.excuse(20, 2), None);
        assert!(load.excuse(15, 2).is_some());
    }

    #[test]
    fn one_bad_run_makes_the_row_not_count() {
        let bad = Run { excuse: Some("3 errors".to_owned()), ..run(1) };
        let row = Row::new("holds", subject(""), Load::closed(1), vec![run(1), bad]);
        assert_eq!(row.excuse.as_deref(), Some("3 errors"));
    }

    #[test]
    fn open_loops_follow_the_best_closed_one() {
        let rows = measure_loads(&[64, 256], &[25, 50], |load| {
            let per_second = if load.connections == 256 { 1_000 } else { 400 };
            Ok(Row::new("holds", subject("x"), load, vec![run(per_second)]))
        });
        let loads = rows.unwrap().into_iter().map(|row| (row.load.connections, row.load.rate));
        let expected = [(64, None), (256, None), (256, Some(250)), (256, Some(500))];
        assert_eq!(loads.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn name_of_a_row_does_not_change_with_the_peak() {
        let named = |peak| Row::new("", subject("x"), Load::open(64, peak, 50), vec![run(1)]).name;
        assert_eq!(named(1_000), named(2_000));
        assert!(named(1_000).contains("open at 50 % of the peak"), "{}", named(1_000));
    }

    #[test]
    fn latencies_of_every_run_are_in_the_row() {
        let with = |latency_ns| {
            let mut latencies = histogram();
            latencies.record(latency_ns).unwrap();
            Run::new(1, latencies)
        };
        let row = Row::new("", subject(""), Load::closed(1), vec![with(5_000), with(9_000_000)]);
        assert_eq!(row.histogram().len(), 2);
        assert!(row.histogram().max() >= 9_000_000);
    }
}
