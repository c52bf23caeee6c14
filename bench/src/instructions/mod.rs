//! Instructions of every stage and hot function, beside those that were kept.
//!
//! Instructions do not depend on what else the machine does, so a change of a few in a hundred can
//! be seen here that no clock shows. callgrind counts them: this program runs again inside it, once
//! short and once long, and the difference is what the calls between took. The baseline is kept in
//! the repository (`bench/baseline.json`) and written anew with `--keep`, in the commit that means
//! to change it. Deliberately judges nothing: compilers change counts too.

mod work;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;

use crate::bench::say;
use crate::stages::{Stage, Subject, callgrind};

pub(crate) use work::Function;

/// Calls of a short run, and of a long one.
const SHORT_COUNT: u64 = 500;
const LONG_COUNT: u64 = 1_500;
/// What was kept.
const BASELINE: &str = include_str!("../../baseline.json");

/// Instructions a call, by name.
pub(crate) type Counts = BTreeMap<String, i64>;

/// Counts everything.
pub(crate) fn measure() -> Result<Counts> {
    callgrind::find()?;
    let mut counts = Counts::new();
    for function in Function::ALL {
        let name = function.to_possible_value().context("every value has a name")?;
        let name = name.get_name().to_owned();
        say(&format!("instructions of {name}"))?;
        let total = |count: u64| {
            callgrind::total(&["--call-function", &name, "--call-count", &count.to_string()])
        };
        let between = total(LONG_COUNT)? - total(SHORT_COUNT)?;
        counts.insert(name, between / i64::try_from(LONG_COUNT - SHORT_COUNT)?);
    }
    for subject in Subject::ALL {
        let mut before = 0;
        for stage in Stage::ALL {
            say(&format!("instructions of {}: {}", subject.name(), stage.name()))?;
            let upto = callgrind::count(subject, stage)?;
            counts.insert(format!("{}: {}", subject.name(), stage.name()), upto - before);
            before = upto;
        }
    }
    Ok(counts)
}

/// The baseline of this build.
pub(crate) fn baseline() -> Result<Counts> {
    serde_json::from_str(BASELINE).context("read bench/baseline.json")
}

/// A line each: now, then, and the ratio.
pub(crate) fn write(to: &mut impl Write, now: &Counts, kept: &Counts) -> io::Result<()> {
    writeln!(to, "{:<54} {:>12} {:>12} {:>8}", "instructions a call", "now", "baseline", "ratio")?;
    for (name, count) in now {
        let (then, ratio) = match kept.get(name) {
            Some(then) => (then.to_string(), ratio_of(*count, *then)),
            None => ("none".to_owned(), String::new()),
        };
        writeln!(to, "{name:<54} {count:>12} {then:>12} {ratio:>8}")?;
    }
    for name in kept.keys().filter(|name| !now.contains_key(*name)) {
        writeln!(to, "{name:<54} {:>12} {:>12}", "gone", kept[name])?;
    }
    Ok(())
}

/// In thousandths, as counts are whole.
fn ratio_of(now: i64, then: i64) -> String {
    if then <= 0 {
        return String::new();
    }
    let thousandths = now * 1000 / then;
    format!("{}.{:03}", thousandths / 1000, thousandths.rem_euclid(1000))
}

/// Puts these in the place of the baseline.
pub(crate) fn keep(counts: &Counts, path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(counts)?;
    std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_what_is_new_and_what_is_gone_can_be_seen() {
        let counts = |pairs: &[(&str, i64)]| -> Counts {
            pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        let (now, kept) = (counts(&[("a", 110), ("b", 5)]), counts(&[("a", 100), ("c", 7)]));
        let mut table = Vec::new();
        write(&mut table, &now, &kept).unwrap();
        let table = String::from_utf8(table).unwrap();
        let words = |name: &str| -> Vec<String> {
            let line = table.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect()
        };
        assert_eq!(words("a "), ["a", "110", "100", "1.100"]);
        assert_eq!(words("b "), ["b", "5", "none"]);
        assert_eq!(words("c "), ["c", "gone", "7"]);
    }

    #[test]
    fn baseline_has_every_function_and_stage() {
        let kept = baseline().unwrap();
        assert_eq!(kept.len(), Function::ALL.len() + Subject::ALL.len() * Stage::ALL.len());
        assert!(kept.values().all(|count| *count > 0), "{kept:?}");
    }
}
