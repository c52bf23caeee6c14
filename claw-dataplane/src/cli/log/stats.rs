//! `claw log stats`: how many of what, and how well blocks are filled.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use claw_core::log::BlockView;
use serde_json::{Value, json};

use super::source::Source;
use super::{StatsArgs, render};
use crate::cli::output;

pub(super) fn run(args: &StatsArgs) -> anyhow::Result<ExitCode> {
    let source = Source::open(&args.store)?;
    let stats = Stats::count(&source);
    if args.json {
        output::json(&stats.object())?;
    } else {
        output::data(stats.text().trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Counts and bytes of one kind.
#[derive(Debug, Default)]
struct Sum {
    count: u64,
    bytes: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Stats {
    kinds: BTreeMap<u16, Sum>,
    blocks: u64,
    marks: u64,
    segments: u64,
    records: u64,
    /// Bytes of records with their headers.
    record_bytes: u64,
    /// Bytes under the checksums.
    length_bytes: u64,
    /// Bytes written to the device.
    size_bytes: u64,
    records_max: u64,
}

impl Stats {
    pub(super) fn count(source: &Source) -> Self {
        let mut stats = Self::default();
        for (stream, tail) in source.log.streams().iter().zip(&source.tails) {
            stats.segments += wide(tail.segments.len());
            for place in &tail.blocks {
                if let Ok(view) = BlockView::reread(stream.bytes_at(place)) {
                    stats.add(&view);
                }
            }
        }
        stats
    }

    fn add(&mut self, view: &BlockView<'_>) {
        self.blocks += 1;
        self.marks += u64::from(view.shard().is_none());
        self.length_bytes += wide(view.length_bytes());
        self.size_bytes += wide(view.size_bytes());
        let records = u64::from(view.header().record_count.get());
        self.records += records;
        self.records_max = self.records_max.max(records);
        for record in view.records() {
            let bytes = u64::from(record.header.size_bytes.get());
            let sum = self.kinds.entry(record.header.kind.get()).or_default();
            sum.count += 1;
            sum.bytes += bytes;
            self.record_bytes += bytes;
        }
    }

    /// Commits that carried records.
    fn commits(&self) -> u64 {
        self.blocks - self.marks
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let commits = self.commits();
        let lines = [
            format!("segments  {}", self.segments),
            format!("blocks    {} ({} marks)", self.blocks, self.marks),
            format!(
                "records   {} ({} per commit, at most {})",
                self.records,
                ratio(self.records, commits),
                self.records_max
            ),
            format!(
                "bytes     {} written, {} of them records ({} %), {} padding",
                self.size_bytes,
                self.record_bytes,
                ratio(self.record_bytes * 100, self.size_bytes),
                self.size_bytes - self.length_bytes
            ),
        ];
        for line in lines {
            // Writing to a String cannot fail.
            writeln!(text, "{line}").ok();
        }
        for (kind, sum) in &self.kinds {
            let name = render::kind_name(*kind);
            writeln!(text, "  {name:<20} {:>12} {:>14} bytes", sum.count, sum.bytes).ok();
        }
        text
    }

    fn object(&self) -> Value {
        let kinds: BTreeMap<String, Value> = self
            .kinds
            .iter()
            .map(|(kind, sum)| {
                (render::kind_name(*kind), json!({ "count": sum.count, "bytes": sum.bytes }))
            })
            .collect();
        json!({
            "segments": self.segments,
            "blocks": self.blocks,
            "marks": self.marks,
            "commits": self.commits(),
            "records": self.records,
            "records_per_commit_max": self.records_max,
            "size_bytes": self.size_bytes,
            "record_bytes": self.record_bytes,
            "padding_bytes": self.size_bytes - self.length_bytes,
            "kinds": kinds,
        })
    }
}

/// With one decimal; 0 of nothing.
fn ratio(part: u64, whole: u64) -> String {
    let tenths = (part * 10).checked_div(whole).unwrap_or(0);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
