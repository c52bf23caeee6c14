//! The verdict and every number behind it: as text, as JSON, as `.hgrm` files.
//!
//! Owns the words. A run is clean when the audit passes and nothing came that cannot come from a
//! correct node: another answer for a resent command, an answer that cannot be read, a status that
//! no shopper provokes. Being slow, busy or sold out is no failure; it is in the numbers.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::audit::Audit;
use super::client::engine::RunResult;
use super::client::{Options, Protocol};
use super::environment::Environment;
use super::recorder::{Recorder, Transport};
use super::run::RunOptions;
use super::scenario::HammerTarget;

/// Everything that was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct OptionsUsed {
    /// Scenario and what it is about.
    pub scenario: String,
    pub about: String,
    /// The node, and whether it was started for this run.
    pub node: String,
    pub node_started: bool,
    /// `http` or `wire`, and how many shoppers share a connection.
    pub protocol: &'static str,
    pub batch: u32,
    /// Key of the shoppers' requests.
    pub key: String,
    /// Whether each shopper bore a token that the key signed, instead.
    pub tokens: bool,
    /// Shoppers.
    pub users: u32,
    pub duration_ms: u64,
    /// Arrivals a second; none in a closed loop.
    pub rate: Option<u32>,
    pub seed: u64,
    /// The one endpoint of `--endpoint`.
    pub endpoint: Option<&'static str>,
    pub products: usize,
    pub hot_products: usize,
    pub hot_share: f64,
    pub zipf_exponent: f64,
}

impl OptionsUsed {
    /// What a run is told, defaults filled in.
    pub fn new(options: &RunOptions, client: &Options) -> Self {
        let scenario = &options.scenario;
        let endpoint = HammerTarget::ALL.iter().find(|found| Some(found.1) == options.endpoint);
        let (protocol, batch) = match client.protocol {
            Protocol::Http => ("http", 1),
            Protocol::Wire { batch } => ("wire", batch),
        };
        Self {
            protocol,
            batch,
            key: options.key.clone(),
            tokens: options.token_audience.is_some(),
            scenario: scenario.name.clone(),
            about: scenario.about.clone(),
            node: client.url(),
            node_started: options.node_url.is_none(),
            users: options.users,
            duration_ms: u64::try_from(options.duration.as_millis()).unwrap_or(u64::MAX),
            rate: options.rate,
            seed: options.seed,
            endpoint: endpoint.map(|found| found.0),
            products: scenario.products.len(),
            hot_products: scenario.hot_count,
            hot_share: scenario.hot_share,
            zipf_exponent: scenario.zipf_exponent,
        }
    }
}

/// Latency in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    pub count: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub p999_ns: u64,
    pub max_ns: u64,
}

impl Latency {
    /// Reads a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            count: histogram.len(),
            p50_ns: histogram.value_at_quantile(0.50),
            p90_ns: histogram.value_at_quantile(0.90),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
        }
    }
}

/// How often an endpoint answered in one way.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub endpoint: &'static str,
    pub status: u16,
    /// Name of the problem; empty for none.
    pub problem: String,
    pub count: u64,
}

/// A run with its verdict.
#[derive(Debug, Serialize)]
pub struct Report {
    pub clean: bool,
    pub options: OptionsUsed,
    pub environment: Environment,
    pub elapsed_s: f64,
    /// Connections that stood when the run began.
    pub connected: u32,
    /// Answers within the schedule, and those a second.
    pub answers: u64,
    pub answers_per_s: f64,
    /// Share of its core that the traffic engine used.
    pub engine_cpu_share: f64,
    /// Hot units there were to sell, and those shoppers were told are sold.
    pub hot_stock: u64,
    pub hot_sold: u64,
    /// When the last of them was sold.
    pub sold_out_s: Option<f64>,
    pub latency_total: Latency,
    pub latency_by_endpoint: BTreeMap<&'static str, Latency>,
    pub outcomes: Vec<Outcome>,
    pub transport: Transport,
    /// Requests that still had no answer at the end.
    pub unanswered: u32,
    pub orders_placed: u64,
    pub orders_cancelled: BTreeMap<String, u64>,
    pub replays_same: u64,
    pub replays_different: u64,
    pub unreadable: u64,
    /// Answers with a status that no shopper provokes.
    pub unexpected: u64,
    pub first_error: Option<String>,
    pub audit: Audit,
    #[serde(skip)]
    pub recorder: Recorder,
}

