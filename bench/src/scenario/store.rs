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

/// What the node may take: room for every answer of a run.
const MEMORY: &str = "4GiB";
/// More than any row opens.
const CONNECTIONS_MAX: i64 = 120_000;

/// A store that goes with its folder.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

impl Store {
    /// Makes one for so many cores; `payments` as in its settings.
    pub(crate) fn make(bench: &Bench, cores: usize, payments: &str) -> Result<Self> {
        let folder = bench.folder()?;
        let made = Command::new(&bench.claw)
            .args(["init", "store", "--template=minimal"])
            .current_dir(folder.path())
            .output()
            .with_context(|| format!("start {}", bench.claw.display()))?;
        ensure!(made.status.success(), "claw init: {}", String::from_utf8_lossy(&made.stderr));
        let path = folder.path().join("store");
        configure(&path.join("store.toml"), cores, payments)?;
        Ok(Self { path, _folder: folder })
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
                "[[product]]\nsku = \"HOT\"\n{price}hot = true\n[popularity]\nhot_share = 1.0\n"
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

/// One shard for each of so many cores, payments of a kind, no limit per session, memory for the
/// answers.
fn configure(path: &Path, cores: usize, payments: &str) -> Result<()> {
    let cores = i64::try_from(cores)?;
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let mut table: toml::Table = text.parse()?;
    let changes: [(&str, &str, toml::Value); 6] = [
        ("store", "shards", cores.into()),
        ("node", "cores", cores.into()),
        ("limits", "connections_max", CONNECTIONS_MAX.into()),
        ("node", "memory", MEMORY.into()),
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
