//! What people would pick instead, on the same work, core and disk, in the same run.
//!
//! A peer is a small adapter: it starts a server of its own in a scratch folder on the cores the
//! node gets, does the same decision under a load, and checks its books after each run. Another one
//! is a file here and a line in [`ADAPTERS`]. What is not installed is named, not skipped over.
//!
//! Deliberately compares nothing that is not durable, and gives each peer what a fair one gets:
//! memory, and no housekeeping inside a run.

pub(crate) mod pgbench_log;
pub(crate) mod postgres;
pub(crate) mod redis;
pub(crate) mod resp;
mod traffic;

use anyhow::Result;

use crate::bench::Bench;
use crate::row::{self, Load, Row, Run, Subject};

/// A running peer.
pub(crate) trait Peer {
    /// Its ways to take stock, with what a row says of each.
    fn subjects(&self) -> Vec<Subject>;

    /// One run of a way, from fresh books to books that were checked.
    fn run_once(&mut self, bench: &Bench, way: usize, load: Load) -> Result<Run>;

    /// Ends it in order; its data goes.
    fn stop(self: Box<Self>) -> Result<()>;
}

/// What starting came to.
pub(crate) enum Found {
    /// It runs.
    Started(Box<dyn Peer>),
    /// It is not installed, or cannot run here.
    Missing(String),
}

/// How a peer is started.
pub(crate) struct Adapter {
    /// As `--only` names it, and people.
    pub(crate) name: &'static str,
    start: fn(&Bench) -> Result<Found>,
}

/// Every peer there is.
pub(crate) const ADAPTERS: [Adapter; 2] = [
    Adapter { name: "PostgreSQL", start: postgres::start },
    Adapter { name: "Redis", start: redis::start },
];

/// Connections of the closed loops.
const CONNECTIONS: [u32; 2] = [64, 256];

impl Adapter {
    /// Every way of it under every load; what is missing goes to `missing`.
    pub(crate) fn measure(&self, bench: &Bench, missing: &mut Vec<String>) -> Result<Vec<Row>> {
        let mut peer = match (self.start)(bench)? {
            Found::Started(peer) => peer,
            Found::Missing(why) => {
                missing.push(format!("{}: {why}", self.name));
                return Ok(Vec::new());
            }
        };
        let mut rows = Vec::new();
        for (way, subject) in peer.subjects().into_iter().enumerate() {
            rows.extend(row::measure_loads(
                bench.some(&CONNECTIONS),
                &[bench.open_percent()],
                |load| {
                    row::measure(bench, "holds", subject.clone(), load, || {
                        peer.run_once(bench, way, load)
                    })
                },
            )?);
        }
        peer.stop()?;
        Ok(rows)
    }
}
