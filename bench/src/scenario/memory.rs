//! What products and live holds take of memory.
//!
//! Resident memory of a process that has a shard with so many of them, less that of one with a
//! thousand of each: tables, indices, timers, texts, and the answers to the commands that made
//! them, which are remembered for six minutes. A node's memory is a setting, divided by a table of
//! shares (`config/capacities.rs`) and found at its start, so it says nothing of what one entry
//! needs; what an empty node takes is measured beside.

use anyhow::Result;

use super::filled::Filled;
use super::store::{Shape, Store};
use crate::bench::{Bench, say};
use crate::figure::Figure;
use crate::report::Results;
use crate::row::Spread;
use crate::stages::Fill;
use crate::stages::growth::resident_bytes;

const NAME: &str = "memory";
/// What a small node is given, MiB.
const MEMORY_MIB: u64 = 512;
const PRODUCTS_COUNT: u32 = 100_000;
const HOLDS_COUNT: u32 = 1_000_000;
/// Of both, for a moment.
const SMOKE_COUNT: u32 = 20_000;
/// What is taken off.
const BASE: Fill = Fill { products_count: 1_000, holds_count: 1_000 };

/// Measures both.
pub(super) fn measure(bench: &Bench, results: &mut Results) -> Result<()> {
    let [products_count, holds_count] = [PRODUCTS_COUNT, HOLDS_COUNT]
        .map(|count| if bench.smoke { SMOKE_COUNT.min(count) } else { count });
    let mut figure = |name: String, conditions: &str, value: u64| {
        let (conditions, value) = (conditions.to_owned(), Spread::of(vec![value]));
        results.figures.push(Figure { scenario: NAME, name, unit: "bytes", conditions, value });
    };
    let shape = Shape { memory_mib: MEMORY_MIB, ..Shape::default() };
    let filled = Filled::start(bench, Store::shaped(bench, shape)?)?;
    let conditions = format!("memory = {MEMORY_MIB} MiB, 1 core, right after its start");
    figure("an empty node".to_owned(), &conditions, filled.resident_bytes()?);
    filled.stop()?;
    let base = resident_bytes(BASE)?;
    let rows = [
        ("product", products_count, Fill { products_count, ..BASE }, BASE.products_count),
        ("live hold", holds_count, Fill { holds_count, ..BASE }, BASE.holds_count),
    ];
    for (what, count, fill, base_count) in rows {
        say(&format!("memory: {count} of a {what}"))?;
        let taken = resident_bytes(fill)?.saturating_sub(base);
        let each = taken / u64::from(count - base_count);
        let conditions = "one shard, with the answers to what made it";
        figure(format!("{count} of a {what}"), conditions, each * u64::from(count));
        figure(format!("a {what}"), conditions, each);
    }
    Ok(())
}
