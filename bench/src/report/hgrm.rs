//! Latency distributions as the text that `HdrHistogram`'s plotters read.
//!
//! Owns the names of the files, one for each row; the format is that of `claw simulate`.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context as _, Result};
use claw_dataplane::simulate::report::write_distribution;

use crate::row::{Load, Row};

/// Longest name of a file, without its ending.
const NAME_BYTES_MAX: usize = 120;

/// Writes a file for each row that has latencies, into a folder that exists.
pub(super) fn write(folder: &Path, rows: &[Row]) -> Result<()> {
    for (number, row) in rows.iter().enumerate() {
        let histogram = row.histogram();
        if histogram.is_empty() {
            continue;
        }
        let path = folder.join(file_name(number, &short_name(row)));
        let file = File::create(&path).with_context(|| format!("write {}", path.display()))?;
        write_distribution(&mut BufWriter::new(file), &histogram)
            .with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn short_name(row: &Row) -> String {
    let Load { connections, .. } = row.load;
    let (scenario, system) = (row.scenario, &row.subject.system);
    format!("{scenario} {system} {connections} connections {}", row.load.in_lasting_words())
}

/// The number keeps names apart that differ only in what a file name cannot hold.
fn file_name(number: usize, name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let mut words: String = name.chars().map(plain).collect();
    while words.contains("--") {
        words = words.replace("--", "-");
    }
    words.truncate(NAME_BYTES_MAX);
    format!("{number:02}-{}.hgrm", words.trim_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{self, Run, histogram};

    #[test]
    fn row_with_latencies_gets_a_file_and_one_without_does_not() {
        let mut latencies = histogram();
        for value_ms in 1..=1_000_u64 {
            latencies.record(value_ms * 1_000_000).unwrap();
        }
        let load = Load::closed(1);
        let with = Row::new("s", row::tests::subject("with"), load, vec![Run::new(1, latencies)]);
        let without =
            Row::new("s", row::tests::subject("without"), load, vec![Run::new(1, histogram())]);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[with, without]).unwrap();
        let files = std::fs::read_dir(folder.path()).unwrap().flatten();
        let paths: Vec<_> = files.map(|file| file.path()).collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        let text = std::fs::read_to_string(&paths[0]).unwrap();
        let rows = text.lines().skip(2).filter(|line| !line.starts_with('#'));
        let rows: Vec<Vec<&str>> = rows.map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows.last().unwrap()[1..], ["1.000000000000", "1000", "inf"]);
        let median = rows.iter().find(|row| row[1].starts_with("0.5")).unwrap();
        assert!(median[0].starts_with("500."), "{median:?}");
    }

    #[test]
    fn file_names_are_plain_and_differ() {
        let name = "claw, HTTP: POST /v1/holds; open at 50 % of the peak";
        assert_eq!(file_name(3, name), "03-claw-http-post-v1-holds-open-at-50-of-the-peak.hgrm");
        assert_ne!(file_name(3, name), file_name(4, name));
        assert!(file_name(1, &"x".repeat(500)).len() < 130);
    }
}
