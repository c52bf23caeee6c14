//! Stores for our side: as `claw init` makes them, but for what a measurement has to change.
//!
//! The per-session limit is switched off, because 64 sessions cannot be ten thousand shoppers, and
//! there is memory for the answers that must be remembered.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use claw_dataplane::simulate::scenario::Scenario;
use tempfile::TempDir;

use crate::bench::Bench;
use crate::row::ALL_ON_ONE;

/// What the node may take, MiB: room for every answer of a run, and for the holds of a second,
/// which is how long they live, at half a million a second.
const MEMORY_MIB: u64 = 8 << 10;
/// What `claw init` would have chosen.
const SNAPSHOT_INTERVAL_S: u32 = 60;
const SEGMENT_MIB: u64 = 64;
/// More than any row opens.
const CONNECTIONS_MAX: i64 = 120_000;

/// What everybody wants in [`Popularity::Hot`].
pub(crate) const HOT_SKU: &str = "HOT";

/// A store that goes with its folder.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

impl Store {
    /// Makes one for so many cores; `payments` as in its settings.
    pub(crate) fn make(bench: &Bench, cores: usize, payments: &'static str) -> Result<Self> {
        Self::shaped(bench, Shape { cores, payments, ..Shape::default() })
    }

    /// Makes one with these settings.
    pub(crate) fn shaped(bench: &Bench, shape: Shape) -> Result<Self> {
        let folder = bench.folder()?;
        let path = make_in(bench, folder.path(), shape)?;
        Ok(Self { path, _folder: folder })
    }
}

/// Makes a store in a folder that stays somebody else's; where it is.
pub(super) fn make_in(bench: &Bench, folder: &Path, shape: Shape) -> Result<PathBuf> {
    let made = Command::new(&bench.claw)
        .args(["init", "store", "--template=minimal"])
        .current_dir(folder)
        .output()
        .with_context(|| format!("start {}", bench.claw.display()))?;
    ensure!(made.status.success(), "claw init: {}", String::from_utf8_lossy(&made.stderr));
    let path = folder.join("store");
    configure(&path.join("store.toml"), shape)?;
    Ok(path)
}

/// What a measurement may choose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) cores: usize,
    pub(crate) payments: &'static str,
    pub(crate) memory_mib: u64,
    pub(crate) snapshot_interval_s: u32,
    pub(crate) segment_mib: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            cores: 1,
            payments: "none",
            memory_mib: MEMORY_MIB,
            snapshot_interval_s: SNAPSHOT_INTERVAL_S,
            segment_mib: SEGMENT_MIB,
        }
    }
}

/// How picks spread over products, each with more stock than any run can sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Popularity {
    /// Everybody wants the same.
    Hot,
    /// Zipf with exponent 1 over 1,000 SKUs.
    Zipf,
}

impl Popularity {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Hot, Self::Zipf];

    /// For a row. The share of the first of 1,000 is 1 by the sum of 1/1 to 1/1000.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Hot => ALL_ON_ONE,
            Self::Zipf => "Zipf (exponent 1) over 1,000 SKUs, 13 % on the first",
        }
    }

    /// With one behaviour.
    pub(crate) fn scenario(self, name: &str, behaviour: &str) -> Result<Scenario> {
        let price = "price = { amount = 1000, currency = \"EUR\" }\nstock = 1000000000\n";
        let products = match self {
            Self::Hot => format!(
                "[[product]]\nsku = \"{HOT_SKU}\"\n{price}hot = true\n[popularity]\nhot_share = 1.0\n"
            ),
            Self::Zipf => format!(
                "[catalogue]\nsku_prefix = \"Z\"\ncount = 1000\n{price}\
                 [popularity]\nhot_share = 0.0\nzipf_exponent = 1.0\n"
            ),
        };
        let text = format!(
            "about = \"{name}\"\nusers = 64\nduration = \"10s\"\n{products}\
             [[behaviour]]\nweight = 1\n{behaviour}\n"
        );
        Ok(Scenario::parse(name, &format!("{name}.toml"), &text)?)
    }
}

/// One shard for each core, no limit per session.
fn configure(path: &Path, shape: Shape) -> Result<()> {
    let Shape { cores, payments, memory_mib, snapshot_interval_s, segment_mib } = shape;
    let cores = i64::try_from(cores)?;
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let mut table: toml::Table = text.parse()?;
    let changes: [(&str, &str, toml::Value); 8] = [
        ("store", "shards", cores.into()),
        ("node", "cores", cores.into()),
        ("limits", "connections_max", CONNECTIONS_MAX.into()),
        ("node", "memory", format!("{memory_mib}MiB").into()),
        ("log", "segment_bytes", format!("{segment_mib}MiB").into()),
        ("log", "snapshot_interval_s", i64::from(snapshot_interval_s).into()),
        ("limits", "requests_per_second_per_session", 0.into()),
        ("payments", "kind", payments.into()),
    ];
    for (section, key, value) in changes {
        let section =
            table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let section = section.as_table_mut().context("store.toml has sections")?;
        section.insert(key.to_owned(), value);
    }
    std::fs::write(path, toml::to_string(&table)?)
        .with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_one_or_a_thousand() {
        let scenario =
            |popularity: Popularity| popularity.scenario("x", "kind = \"checkout\"").unwrap();
        let hot = scenario(Popularity::Hot);
        assert_eq!((hot.products.len(), hot.hot_count), (1, 1));
        let zipf = scenario(Popularity::Zipf);
        assert_eq!((zipf.products.len(), zipf.hot_count), (1_000, 0));
        assert!((zipf.zipf_exponent - 1.0).abs() < f64::EPSILON);
    }
}
