//! Open loops at parts of the peak, beside a bare echo that commits, at the same rates.
//!
//! The peak is that of the closed loop over HTTP, as many connections as reached it; measured here
//! where the run has none. How much later the slowest hundredth is answered than by a server that
//! only commits is a figure of its own: what the node adds, whatever the machine does.

use anyhow::{Context as _, Result};

use super::holds;
use super::store::Popularity;
use crate::bench::Bench;
use crate::ceiling::{self, Kind};
use crate::figure::Figure;
use crate::report::Results;
use crate::row::{self, Load, Row, Spread};

const NAME: &str = "rates";
/// Hundredths of the peak.
const PERCENTS: [u32; 4] = [25, 50, 75, 90];
/// Of the closed loops that find the peak.
const CONNECTIONS: [u32; 2] = [64, 256];

/// Measures it.
pub(super) fn measure(bench: &Bench, results: &mut Results) -> Result<()> {
    let way = (&holds::HTTP, Popularity::Hot);
    let ours = |row: &&Row| row.subject.system.starts_with("claw, HTTP,") && row.is_all_on_one();
    let known: Vec<Row> =
        results.rows.iter().filter(|row| row.scenario == "http").filter(ours).cloned().collect();
    let peak = if let Some(peak) = row::peak(&known) {
        peak.clone()
    } else {
        let mut rows = Vec::new();
        for &connections in bench.some(&CONNECTIONS) {
            rows.push(holds::measure(bench, NAME, way, Load::closed(connections))?);
        }
        let peak = row::peak(&rows).context("a closed loop was measured")?.clone();
        results.rows.extend(rows);
        peak
    };
    for &percent in bench.some(&PERCENTS) {
        let load = Load::open(peak.load.connections, peak.per_second.median, percent);
        let row = holds::measure(bench, NAME, way, load)?;
        let bare = ceiling::measure(bench, NAME, (Kind::Commit, way.0), load)?;
        let conditions = format!("{} connections, {}", load.connections, load.in_words());
        results.figures.push(Figure {
            scenario: NAME,
            name: format!("p99 by that of the bare echo plus commit, at {percent} % of the peak"),
            unit: "%",
            conditions,
            value: ratio_percent(row.p99_us, bare.p99_us),
        });
        results.rows.extend([row, bare]);
    }
    Ok(())
}

/// Of each number by the other's median.
fn ratio_percent(ours: Spread, bare: Spread) -> Spread {
    let by = |value: u64| value * 100 / bare.median.max(1);
    Spread { median: by(ours.median), least: by(ours.least), most: by(ours.most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratio_is_by_the_median_of_the_bare_server() {
        let ours = Spread { median: 1_500, least: 1_200, most: 3_000 };
        let bare = Spread { median: 1_000, least: 900, most: 1_100 };
        let expected = Spread { median: 150, least: 120, most: 300 };
        assert_eq!(ratio_percent(ours, bare), expected);
        assert_eq!(ratio_percent(ours, Spread { median: 0, ..bare }).median, 150_000);
    }
}
