//! The smallest world that still fails the same way.
//!
//! Owns the search: each option in turn to where it has least to say, numbers then by halves, over
//! and over until nothing helps or the bound is reached. Every attempt is a process of its own,
//! since a mistake may also panic, and a panic ends the process. The seed stays, so what is found
//! is repeated by its command like any other world.

use std::process::{Command, Stdio};

use claw_dst::Options;
use claw_dst::knobs::KNOBS;

/// Attempts at most: a small world takes milliseconds.
const ATTEMPTS_MAX: u32 = 300;

/// What a failing world says before its invariant.
pub(crate) const FAILS: &str = "fails: ";

/// Where the search stands.
struct Search {
    options: Options,
    invariant: String,
    attempts: u32,
}

/// A smaller world than `options` that breaks `invariant` too, if there is one.
pub(crate) fn shrink(options: Options, invariant: &str) -> Option<Options> {
    let mut search = Search { options, invariant: invariant.to_owned(), attempts: 0 };
    while search.pass() {}
    (search.options != options).then_some(search.options)
}

impl Search {
    /// Tries every knob once; whether one could be turned.
    fn pass(&mut self) -> bool {
        KNOBS.iter().fold(false, |turned, knob| {
            let mut low = knob.least;
            let mut helped = false;
            // Straight to the least, then half of the way that is left.
            while low < (knob.get)(&self.options) {
                if self.attempt(knob.name, low) {
                    helped = true;
                    break;
                }
                let high = (knob.get)(&self.options);
                let middle = low + (high - low) / 2;
                if middle == low || !self.attempt(knob.name, middle) {
                    low = middle.max(low + 1);
                } else {
                    helped = true;
                }
            }
            turned || helped
        })
    }

    fn attempt(&mut self, name: &str, value: u64) -> bool {
        let mut candidate = self.options;
        if self.attempts >= ATTEMPTS_MAX || candidate.turn(name, value).is_err() {
            return false;
        }
        self.attempts += 1;
        let fails = broken_by(&candidate).is_some_and(|invariant| invariant == self.invariant);
        if fails {
            self.options = candidate;
        }
        fails
    }
}

/// The invariant that a world breaks, as its own process says it.
fn broken_by(options: &Options) -> Option<String> {
    let mut command = Command::new(std::env::current_exe().ok()?);
    let line = options.command();
    command.args(line.split(' ').skip_while(|word| !word.starts_with("--")));
    command.arg("--no-shrink").stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let broken = said.lines().find_map(|line| line.split_once(FAILS))?.1;
    (output.status.code() == Some(1)).then(|| invariant_of(broken).to_owned())
}

/// The name before the colon.
pub(crate) fn invariant_of(said: &str) -> &str {
    said.split_once(':').map_or(said, |(invariant, _)| invariant)
}
