//! What every measurement needs to know about the whole, and the way to talk meanwhile.
//!
//! Owns nothing that is measured.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use claw_dataplane::simulate::client::system;

use crate::arguments::System;

/// What a measurement needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    /// The program that is measured.
    pub(crate) claw: PathBuf,
    /// Where stores and databases go.
    pub(crate) scratch: PathBuf,
    /// What that lies on, for people.
    pub(crate) device: String,
    /// Length of one run.
    pub(crate) seconds: u64,
    /// Runs of a row.
    pub(crate) runs_count: usize,
    /// Of every draw.
    pub(crate) seed: u64,
    /// Events in the log that recovery is timed with.
    pub(crate) events_count: u64,
    /// WebSockets that are open while notices are timed, and such that do nothing.
    pub(crate) sockets: [usize; 2],
    /// Crashes of each system.
    pub(crate) cuts_count: u32,
    /// Each measurement for a moment: small numbers, one of each kind.
    pub(crate) smoke: bool,
    /// Only this system.
    pub(crate) only: Option<System>,
    /// Only ways whose name starts so.
    pub(crate) way: Option<String>,
}

impl Bench {
    /// Whether a system called `name` is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_none_or(|only| only.name() == name)
    }

    /// Whether a way of ours called `name` is to be measured.
    pub(crate) fn wants_way(&self, name: &str) -> bool {
        self.way.as_ref().is_none_or(|way| name.starts_with(way.as_str()))
    }

    /// All of `wanted`, or the first for a moment.
    pub(crate) fn some<'a, T>(&self, wanted: &'a [T]) -> &'a [T] {
        if self.smoke { &wanted[..1.min(wanted.len())] } else { wanted }
    }

    /// Part of the peak at which a single open loop runs, hundredths. A moment is too short to keep
    /// a schedule that is near the limit.
    pub(crate) const fn open_percent(&self) -> u32 {
        if self.smoke { 25 } else { 50 }
    }

    /// A folder of one measurement, gone with the value.
    pub(crate) fn folder(&self) -> Result<tempfile::TempDir> {
        tempfile::tempdir_in(&self.scratch)
            .with_context(|| format!("make a folder in {}", self.scratch.display()))
    }

    /// Does `work` on the cores that a node gets: all but the last, which is the load's.
    pub(crate) fn on_server_cores<T>(work: impl FnOnce() -> T) -> Result<T> {
        on_cores(|cpus| &cpus[..cpus.len().saturating_sub(1).max(1)], work)
    }

    /// Does `work` on the core of the load, the last one.
    pub(crate) fn on_load_core<T>(work: impl FnOnce() -> T) -> Result<T> {
        on_cores(|cpus| &cpus[cpus.len().saturating_sub(1)..], work)
    }
}

fn on_cores<T>(choose: fn(&[usize]) -> &[usize], work: impl FnOnce() -> T) -> Result<T> {
    let cpus = system::affinity().context("read the allowed cores")?;
    system::set_affinity(choose(&cpus)).context("choose a core")?;
    let done = work();
    system::set_affinity(&cpus).context("go back to every core")?;
    Ok(done)
}

/// The binary to measure: what was given, what `CLAW_BIN` names, or the one beside this program.
pub(crate) fn claw_binary(given: Option<&Path>) -> Result<PathBuf> {
    let named = given.map(Path::to_owned).or_else(|| std::env::var_os("CLAW_BIN").map(Into::into));
    let path = match named {
        Some(path) => path,
        None => std::env::current_exe().context("find this program")?.with_file_name("claw"),
    };
    ensure!(
        path.is_file(),
        "no claw binary at {}: build it (cargo build --release -p claw-dataplane) or give --claw",
        path.display()
    );
    Ok(path)
}

/// Talk goes to stderr.
pub(crate) fn say(text: &str) -> Result<()> {
    writeln!(std::io::stderr(), "claw-bench: {text}").context("write to stderr")
}