impl Report {
    /// Puts a run together.
    pub fn new(
        options: OptionsUsed,
        environment: Environment,
        result: RunResult,
        audit: Audit,
    ) -> Self {
        let RunResult { recorder, ledger, .. } = result;
        let unexpected = recorder.unexpected();
        let elapsed_s = result.elapsed.as_secs_f64();
        let clean = audit.passed()
            && recorder.answers_in_time > 0
            && ledger.replays_different + ledger.unreadable + unexpected == 0;
        Self {
            clean,
            options,
            environment,
            elapsed_s,
            connected: result.connected,
            answers: recorder.answers_in_time,
            answers_per_s: per_second(recorder.answers_in_time, elapsed_s),
            engine_cpu_share: result.cpu_share,
            hot_stock: result.hot_stock,
            hot_sold: result.hot_sold,
            sold_out_s: result.sold_out.map(|time| time.as_secs_f64()),
            latency_total: Latency::of(&recorder.total),
            latency_by_endpoint: recorder
                .by_endpoint()
                .map(|(endpoint, found)| (endpoint.name(), Latency::of(found)))
                .collect(),
            outcomes: recorder
                .outcomes()
                .map(|(endpoint, status, problem, count)| Outcome {
                    endpoint: endpoint.name(),
                    status,
                    problem: problem.to_owned(),
                    count,
                })
                .collect(),
            transport: recorder.transport,
            unanswered: result.unanswered,
            orders_placed: ledger.orders_placed,
            orders_cancelled: ledger.orders_cancelled,
            replays_same: ledger.replays_same,
            replays_different: ledger.replays_different,
            unreadable: ledger.unreadable,
            unexpected,
            first_error: ledger.first_error,
            audit,
            recorder,
        }
    }

    /// The report for people.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        self.write_options(out)?;
        self.write_latency(out)?;
        self.write_outcomes(out)?;
        self.write_audit(out)
    }

    fn write_options(&self, out: &mut impl Write) -> io::Result<()> {
        let (options, machine) = (&self.options, &self.environment);
        writeln!(out, "scenario    {}: {}", options.scenario, options.about)?;
        let what = options.endpoint.map_or_else(String::new, |name| format!(", only {name}"));
        match options.rate {
            Some(rate) => writeln!(out, "load        open loop, {rate} arrivals/s{what}")?,
            None => writeln!(out, "load        closed loop{what}")?,
        }
        let batch = match options.batch {
            1 => String::new(),
            batch => format!(", {batch} shoppers on a connection, a frame for what they ask"),
        };
        let tokens = if options.tokens { ", a token for each shopper" } else { "" };
        writeln!(out, "protocol    {}, key {}{tokens}{batch}", options.protocol, options.key)?;
        writeln!(
            out,
            "shoppers    {} ({} connected), {} s, seed {}",
            options.users,
            self.connected,
            options.duration_ms / 1000,
            options.seed
        )?;
        let kind = if machine.virtual_machine { " (virtual machine)" } else { "" };
        writeln!(
            out,
            "machine     {}{kind}, {} cores, Linux {}, {} build",
            machine.cpu, machine.cpus_online, machine.kernel, machine.build
        )?;
        writeln!(
            out,
            "answers     {} in {:.1} s: {:.0}/s; the engine used {:.0} % of its core",
            self.answers,
            self.elapsed_s,
            self.answers_per_s,
            100.0 * self.engine_cpu_share
        )?;
        let (sold, stock) = (self.hot_sold, self.hot_stock);
        match self.sold_out_s {
            Some(after_s) => {
                writeln!(out, "hot stock   {stock} units, sold out after {after_s:.1} s")
            }
            None if stock > 0 => writeln!(out, "hot stock   {sold} of {stock} units sold"),
            None => Ok(()),
        }
    }

    fn write_latency(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "\n{:<36}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "latency from the due time, ms", "count", "p50", "p90", "p99", "p99.9", "max"
        )?;
        let rows = self.latency_by_endpoint.iter().map(|(name, found)| (*name, found));
        for (name, found) in rows.chain([("total", &self.latency_total)]) {
            writeln!(
                out,
                "{name:<36}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
                found.count,
                milliseconds(found.p50_ns),
                milliseconds(found.p90_ns),
                milliseconds(found.p99_ns),
                milliseconds(found.p999_ns),
                milliseconds(found.max_ns),
            )?;
        }
        Ok(())
    }

    fn write_outcomes(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\n{:<36}{:>10}", "outcome", "count")?;
        for found in &self.outcomes {
            let text = format!("{} {} {}", found.endpoint, found.status, found.problem);
            writeln!(out, "{text:<36}{:>10}", found.count)?;
        }
        let lost = &self.transport;
        let rows = [
            ("connection not made", lost.connect_failed),
            ("connection broken", lost.broken),
            ("timed out", lost.timed_out),
            ("not the protocol or not asked for", lost.protocol),
            ("arrivals dropped, all busy", lost.arrivals_dropped),
            ("unanswered at the end", u64::from(self.unanswered)),
            ("status that no shopper provokes", self.unexpected),
            ("answer that cannot be read", self.unreadable),
            ("resent, another answer", self.replays_different),
        ];
        for (name, count) in rows.into_iter().filter(|(_, count)| *count > 0) {
            writeln!(out, "{name:<36}{count:>10}")?;
        }
        writeln!(out, "{:<36}{:>10}", "resent, the same answer", self.replays_same)?;
        writeln!(out, "{:<36}{:>10}", "orders placed", self.orders_placed)?;
        for (reason, count) in &self.orders_cancelled {
            writeln!(out, "{:<36}{count:>10}", format!("orders cancelled, {reason}"))?;
        }
        if let Some(error) = &self.first_error {
            writeln!(out, "first error: {error}")?;
        }
        Ok(())
    }

    fn write_audit(&self, out: &mut impl Write) -> io::Result<()> {
        let found = &self.audit;
        writeln!(
            out,
            "\naudit of {} SKUs: received {} - removed {} {} available {} + held {} + sold {}",
            found.skus,
            found.received,
            found.removed,
            if found.received - found.removed == found.available + found.held + found.sold {
                "="
            } else {
                "is not"
            },
            found.available,
            found.held,
            found.sold
        )?;
        writeln!(
            out,
            "sold in this run {}; acknowledged to shoppers {}, answers lost {}; {} orders read back",
            found.sold_in_run, found.acknowledged, found.uncertain, found.orders_checked
        )?;
        for finding in &found.findings {
            writeln!(out, "  {finding}")?;
        }
        if found.findings_count > found.findings.len() {
            writeln!(out, "  and {} more", found.findings_count - found.findings.len())?;
        }
        writeln!(out, "oversold: {}", found.oversold)?;
        writeln!(out, "verdict: {}", if self.clean { "clean" } else { "NOT CLEAN" })
    }

    /// Writes `PREFIXtotal.hgrm` and one file for each endpoint.
    pub fn write_hgrm(&self, prefix: &Path) -> io::Result<()> {
        let named = |name: &str| {
            let mut path = prefix.as_os_str().to_owned();
            path.push(format!("{name}.hgrm"));
            path
        };
        write_distribution(&mut create(named("total"))?, &self.recorder.total)?;
        for (endpoint, histogram) in self.recorder.by_endpoint() {
            let name: String = endpoint
                .name()
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                .collect();
            write_distribution(&mut create(named(name.trim_end_matches('-')))?, histogram)?;
        }
        Ok(())
    }
}

