//! What is measured, one file for each kind of work, in the order of a run.
//!
//! Owns which loads belong to a scenario; how one run goes is in the files beside it, and what
//! other systems do in [`crate::peers`].

mod checkouts;
mod cores;
mod crash;
mod crowd;
pub(crate) mod filled;
pub(crate) mod holds;
mod hops;
mod memory;
pub(crate) mod notices;
mod rates;
mod recovery;
pub(crate) mod store;
mod wrk;

use anyhow::Result;

use crate::bench::Bench;
use crate::ceiling::{self, Kind};
use crate::peers::ADAPTERS;
use crate::report::Results;
use crate::row::{Load, Row, measure_loads};
use crate::stages;
use holds::Way;
use store::Popularity;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// Holds over HTTP: 64, 256 and 10,000 connections, one hot SKU and Zipf over 1,000.
    Http,
    /// Holds over HTTP again, asked by wrk.
    Wrk,
    /// The same sale on PostgreSQL and Redis.
    Peers,
    /// Holds over HTTPS, signed by ed25519, and with shoppers' tokens.
    Carriers,
    /// Holds over the wire protocol, single and batched.
    Wire,
    /// Open loops at 25, 50, 75 and 90 % of the peak, beside a bare echo that commits.
    Rates,
    /// Whole checkouts, beside PostgreSQL's.
    Checkouts,
    /// The drop of `claw simulate` with 10,000 shoppers.
    Drop,
    /// Time to ready and events replayed a second.
    Recovery,
    /// What 100,000 products and 1 million live holds take of memory.
    Memory,
    /// How soon WebSockets are told, and what idle ones cost.
    Notices,
    /// What each stage of a request costs.
    Stages,
    /// What a hold costs as the store grows: 1,000 products and holds, or a million and ten.
    Growth,
    /// What a second shard core brings: whole nodes where there are cores for it, and by
    /// instruction count.
    Cores,
    /// Killed and cut off from power under load, beside PostgreSQL and Redis: what was lost of
    /// what had been acknowledged?
    Crash,
}

impl Scenario {
    /// Measures it.
    pub(crate) fn measure(self, bench: &Bench, results: &mut Results) -> Result<()> {
        if self == Self::Peers {
            for adapter in ADAPTERS.iter().filter(|adapter| bench.wants(adapter.name)) {
                results.rows.extend(adapter.measure(bench, &mut results.missing)?);
            }
            return Ok(());
        }
        if self == Self::Crash {
            return crash::measure(bench, results);
        }
        if !bench.wants("claw") {
            return Ok(());
        }
        match self {
            Self::Http => {
                for popularity in Popularity::ALL {
                    measure_ways(bench, "http", &[holds::HTTP], popularity, results)?;
                }
                measure_ceilings(bench, "http", &holds::HTTP, results)
            }
            Self::Carriers => {
                measure_ways(bench, "carriers", &holds::CARRIERS, Popularity::Hot, results)?;
                for way in holds::CARRIERS.iter().filter(|way| bench.wants_way(way.name)) {
                    if way.encrypted() {
                        let why = "the bare server speaks no TLS";
                        results.missing.push(format!("carriers: ceiling of {}: {why}", way.name));
                    } else {
                        measure_ceilings(bench, "carriers", way, results)?;
                    }
                }
                Ok(())
            }
            Self::Wire => {
                measure_ways(bench, "wire", &holds::WIRES, Popularity::Hot, results)?;
                let wanted = holds::WIRES.iter().filter(|way| bench.wants_way(way.name));
                wanted.into_iter().try_for_each(|way| measure_ceilings(bench, "wire", way, results))
            }
            Self::Wrk => wrk::measure(bench, results),
            Self::Rates => rates::measure(bench, results),
            Self::Checkouts => checkouts::measure(bench, results),
            Self::Drop => crowd::measure(bench, results),
            Self::Recovery => recovery::measure(bench, results),
            Self::Memory => memory::measure(bench, results),
            Self::Notices => {
                results.figures.extend(notices::measure(bench)?.figures());
                Ok(())
            }
            Self::Stages => {
                results.figures.extend(stages::measure(bench.smoke)?.figures());
                Ok(())
            }
            Self::Growth => stages::growth::measure(bench, results),
            Self::Cores => {
                cores::measure(bench, results)?;
                stages::cores::measure(results)
            }
            Self::Peers | Self::Crash => Ok(()),
        }
    }
}

fn measure_ways(
    bench: &Bench,
    scenario: &'static str,
    ways: &[Way],
    popularity: Popularity,
    results: &mut Results,
) -> Result<()> {
    for way in ways.iter().filter(|way| bench.wants_way(way.name)) {
        let connections = bench.some(way.connections);
        results.rows.extend(measure_loads(connections, &[bench.open_percent()], |load| {
            holds::measure(bench, scenario, (way, popularity), load)
        })?);
    }
    Ok(())
}

/// The bare servers under each load that one hot SKU had; what the client reached there is noted
/// beside every row of this way with as many connections.
fn measure_ceilings(
    bench: &Bench,
    scenario: &'static str,
    way: &Way,
    results: &mut Results,
) -> Result<()> {
    let system = holds::subject(way, Popularity::Hot).system;
    let of_way = |row: &&Row| row.scenario == scenario && row.subject.system == system;
    let hot = results.rows.iter().filter(of_way).filter(|row| row.is_all_on_one());
    let loads: Vec<Load> = hot.map(|row| row.load).collect();
    for load in loads {
        for kind in Kind::ALL {
            let bare = ceiling::measure(bench, scenario, (kind, way), load)?;
            if kind == Kind::Echo && load.rate.is_none() {
                let beside =
                    |row: &&mut Row| of_way(&&**row) && row.load.connections == load.connections;
                for row in results.rows.iter_mut().filter(beside) {
                    row.ceiling_per_second = Some(bare.per_second.median);
                }
            }
            results.rows.push(bare);
        }
    }
    Ok(())
}
