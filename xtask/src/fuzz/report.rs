//! What a person sees of a fuzzing run: progress on stderr, the table on stdout.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use super::progress::Progress;
use crate::process::talk;

/// A target that ran.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) target: String,
    pub(super) seconds: Duration,
    pub(super) progress: Progress,
}

impl Row {
    fn per_second(&self) -> u64 {
        self.progress.executions / self.seconds.as_secs().max(1)
    }
}

pub(super) fn name(target: &str) {
    writeln!(io::stdout().lock(), "{target}").ok();
}

pub(super) fn progress(target: &str, elapsed: Duration, seconds: u32, progress: &Progress) {
    let Progress { executions, edges, inputs, .. } = progress;
    let elapsed = elapsed.as_secs();
    talk(format_args!(
        "{target:<10} {elapsed:>5} / {seconds} s  {executions:>10} executions  {edges:>5} edges  \
         {inputs:>5} inputs"
    ));
}

/// Prints the table; fails when anything was found.
pub(super) fn table(rows: &[Row]) -> ExitCode {
    let mut out = io::stdout().lock();
    let head = ("target", "executions", "per second", "edges", "inputs", "found");
    writeln!(
        out,
        "{:<10} {:>12} {:>11} {:>6} {:>7}  {}",
        head.0, head.1, head.2, head.3, head.4, head.5
    )
    .ok();
    for row in rows {
        let Progress { executions, edges, inputs, artifact } = &row.progress;
        let found = artifact.as_deref().unwrap_or("nothing");
        let (target, rate) = (&row.target, row.per_second());
        writeln!(out, "{target:<10} {executions:>12} {rate:>11} {edges:>6} {inputs:>7}  {found}")
            .ok();
    }
    let found = rows.iter().any(|row| row.progress.artifact.is_some());
    if found { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
