//! Stores for our side: as `claw init` makes them, but for what a measurement has to change.
//!
//! The per-session limit is switched off, because 64 sessions cannot be ten thousand shoppers, and
//! there is memory for the answers that must be remembered.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use claw_dataplane::simulate::scenario::Scenario;
use tempfile::TempDir;

use crate::Bench;

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
        let folder = tempfile::tempdir_in(&bench.scratch)
            .with_context(|| format!("make a folder in {}", bench.scratch.display()))?;
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

/// One hot SKU with more stock than any run can sell, and one behaviour.
pub(crate) fn hot_scenario(name: &str, behaviour: &str) -> Result<Scenario> {
    let text = format!(
        "about = \"{name} of one SKU\"\nusers = 64\nduration = \"10s\"\n\
         [[product]]\nsku = \"HOT\"\nprice = {{ amount = 1000, currency = \"EUR\" }}\n\
         stock = 1000000000\nhot = true\n[popularity]\nhot_share = 1.0\n\
         [[behaviour]]\nweight = 1\n{behaviour}\n"
    );
    Ok(Scenario::parse(name, &format!("{name}.toml"), &text)?)
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
