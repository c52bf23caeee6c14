//! From a log to a node that serves: how long a start takes, and how fast events are replayed.
//!
//! The log is made by holds over the wire protocol that expire at once, two events each, without
//! snapshots, so that all of it is replayed. What a start takes on an empty log (the device's
//! measurement, keys, sockets) is timed too and taken off.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use claw_dataplane::simulate::client::system;

use super::filled::{self, Filled, start_node};
use super::store::{Shape, Store};
use crate::bench::{Bench, say};
use crate::figure::Figure;
use crate::report::Results;
use crate::row::Spread;

const NAME: &str = "recovery";
/// A day: none is made meanwhile.
const SNAPSHOT_INTERVAL_S: u32 = 86_400;
/// The node's memory: something, and enough to remember the answer to every hold.
const MEMORY_MIB: u64 = 4 << 10;
const MEMORY_BYTES_PER_EVENT: u64 = 512;
/// They expire soon, so that the live ones stay few.
const HOLD_TTL_MS: u64 = 500;
/// Granted and expired.
const EVENTS_PER_HOLD: u64 = 2;
/// Time for the last of them to expire.
const EXPIRY: Duration = Duration::from_secs(30);
/// Between two looks at that.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Measures it.
pub(super) fn measure(bench: &Bench, results: &mut Results) -> Result<()> {
    let shape = Shape {
        memory_mib: MEMORY_MIB + bench.events_count * MEMORY_BYTES_PER_EVENT / (1 << 20),
        snapshot_interval_s: SNAPSHOT_INTERVAL_S,
        ..Shape::default()
    };
    let store = Store::shaped(bench, shape)?;
    // The first start makes segments, which none of the counted ones does.
    let store = Filled::start(bench, store)?.stop()?;
    let empty_ms = starts_ms(bench, &store, "an empty log")?;
    say(&format!("recovery: a log of {} events", bench.events_count))?;
    let store = fill(bench, store)?;
    let stats = filled::log_stats(bench, &store)?;
    let records = stats["records"].as_u64().context("claw log stats counts records")?;
    let mebibytes = stats["size_bytes"].as_u64().unwrap_or(0) >> 20;
    let full_ms = starts_ms(bench, &store, "all of it")?;
    let conditions = format!("{records} events, {mebibytes} MiB, no snapshot, 1 core");
    let mut figure = |name: &str, unit, value| {
        let (name, conditions) = (name.to_owned(), conditions.clone());
        results.figures.push(Figure { scenario: NAME, name, unit, conditions, value });
    };
    figure("time to ready", "ms", full_ms);
    figure("time to ready with an empty log", "ms", empty_ms);
    // The slowest start is the lowest rate.
    let rates = [full_ms.median, full_ms.most, full_ms.least]
        .map(|ready_ms| replay_per_second(records, ready_ms, empty_ms.median));
    let rates: Vec<u64> = rates.into_iter().flatten().collect();
    if rates.len() < 3 {
        let why = "recovery: the replay is lost in what an empty log takes: ask for more --events";
        results.missing.push(why.to_owned());
    } else {
        figure("replay, beyond what an empty log takes", "events/s", Spread::of(rates));
    }
    Ok(())
}

/// Events a second, of what a start took beyond that of an empty log, if anything.
fn replay_per_second(records: u64, ready_ms: u64, empty_ms: u64) -> Option<u64> {
    (records * 1_000).checked_div(ready_ms.saturating_sub(empty_ms))
}

/// From the start of the process to the first time that it says it is ready.
fn starts_ms(bench: &Bench, store: &Store, what: &str) -> Result<Spread> {
    let mut times = Vec::new();
    for number in 1..=bench.runs_count {
        say(&format!("recovery: a start with {what}, run {number}"))?;
        let cpus = system::affinity()?;
        let started_at = Instant::now();
        let node = start_node(bench, store)?;
        times.push(u64::try_from(started_at.elapsed().as_millis())?);
        node.stop()?;
        system::set_affinity(&cpus)?;
    }
    Ok(Spread::of(times))
}

fn fill(bench: &Bench, store: Store) -> Result<Store> {
    let filled = Filled::start(bench, store)?;
    let sku = "HOT".to_owned();
    filled.make_products(std::slice::from_ref(&sku))?;
    filled.make_holds(&sku, bench.events_count.div_ceil(EVENTS_PER_HOLD), HOLD_TTL_MS)?;
    let deadline = Instant::now() + EXPIRY;
    while filled.held(&sku)? > 0 {
        if Instant::now() >= deadline {
            bail!("holds did not expire within {} s", EXPIRY.as_secs());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    filled.stop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replay_is_what_a_start_took_beyond_an_empty_one() {
        assert_eq!(replay_per_second(10_000_000, 3_500, 1_500), Some(5_000_000));
        assert_eq!(replay_per_second(100, 1_500, 1_500), None);
        assert_eq!(replay_per_second(100, 1_400, 1_500), None);
    }
}
