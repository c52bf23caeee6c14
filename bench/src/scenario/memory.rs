//! What products and live holds take of the node's resident memory.
//!
//! Differences of one node's resident memory, before and after they are made over the wire
//! protocol; the node's `memory` is set so that there is room for them. The tables that find
//! entries are touched at start and are named apart: they are a share of the setting. No snapshot
//! is made meanwhile, which would hold the state twice.

use anyhow::Result;

use super::filled::Filled;
use super::store::{Shape, Store};
use crate::bench::{Bench, say};
use crate::figure::Figure;
use crate::report::Results;
use crate::row::Spread;

const NAME: &str = "memory";
/// A day: none is made meanwhile.
const SNAPSHOT_INTERVAL_S: u32 = 86_400;
const PRODUCTS_COUNT: u64 = 100_000;
const HOLDS_COUNT: u64 = 1_000_000;
/// Of both, for a moment.
const SMOKE_COUNT: u64 = 2_000;
/// Of the node's memory for each: what one takes and its share, as the node divides memory.
const MEMORY_BYTES_PER_PRODUCT: u64 = 4_096 * 100 / 11;
const MEMORY_BYTES_PER_HOLD: u64 = 2_048 * 100 / 14;
/// None expires while it is counted.
const HOLD_TTL_MS: u64 = 3_600_000;

/// Measures both.
pub(super) fn measure(bench: &Bench, results: &mut Results) -> Result<()> {
    let [products, holds] = [PRODUCTS_COUNT, HOLDS_COUNT]
        .map(|count| if bench.smoke { SMOKE_COUNT.min(count) } else { count });
    let needed = (products * MEMORY_BYTES_PER_PRODUCT).max(holds * MEMORY_BYTES_PER_HOLD);
    let shape = Shape {
        // A little more than needed: what is left over of each share.
        memory_mib: (needed >> 20) + (needed >> 24) + 512,
        snapshot_interval_s: SNAPSHOT_INTERVAL_S,
        ..Shape::default()
    };
    let conditions = format!("memory = {} MiB, 1 core", shape.memory_mib);
    let mut figure = |name: String, unit, value: u64| {
        let (conditions, value) = (conditions.clone(), Spread::of(vec![value]));
        results.figures.push(Figure { scenario: NAME, name, unit, conditions, value });
    };
    let filled = Filled::start(bench, Store::shaped(bench, shape)?)?;
    let empty = filled.resident_bytes()?;
    say(&format!("memory: {products} products"))?;
    let skus: Vec<String> = (0..products).map(|number| format!("SKU-{number:06}")).collect();
    filled.make_products(&skus)?;
    let with_products = filled.resident_bytes()?;
    say(&format!("memory: {holds} live holds"))?;
    filled.make_holds(&skus[0], holds, HOLD_TTL_MS)?;
    let with_holds = filled.resident_bytes()?;
    anyhow::ensure!(filled.held(&skus[0])? == holds, "every hold is live");
    filled.stop()?;
    let grown = [with_products.saturating_sub(empty), with_holds.saturating_sub(with_products)];
    figure("an empty node".to_owned(), "bytes", empty);
    figure(format!("{products} products, with stock"), "bytes", grown[0]);
    figure("a product".to_owned(), "bytes", grown[0] / products);
    figure(format!("{holds} live holds, with the answers to them"), "bytes", grown[1]);
    figure("a live hold".to_owned(), "bytes", grown[1] / holds);
    Ok(())
}
