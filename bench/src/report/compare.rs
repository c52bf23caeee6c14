//! Two results side by side: new by old, row by row, matched by name.
//!
//! Owns the ratios and the mark of those that are more than chance: each median lies outside the
//! other's least to most. Judges nothing: whether more is better, the unit says.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::row::Spread;

/// What is read back of a results file.
#[derive(Debug, Deserialize)]
struct Old {
    rows: Vec<OldRow>,
    #[serde(default)]
    figures: Vec<OldFigure>,
}

#[derive(Debug, Deserialize)]
struct OldRow {
    name: String,
    per_second: Spread,
    p99_us: Spread,
}

#[derive(Debug, Deserialize)]
struct OldFigure {
    scenario: String,
    name: String,
    value: Spread,
}

/// A number with its name.
type Named = (String, Spread);

/// Every number of a results file. Read it before the next run, which may write to the same file.
#[derive(Debug)]
pub(crate) struct Numbers(Vec<Named>);

/// Prints the ratios of one file's numbers by those of another.
pub(crate) fn compare(out: &mut impl Write, new: &Numbers, old: &Numbers) -> Result<()> {
    write(out, &new.0, &old.0).context("write to standard output")
}

/// Reads a results file.
pub(crate) fn read(path: &Path) -> Result<Numbers> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let found: Old = serde_json::from_str(&text).with_context(|| {
        format!("read {}: not the results of a benchmark of this version", path.display())
    })?;
    let rows = found.rows.into_iter().flat_map(|row| {
        let OldRow { name, per_second, p99_us } = row;
        [(format!("{name}: per second"), per_second), (format!("{name}: p99 us"), p99_us)]
    });
    let figures = found.figures.into_iter().map(|figure| {
        let OldFigure { scenario, name, value } = figure;
        (format!("{scenario}: {name}"), value)
    });
    Ok(Numbers(rows.chain(figures).collect()))
}

fn write(out: &mut impl Write, new: &[Named], old: &[Named]) -> io::Result<()> {
    writeln!(
        out,
        "{:>8}  {:>12} {:>12}  (*: each outside the other's runs)",
        "new/old", "new", "old"
    )?;
    for (name, new) in new {
        match old.iter().find(|(old, _)| old == name) {
            None => writeln!(out, "{:>8}  {:>12} {:>12}  {name}", "", new.median, "-")?,
            Some((_, old)) => {
                let mark = if differ(*new, *old) { '*' } else { ' ' };
                let (ratio, new, old) = (ratio(*new, *old), new.median, old.median);
                writeln!(out, "{ratio:>7}{mark}  {new:>12} {old:>12}  {name}")?;
            }
        }
    }
    for (name, old) in old {
        if !new.iter().any(|(new, _)| new == name) {
            writeln!(out, "{:>8}  {:>12} {:>12}  {name}", "", "-", old.median)?;
        }
    }
    Ok(())
}

/// Of the medians, with two digits; nothing by nothing is no ratio.
fn ratio(new: Spread, old: Spread) -> String {
    match (u128::from(new.median) * 1_000).checked_div(u128::from(old.median)) {
        None => "-".to_owned(),
        Some(thousandths) => {
            let hundredths = (thousandths + 5) / 10;
            format!("{}.{:02}", hundredths / 100, hundredths % 100)
        }
    }
}

fn differ(new: Spread, old: Spread) -> bool {
    let outside = |one: Spread, other: Spread| !(other.least..=other.most).contains(&one.median);
    outside(new, old) && outside(old, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(least: u64, median: u64, most: u64) -> Spread {
        Spread { median, least, most }
    }

    #[test]
    fn ratio_is_new_by_old_with_two_digits() {
        assert_eq!(ratio(spread(1, 150, 200), spread(1, 100, 200)), "1.50");
        assert_eq!(ratio(spread(0, 2, 3), spread(0, 3, 3)), "0.67");
        assert_eq!(ratio(spread(0, 5, 5), spread(0, 0, 0)), "-");
        assert_eq!(
            ratio(spread(0, u64::MAX, u64::MAX), spread(1, 1, 1)),
            format!("{}.00", u64::MAX)
        );
    }

    #[test]
    fn only_what_each_run_disagrees_about_is_marked() {
        let old = spread(90, 100, 110);
        assert!(differ(spread(115, 120, 130), old));
        assert!(!differ(spread(95, 120, 130), old), "the old median is among the new runs");
        assert!(!differ(spread(101, 105, 109), old), "the new median is among the old runs");
    }

    #[test]
    fn what_only_one_side_has_is_named() {
        let new = [("a".to_owned(), spread(1, 1, 1)), ("b".to_owned(), spread(4, 4, 4))];
        let old = [("b".to_owned(), spread(2, 2, 2)), ("c".to_owned(), spread(3, 3, 3))];
        let mut text = Vec::new();
        write(&mut text, &new, &old).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<Vec<&str>> =
            text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines, [vec!["1", "-", "a"], vec!["2.00*", "4", "2", "b"], vec!["-", "3", "c"]]);
    }

    #[test]
    fn file_that_is_no_result_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.json");
        std::fs::write(&path, "{\"subjects\": []}").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("not the results"), "{error}");
    }
}
