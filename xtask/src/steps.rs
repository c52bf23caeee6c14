//! The list of steps a verb goes through: each timed, all of them run, one clear end.
//!
//! A failing step does not stop the others, so that one run shows everything that is wrong. The
//! last line is `N passed, N failed`, alone: tests as their runner counted them, and one for each
//! check that is not a test.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::process::talk;

/// What a test runner counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub passed_count: u64,
    pub failed_count: u64,
}

impl Tally {
    const PASSED: Self = Self { passed_count: 1, failed_count: 0 };
    const FAILED: Self = Self { passed_count: 0, failed_count: 1 };

    /// Add what a summary line says; any other line changes nothing.
    ///
    /// Knows the summaries of `cargo test` and of nextest: `test result: ok. 3 passed; 0 failed`
    /// and `Summary [0.1s] 5 tests run: 4 passed (1 slow), 1 failed, 1 timed out`.
    pub(crate) fn read_line(&mut self, line: &str) {
        let line = without_colours(line);
        if !line.starts_with("test result:") && !line.trim_start().starts_with("Summary [") {
            return;
        }
        let mut number = None;
        for word in line.split_whitespace().map(|word| word.trim_matches(['(', ')', ',', ';'])) {
            match (number.take(), word) {
                (Some(count), "passed") => self.passed_count += count,
                (Some(count), "failed" | "timed" | "aborted") => self.failed_count += count,
                _ => number = word.parse::<u64>().ok(),
            }
        }
    }
}

fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(letter) = chars.next() {
        if letter == '\u{1b}' {
            // A colour ends with its letter: ESC [ 3 2 m.
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(letter);
        }
    }
    plain
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    seconds: f64,
    tally: Tally,
}

/// The steps done so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

impl Steps {
    /// A step that is one check: it passes or it does not.
    pub(crate) fn check(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        self.tests(name, || work().map(|()| Tally::PASSED));
    }

    /// A step that runs tests and answers how many.
    pub(crate) fn tests(&mut self, name: &'static str, work: impl FnOnce() -> Result<Tally>) {
        talk(format_args!("\n== {name}"));
        let start = Instant::now();
        let tally = work().unwrap_or_else(|error| {
            talk(format_args!("error: {error:#}"));
            Tally::FAILED
        });
        self.done.push(Step { name, seconds: start.elapsed().as_secs_f64(), tally });
    }

    fn tally(&self) -> Tally {
        self.done.iter().fold(Tally::default(), |mut all, step| {
            all.passed_count += step.tally.passed_count;
            all.failed_count += step.tally.failed_count;
            all
        })
    }

    /// Print the list and answer for the whole.
    pub(crate) fn finish(self) -> ExitCode {
        talk(format_args!(""));
        for Step { name, seconds, tally } in &self.done {
            let verdict = if tally.failed_count == 0 { "ok" } else { "FAILED" };
            let Tally { passed_count, failed_count } = tally;
            let sum = format!("{passed_count} passed, {failed_count} failed");
            talk(format_args!("{seconds:>8.1} s  {verdict:<7} {name:<28} {sum}"));
        }
        let seconds: f64 = self.done.iter().map(|step| step.seconds).sum();
        talk(format_args!("{seconds:>8.1} s  together"));
        let Tally { passed_count, failed_count } = self.tally();
        writeln!(io::stdout().lock(), "{passed_count} passed, {failed_count} failed").ok();
        if failed_count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(line: &str) -> (u64, u64) {
        let mut tally = Tally::default();
        tally.read_line(line);
        (tally.passed_count, tally.failed_count)
    }

    #[test]
    fn summaries_of_both_runners_are_read() {
        assert_eq!(tally("test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured"), (3, 2));
        assert_eq!(tally("     Summary [   0.010s] 12 tests run: 12 passed, 0 skipped"), (12, 0));
        assert_eq!(
            tally("     Summary [ 60.1s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out"),
            (6, 3)
        );
        assert_eq!(tally("\u{1b}[32;1m     Summary\u{1b}[0m [ 1s] 1 test run: 1 passed"), (1, 0));
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(tally("test a_sale_has passed ... ok"), (0, 0));
        assert_eq!(tally("4 passed"), (0, 0));
    }

    #[test]
    fn one_failing_step_fails_the_whole_and_stops_nothing() {
        let mut steps = Steps::default();
        let mut reached = false;
        steps.check("breaks", || anyhow::bail!("on purpose"));
        steps.check("works", || {
            reached = true;
            Ok(())
        });
        assert!(reached);
        steps.tests("counts", || Ok(Tally { passed_count: 40, failed_count: 1 }));
        assert_eq!(steps.tally(), Tally { passed_count: 41, failed_count: 2 });
    }
}