fn create(path: std::ffi::OsString) -> io::Result<io::BufWriter<std::fs::File>> {
    std::fs::File::create(path).map(io::BufWriter::new)
}

/// The percentile distribution that `HdrHistogram`'s plotters read; values in milliseconds.
pub fn write_distribution(out: &mut impl Write, histogram: &Histogram<u64>) -> io::Result<()> {
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut count = 0;
    for step in histogram.iter_quantiles(5) {
        count += step.count_since_last_iteration();
        let value = milliseconds(step.value_iterated_to());
        let quantile = step.quantile_iterated_to();
        if quantile < 1.0 {
            let inverse = 1.0 / (1.0 - quantile);
            writeln!(out, "{value:>12} {quantile:>14.12} {count:>10} {inverse:>14.2}")?;
        } else {
            writeln!(out, "{value:>12} {quantile:>14.12} {count:>10} {:>14}", "inf")?;
        }
    }
    let (mean, deviation) = (histogram.mean() / 1e6, histogram.stdev() / 1e6);
    writeln!(out, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]")?;
    let (max, total) = (milliseconds(histogram.max()), histogram.len());
    writeln!(out, "#[Max     = {max:>12}, Total count    = {total:>12}]")?;
    let (buckets, sub_buckets) = (histogram.buckets(), 2048);
    writeln!(out, "#[Buckets = {buckets:>12}, SubBuckets     = {sub_buckets:>12}]")
}

/// `1.234`.
fn milliseconds(ns: u64) -> String {
    format!("{}.{:03}", ns / 1_000_000, ns / 1000 % 1000)
}

#[expect(clippy::cast_precision_loss, reason = "a count of answers is far below 2^53")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distribution_ends_with_every_value_counted() {
        let mut histogram = Histogram::new_with_bounds(1_000, 60_000_000_000, 3).unwrap();
        for value in 1..=1000_u64 {
            histogram.record(value * 1_000_000).unwrap();
        }
        let mut text = Vec::new();
        write_distribution(&mut text, &histogram).unwrap();
        let text = String::from_utf8(text).unwrap();
        let last = text.lines().rfind(|line| !line.starts_with('#')).unwrap();
        assert!(last.contains("1.000000000000       1000"), "{last}");
        assert!(text.contains("Total count    =         1000"), "{text}");
    }

    #[test]
    fn milliseconds_keep_three_digits() {
        assert_eq!(milliseconds(0), "0.000");
        assert_eq!(milliseconds(1_234_567), "1.234");
        assert_eq!(milliseconds(12_003_000_000), "12003.000");
    }
}
