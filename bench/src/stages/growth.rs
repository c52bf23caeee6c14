//! What a hold costs as the store grows: from a thousand products and live holds to a million
//! products and ten million live holds, the requests spread over all of the products.
//!
//! Each store is made in a process of its own, which then serves holds of the wire protocol through
//! every stage. Time is the least of several runs, once with huge pages and once where the kernel
//! is told to give this process none. Instructions, and misses of a simulated cache, come from
//! callgrind, which counts the requests alone; misses of the real caches and of the TLB from the
//! processor, where it lends its counters.
//!
//! Deliberately not here: sockets, the device, and the time it takes to grow.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::backend::Backend;
use super::counter::{Counter, Event};
use super::{COUNTED, Fill, Pipeline as _, RUNS_COUNT, Stage, WARM_COUNT, callgrind, wire};
use crate::bench::{Bench, say};
use crate::figure::Figure;
use crate::report::Results;
use crate::row::Spread;
use crate::scenario::filled;

const NAME: &str = "growth";
/// Before.
const SMALL: Fill = Fill { products_count: 1_000, holds_count: 1_000 };
/// After.
const LARGE: Fill = Fill { products_count: 1_000_000, holds_count: 10_000_000 };
/// After, for a moment.
const SMOKE: Fill = Fill { products_count: 10_000, holds_count: 20_000 };

/// What is asked of a store that has grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Measure {
    /// Time, in huge pages.
    HugePages,
    /// Time, in pages of 4 KiB.
    SmallPages,
    /// Nothing: callgrind counts.
    Counts,
    /// Resident memory, before anything is asked.
    Memory,
}

impl Measure {
    const fn in_words(self) -> &'static str {
        match self {
            Self::HugePages => "huge pages",
            Self::SmallPages => "pages of 4 KiB",
            Self::Counts => "callgrind, which offers no AVX-512",
            Self::Memory => "resident memory",
        }
    }
}

/// A store to be served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grown {
    pub(crate) fill: Fill,
    pub(crate) measure: Measure,
}

/// What a hold took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Taken {
    ns: u64,
    /// Of the processor's last cache, where it counts them.
    cache_misses: Option<u64>,
    /// Of its TLB for data.
    tlb_misses: Option<u64>,
}

impl Grown {
    /// In a process of its own: makes the store, serves, says what that took on stdout.
    pub(crate) fn serve(self) -> Result<()> {
        if self.measure == Measure::SmallPages {
            forbid_huge_pages()?;
        }
        if self.measure == Measure::Memory {
            let _backend = Backend::new(Stage::Decide, self.fill);
            let bytes = filled::resident_bytes(std::process::id())?;
            serde_json::to_writer(std::io::stdout().lock(), &bytes)?;
            return Ok(());
        }
        let counted = self.measure == Measure::Counts;
        let runs_count = if counted { 1 } else { RUNS_COUNT };
        let requests_count = WARM_COUNT + runs_count * COUNTED;
        let mut holds = wire::WireHolds::new(requests_count, Stage::Render, (self.fill, 1))?;
        holds.serve(WARM_COUNT);
        if counted {
            callgrind::start();
            holds.serve(COUNTED);
            callgrind::stop();
            return Ok(());
        }
        let mut least: Option<Taken> = None;
        for _ in 0..runs_count {
            let counters =
                [Event::CacheMisses, Event::TlbMisses].map(|event| Counter::open(event).ok());
            let start = Instant::now();
            holds.serve(COUNTED);
            let each = |all: u64| all / COUNTED as u64;
            let ns = each(u64::try_from(start.elapsed().as_nanos())?);
            let [cache_misses, tlb_misses] =
                counters.map(|counter| counter.and_then(|counter| counter.read().ok()).map(each));
            if least.is_none_or(|least| ns < least.ns) {
                least = Some(Taken { ns, cache_misses, tlb_misses });
            }
        }
        serde_json::to_writer(std::io::stdout().lock(), &least)?;
        Ok(())
    }

    fn arguments(self) -> Result<Vec<String>> {
        let by = self.measure.to_possible_value().context("every value has a name")?;
        let numbers = [self.fill.products_count, self.fill.holds_count].map(|n| n.to_string());
        let names = ["--grown-products", "--grown-holds", "--grown-by"];
        let [products, holds] = numbers;
        let values = [products, holds, by.get_name().to_owned()];
        Ok(names.iter().zip(values).flat_map(|(name, value)| [(*name).to_owned(), value]).collect())
    }

