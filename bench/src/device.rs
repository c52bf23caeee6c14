//! What the device under the log does: the node's own start-up probe, on the same folder.
//!
//! Owns nothing but the call; the measurement is the node's.

use anyhow::{Context as _, Result};
use claw_dataplane::log::{DeviceUrl, FileStore};
use serde::Serialize;

use crate::Bench;

/// Segment size of the probed store; the probe has a file of its own.
const SEGMENT_BYTES: u64 = 64 << 20;

/// The probe's result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DeviceFigures {
    pub(crate) rows: Vec<DeviceRow>,
}

/// One way of making writes durable, at one depth.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DeviceRow {
    pub(crate) flush: String,
    pub(crate) chosen: bool,
    pub(crate) depth_count: usize,
    pub(crate) commits_per_second: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
}

/// Probes the device under the scratch folder.
pub(crate) fn probe(bench: &Bench) -> Result<DeviceFigures> {
    let folder = tempfile::tempdir_in(&bench.scratch)
        .with_context(|| format!("make a folder in {}", bench.scratch.display()))?;
    let store = FileStore::open(DeviceUrl::file(folder.path()), SEGMENT_BYTES)?;
    let report = store.probe()?;
    let rows = report
        .rows
        .iter()
        .map(|row| DeviceRow {
            flush: row.flush.name().to_owned(),
            chosen: row.flush == report.flush,
            depth_count: row.depth_count,
            commits_per_second: row.commits_per_second,
            p50_us: row.p50_us,
            p99_us: row.p99_us,
        })
        .collect();
    Ok(DeviceFigures { rows })
}
