//! Whole nodes on one shard core and on two, where the machine has cores for them, the load and
//! the rest.
//!
//! Holds over HTTP, Zipf over 1,000 SKUs, so that both shards have work and half of the requests
//! are for the other core's. Elsewhere it is missing by name, and instructions are counted
//! ([`crate::stages::cores`]).

use anyhow::Result;
use claw_dataplane::simulate::client::system;

use super::holds;
use super::store::Popularity;
use crate::bench::Bench;
use crate::figure::Figure;
use crate::report::Results;
use crate::row::{Load, Spread};

const NAME: &str = "cores";
const CONNECTIONS: u32 = 256;
/// Two shard cores, the load, and one for what a node does beside its cores.
const CPUS_MIN: usize = 4;

/// Measures it.
pub(super) fn measure(bench: &Bench, results: &mut Results) -> Result<()> {
    let cpus_count = system::affinity()?.len();
    if cpus_count < CPUS_MIN {
        let why = format!("this machine has {cpus_count} CPUs, {CPUS_MIN} are needed");
        results.missing.push(format!("cores: whole nodes: {why}"));
        return Ok(());
    }
    let mut rates = Vec::new();
    for cores in [1, 2] {
        let way = (&holds::HTTP, Popularity::Zipf);
        let row = holds::measure_on(bench, NAME, cores, way, Load::closed(CONNECTIONS))?;
        rates.push(row.per_second.median);
        results.rows.push(row);
    }
    let [one, two] = rates[..] else { unreachable!("two rows") };
    results.figures.push(Figure {
        scenario: NAME,
        name: "what two shard cores serve by what one does".to_owned(),
        unit: "%",
        conditions: format!("{CONNECTIONS} connections, closed, Zipf over 1,000 SKUs"),
        value: Spread::of(vec![two * 100 / one.max(1)]),
    });
    Ok(())
}
