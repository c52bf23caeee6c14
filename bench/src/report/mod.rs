//! The results: everything that was found, and the forms in which it is handed on.
//!
//! Owns what stands in the JSON. Measures nothing.

mod compare;
mod crashes;
mod hgrm;
mod page;
mod plots;
mod scale;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use claw_dataplane::simulate::environment::Environment;
use serde::Serialize;

pub(crate) use compare::{compare, read as read_numbers};
pub(crate) use table::write as write_table;

use crate::bench::{Bench, say};
use crate::crash_row::CrashRow;
use crate::device::{self, DeviceFigures};
use crate::figure::Figure;
use crate::row::{Row, Setting};
use crate::tls::{self, TlsFigures};

/// Everything that was found, and where.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) environment: Environment,
    pub(crate) setting: Setting,
    pub(crate) seconds: u64,
    pub(crate) runs_count: usize,
    pub(crate) scratch: PathBuf,
    pub(crate) device: DeviceFigures,
    pub(crate) tls: TlsFigures,
    pub(crate) rows: Vec<Row>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) crashes: Vec<CrashRow>,
    pub(crate) missing: Vec<String>,
}

impl Results {
    /// What is known before the first row.
    pub(crate) fn begin(bench: &Bench) -> Result<Self> {
        say("the device under the log")?;
        let device = device::probe(bench)?;
        say("what TLS costs by itself")?;
        let tls = tls::measure()?;
        Ok(Self {
            environment: Environment::read(),
            setting: Setting::of(bench),
            seconds: bench.seconds,
            runs_count: bench.runs_count,
            scratch: bench.scratch.clone(),
            device,
            tls,
            rows: Vec::new(),
            figures: Vec::new(),
            crashes: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// Whether every row counts.
    pub(crate) fn all_count(&self) -> bool {
        self.rows.iter().all(|row| row.excuse.is_none())
            && self.crashes.iter().all(|row| row.failure().is_none())
    }
}

/// Writes what is for people and for plotters into a folder.
pub(crate) fn write_report(folder: &Path, results: &Results) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    hgrm::write(folder, &results.rows)?;
    let path = folder.join("report.html");
    std::fs::write(&path, page::page(results))
        .with_context(|| format!("write {}", path.display()))?;
    say(&format!("the report is {}", path.display()))
}

/// Writes results of any kind as JSON.
pub(crate) fn write_json(path: &Path, results: &impl Serialize) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    std::fs::write(path, serde_json::to_string_pretty(results)?)
        .with_context(|| format!("write {}", path.display()))?;
    say(&format!("all of it is in {}", path.display()))
}