    fn take<T: DeserializeOwned>(self) -> Result<T> {
        let output = Command::new(std::env::current_exe().context("find this program")?)
            .args(self.arguments()?)
            .output()
            .context("start this program")?;
        let talk = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "a grown store: {talk}");
        serde_json::from_slice(&output.stdout).context("read what a grown store says")
    }

    fn count(self) -> Result<callgrind::Counted> {
        let arguments = self.arguments()?;
        callgrind::between(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// What a process takes that has such a store and nothing else.
pub(crate) fn resident_bytes(fill: Fill) -> Result<u64> {
    Grown { fill, measure: Measure::Memory }.take()
}

/// Measures both stores.
pub(crate) fn measure(bench: &Bench, results: &mut Results) -> Result<()> {
    let fills = [SMALL, if bench.smoke { SMOKE } else { LARGE }];
    for measure in [Measure::HugePages, Measure::SmallPages] {
        let [small, large] = fills.map(|fill| {
            say_what(fill, measure)?;
            Grown { fill, measure }.take::<Taken>()
        });
        let (small, large) = (small?, large?);
        note(results, (fills, measure), ("time", "ns"), Some([small.ns, large.ns]));
        let both = |read: fn(&Taken) -> Option<u64>| Some([read(&small)?, read(&large)?]);
        let counted = [
            ("misses of the last cache", both(|taken| taken.cache_misses)),
            ("misses of the TLB", both(|taken| taken.tlb_misses)),
        ];
        for (what, counts) in counted {
            note(results, (fills, measure), (what, "misses"), counts);
        }
    }
    if let Err(why) = callgrind::find() {
        results.missing.push(format!("growth: instructions: {why}"));
        return Ok(());
    }
    let measure = Measure::Counts;
    let [small, large] = fills.map(|fill| {
        say_what(fill, measure)?;
        Grown { fill, measure }.count()
    });
    let (small, large) = (small?, large?);
    let each = |all: i64| u64::try_from(all).map(|all| all / COUNTED as u64);
    let instructions = [each(small.instructions)?, each(large.instructions)?];
    note(results, (fills, measure), ("instructions", "instructions"), Some(instructions));
    let misses = [each(small.last_level_misses)?, each(large.last_level_misses)?];
    let what = ("misses of a simulated last cache", "misses");
    note(results, (fills, measure), what, Some(misses));
    Ok(())
}

fn say_what(fill: Fill, measure: Measure) -> Result<()> {
    let Fill { products_count, holds_count } = fill;
    let how = measure.in_words();
    say(&format!("growth: {products_count} products and {holds_count} live holds: {how}"))
}

/// Both, and the second in hundredths of the first.
fn note(
    results: &mut Results,
    (fills, measure): ([Fill; 2], Measure),
    (what, unit): (&str, &'static str),
    values: Option<[u64; 2]>,
) {
    let how = measure.in_words();
    let Some([small, large]) = values else {
        let why = "the processor lends no such counter here";
        results.missing.push(format!("growth: {what} ({how}): {why}"));
        return;
    };
    let mut figure = |name: String, unit, value| {
        let (conditions, value) = (how.to_owned(), Spread::of(vec![value]));
        results.figures.push(Figure { scenario: NAME, name, unit, conditions, value });
    };
    for (fill, value) in fills.into_iter().zip([small, large]) {
        let Fill { products_count, holds_count } = fill;
        let with = format!("{products_count} products and {holds_count} live holds");
        figure(format!("a hold over the wire, with {with}: {what}"), unit, value);
    }
    if let Some(percent) = (large * 100).checked_div(small) {
        figure(format!("{what}, the large store by the small one"), "%", percent);
    }
}

/// For this process, from here on.
fn forbid_huge_pages() -> Result<()> {
    // SAFETY: takes numbers only (prctl(2), PR_SET_THP_DISABLE).
    let result = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    ensure!(result == 0, "prctl(PR_SET_THP_DISABLE): {}", std::io::Error::last_os_error());
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn store_that_is_asked_for_is_the_one_that_is_served() {
        for measure in [Measure::HugePages, Measure::SmallPages, Measure::Counts, Measure::Memory] {
            let grown = Grown { fill: SMOKE, measure };
            let words = [vec!["claw-bench".to_owned()], grown.arguments().unwrap()].concat();
            let read = Arguments::try_parse_from(words).unwrap().child.grown().unwrap();
            assert_eq!((read.fill, read.measure), (SMOKE, measure));
        }
    }

    #[test]
    fn holds_are_served_in_a_store_that_has_grown() {
        let fill = Fill { products_count: 100, holds_count: 1_000 };
        let mut holds =
            wire::WireHolds::new(4 * super::super::BATCH_COUNT, Stage::Render, (fill, 1));
        holds.as_mut().unwrap().serve(4 * super::super::BATCH_COUNT);
    }
}
