//! What a second shard core brings: a hold of the wire protocol through the node's stages, in a
//! store of one shard and in one of two.
//!
//! Connections end at any core and SKUs belong to any shard, so with two of each half of all holds
//! cross the mesh, and their outcomes cross it back. Callgrind counts what both cores do; two cores
//! that cost together what one does serve twice as much. Where the machine has the cores, whole
//! nodes are measured too ([`crate::scenario`]).
//!
//! Deliberately not here: caches and memory that cores share, and what waking each other costs.

use anyhow::Result;

use super::{COUNTED, Fill, Pipeline as _, Stage, WARM_COUNT, callgrind, wire};
use crate::bench::say;
use crate::figure::Figure;
use crate::report::Results;
use crate::row::Spread;

const NAME: &str = "cores";
/// Products enough that each shard has its half.
const FILL: Fill = Fill { products_count: 1_000, holds_count: 1_000 };
/// Shard cores.
const COUNTS: [u16; 2] = [1, 2];

/// In a process of its own: serves holds in a store with so many shard cores.
pub(crate) fn serve(cores_count: u16) -> Result<()> {
    let fill = FILL;
    let mut holds = wire::WireHolds::new(WARM_COUNT + COUNTED, Stage::Render, (fill, cores_count))?;
    holds.serve(WARM_COUNT);
    callgrind::start();
    holds.serve(COUNTED);
    callgrind::stop();
    Ok(())
}

/// Counts both, and says what two cores serve by what one does.
pub(crate) fn measure(results: &mut Results) -> Result<()> {
    if let Err(why) = callgrind::find() {
        results.missing.push(format!("cores: instructions: {why}"));
        return Ok(());
    }
    let mut counted = Vec::new();
    for cores_count in COUNTS {
        say(&format!("cores: instructions of a hold, shard cores: {cores_count}"))?;
        let all = callgrind::between(&["--serve-cores", &cores_count.to_string()])?;
        let each = u64::try_from(all.instructions)? / COUNTED as u64;
        let name = format!("a hold over the wire, shard cores: {cores_count}");
        results.figures.push(figure(name, "instructions", each));
        counted.push(each);
    }
    let [one, two] = counted[..] else { unreachable!("one count for each of COUNTS") };
    let percent = 200 * one / two.max(1);
    let name = "what two shard cores serve by what one does, by instruction count".to_owned();
    results.figures.push(figure(name, "%", percent));
    Ok(())
}

fn figure(name: String, unit: &'static str, value: u64) -> Figure {
    let conditions = "half of the holds cross between two; callgrind".to_owned();
    Figure { scenario: NAME, name, unit, conditions, value: Spread::of(vec![value]) }
}
