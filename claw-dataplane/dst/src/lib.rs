//! Deterministic simulation testing of the pure machines: a seed in, a verdict out.
//!
//! A world is one node of several shards on simulated devices, with shoppers that repeat what was
//! not answered, in virtual time, on one thread. Power fails; writes are kept, dropped, torn and
//! reordered; the clock strays; requests and messages come twice. Every decision is the real, pure
//! code of `claw-core`, and so is recovery.
//!
//! Reading order: [`options`] (what a seed draws), `world` (the plot), `scene` (time), `device`
//! (what a crash leaves), `node` (the shell, written small), `shoppers` and `workload` (what is
//! asked), `oracle` (what was acknowledged), `invariants` (what must hold), [`trace`].
//!
//! Architecture invariant: the same seed and the same code give the same run, on any machine. So no
//! clock, no thread, no seeded map, and chance only from [`random`](crate) streams of the seed.
//!
//! A found bug is a seed: `seeds.txt` keeps them, one line each with the reason, and a test runs
//! them all.

mod ask;
mod device;
mod gateway;
mod invariants;
pub mod knobs;
mod node;
pub mod options;
mod oracle;
mod random;
mod scene;
mod shoppers;
mod site;
pub mod trace;
mod violation;
mod workload;
mod world;

#[cfg(test)]
mod tests;

pub use options::{Canary, Options, Overrides};
pub use violation::Violation;
pub use world::Summary;

use std::panic::{AssertUnwindSafe, catch_unwind};

use trace::Sink;
use world::World;

/// What a seed came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its options.
    pub options: Options,
    /// What happened, as far as it went.
    pub summary: Summary,
    /// What did not hold.
    pub violation: Option<Violation>,
}

/// Runs one world. Where panics unwind, a panic is a violation too; where they abort, see
/// [`trace::tail`].
pub fn run(options: Options, sink: Option<Sink>) -> Verdict {
    let ended = catch_unwind(AssertUnwindSafe(|| World::new(options, sink).run()));
    let (violation, summary) = match ended {
        Ok((checked, summary)) => (checked.err(), summary),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let detail = text.unwrap_or("a panic without words");
            (Some(Violation::new("no assertion fails", detail)), Summary::default())
        }
    };
    Verdict { options, summary, violation }
}
