//! pgbench's per-transaction log, read into a histogram.
//!
//! Fields: client, transaction, latency (us), script, seconds, microseconds, and with a rate the
//! lag behind the schedule, which the latency already contains. Pure.

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;

/// Adds every transaction of a log; transactions that failed or were skipped are counted apart.
pub(crate) fn read(text: &str, histogram: &mut Histogram<u64>) -> Result<u64> {
    let mut failed = 0;
    for line in text.lines() {
        let latency = line.split(' ').nth(2).with_context(|| format!("read {line:?}"))?;
        match latency.parse::<u64>() {
            Ok(latency_us) => histogram.saturating_record(latency_us * 1000),
            // "failed", "skipped", "serialization", "deadlock".
            Err(_) => failed += 1,
        }
    }
    Ok(failed)
}

/// The rate in pgbench's summary, which leaves out the time to connect.
pub(crate) fn transactions_per_second(summary: &str) -> Result<u64> {
    let line = summary.lines().find_map(|line| line.strip_prefix("tps = "));
    let whole = line.and_then(|rest| rest.split(['.', ' ']).next());
    whole
        .and_then(|digits| digits.parse().ok())
        .with_context(|| format!("pgbench's summary has no line with tps:\n{summary}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::histogram;

    #[test]
    fn latencies_are_read_and_failures_counted() {
        let text = "0 199 2241 0 1175850568 995598 12\n1 3 skipped 0 1175850568 998079 1\n\
                    0 200 2465 0 1175850569 608 0\n";
        let mut found = histogram();
        assert_eq!(read(text, &mut found).unwrap(), 1);
        assert_eq!(found.len(), 2);
        assert!((2_460_000..2_470_000).contains(&found.max()), "{}", found.max());
    }

    #[test]
    fn summary_has_the_rate() {
        let text = "latency average = 1.0 ms\ntps = 1564.91 (without initial connection time)\n";
        assert_eq!(transactions_per_second(text).unwrap(), 1564);
        assert!(transactions_per_second("nothing").is_err());
    }

    #[test]
    fn garbage_is_an_error_not_a_number() {
        assert!(read("x\n", &mut histogram()).is_err());
    }
}
