//! What the device under the log does: the node's own start-up probe, on the same folder.
//!
//! Owns nothing but the call; the measurement is the node's.

use std::path::Path;

use anyhow::{Context as _, Result};
use claw_dataplane::log::{DeviceUrl, FileStore};
use serde::Serialize;

use crate::bench::Bench;

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
    let folder = bench.folder()?;
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

/// What a folder is mounted from, and its filesystem.
pub(crate) fn name(folder: &Path) -> Result<String> {
    let folder = folder.canonicalize().with_context(|| format!("find {}", folder.display()))?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").context("read the mounts")?;
    Ok(mount_of(&folder, &mounts).unwrap_or_else(|| "unknown".to_owned()))
}

/// The last of the mounts nearest to a folder: it hides those before it.
fn mount_of(folder: &Path, mounts: &str) -> Option<String> {
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let above = fields.filter(|fields| fields.len() > 2 && folder.starts_with(fields[1]));
    let nearest = above.max_by_key(|fields| fields[1].len())?;
    Some(format!("{} on {}", nearest[2], nearest[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_mount_is_the_device() {
        let mounts =
            "/dev/vda / ext4 rw 0 0\ntmpfs /srv tmpfs rw 0 0\n/dev/nvme0 /srv/fast xfs rw 0 0\n";
        let of = |folder: &str| mount_of(Path::new(folder), mounts);
        assert_eq!(of("/srv/fast/x").as_deref(), Some("xfs on /dev/nvme0"));
        assert_eq!(of("/opt").as_deref(), Some("ext4 on /dev/vda"));
        assert_eq!(mount_of(Path::new("/x"), ""), None);
    }
}
