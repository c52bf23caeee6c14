//! Opening a store: the device locked and measured, the log recovered, time waited for.
//!
//! Owns the order: what can be refused is refused before the epochs are raised. Starts no thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use claw_common::checksum::Digest;
use claw_common::id::Id;
use claw_core::log::{CutBlock, StoreShape, StreamTail};
use claw_core::shard::Shard;

use crate::config::Config;
use crate::log::{DeviceUrl, FileStore, LogPaths, ProbeReport, Recovered, Scanned, recover};
use crate::node::clock::read_utc_ms;
use crate::node::lane::LaneStart;

use super::error::BootError;
use super::placement::{CoreId, Placement};
use super::rebuild::Rebuilt;

/// A start waits this long at most for the clock to reach the log's last time.
const CLOCK_WAIT_MS_MAX: u64 = 60_000;

/// What a start found and chose, to be shown.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The device.
    pub device: String,
    /// Its measurement.
    pub probe: ProbeReport,
    /// Cores in use.
    pub cores_count: usize,
    /// Records replayed.
    pub records_count: u64,
    /// What recovery cut, one line each.
    pub cut: Vec<String>,
}

/// A store whose log was recovered and whose epochs were raised.
#[derive(Debug)]
pub struct Opened {
    /// The log's folder, locked.
    pub store: Arc<FileStore>,
    /// The store's folders.
    pub paths: LogPaths,
    /// The device's measurement.
    pub probe: ProbeReport,
    /// Where everything goes on.
    pub recovered: Recovered,
    /// The shards, until their cores take them.
    pub rebuilt: Rebuilt,
}

/// Opens the store of `config` for the cores of `placement`.
pub fn open(
    config: &Config,
    schema_hash: Digest,
    placement: &Placement,
) -> Result<Opened, BootError> {
    let store = open_folder(config)?;
    let paths = LogPaths {
        data: store.path().to_owned(),
        archive: config.log.archive_dir.clone(),
        snapshots: store.path().join("snapshots"),
    };
    if store.streams()?.is_empty() {
        let shape = StoreShape {
            store_id: config.store.id.0,
            shards_count: config.store.shards,
            segment_bytes: config.log.segment_bytes,
        };
        crate::log::format_streams(&paths.data, shape, 0..1)?;
    }
    check_shape(config, &paths)?;
    let probe = store.probe()?;
    let cores_count = u16::try_from(placement.cores_count()).expect("at most CORES_MAX");
    let mut rebuilt = Rebuilt::new(config, schema_hash);
    let recovered = recover(&paths, cores_count, &mut rebuilt, &mut tell_progress())?;
    wait_for_clock(recovered.last_hlc.unix_ms())?;
    Ok(Opened { store, paths, probe, recovered, rebuilt })
}

impl Opened {
    /// The segments each stream has in use.
    pub fn used_segments(&self) -> Vec<Vec<u32>> {
        let used = |tail: &StreamTail| tail.segments.iter().map(|used| used.segment).collect();
        self.recovered.streams.iter().map(used).collect()
    }

    /// What to tell about the start.
    pub fn summary(&self, config: &Config, placement: &Placement) -> Summary {
        let cut = self.recovered.streams.iter().flat_map(|tail| &tail.cut);
        Summary {
            device: config.log.devices[0].clone(),
            probe: self.probe.clone(),
            cores_count: placement.cores_count(),
            records_count: self.recovered.records_count,
            cut: cut.map(describe_cut).collect(),
        }
    }

    /// A core's stream and shards.
    pub fn take_core(
        &mut self,
        core: CoreId,
        placement: &Placement,
        schema_version: u32,
    ) -> (StreamTail, Vec<(Shard, LaneStart)>) {
        let tail = self.recovered.streams[core.index()].clone();
        let shards = placement.shards_of(core);
        (tail, self.rebuilt.take_shards(shards, &self.recovered, schema_version))
    }
}

fn open_folder(config: &Config) -> Result<Arc<FileStore>, BootError> {
    if config.log.devices.len() > 1 {
        return Err(BootError::Mirror { count: config.log.devices.len() });
    }
    let mut url: DeviceUrl = config.log.devices[0].parse()?;
    url.folder = absolute(&config.store_dir, &url.folder);
    Ok(Arc::new(FileStore::open(url, config.log.segment_bytes)?))
}

fn absolute(store_dir: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { store_dir.join(path) }
}

/// The log must be this store's, with the shards it was made with: their count decides where each
/// SKU lives. Asked before recovery, which writes.
fn check_shape(config: &Config, paths: &LogPaths) -> Result<(), BootError> {
    let StoreShape { store_id, shards_count, .. } =
        crate::log::read_superblocks(&paths.data)?[0].shape;
    if store_id != config.store.id.0 {
        let (path, configured) = (paths.data.clone(), config.store.id);
        return Err(BootError::StoreChanged { path, found: Id(store_id), configured });
    }
    if shards_count != config.store.shards {
        let (found, configured) = (shards_count, config.store.shards);
        return Err(BootError::ShardsChanged { found, configured });
    }
    Ok(())
}

/// Says how far a long recovery is, about once a second.
fn tell_progress() -> impl FnMut(Scanned) {
    let mut last = Instant::now();
    move |scanned| {
        if last.elapsed() >= Duration::from_secs(1) {
            last = Instant::now();
            let Scanned { done_bytes, total_bytes } = scanned;
            log::info!("recovering: {} of {} MiB scanned", done_bytes >> 20, total_bytes >> 20);
        }
    }
}

fn describe_cut(cut: &CutBlock) -> String {
    let CutBlock { segment, offset, sequence, damage } = cut;
    format!("block {sequence} at segment {segment} offset {offset}: {damage}")
}

/// Holds that fell due while we were away expire in order afterwards: time must not go back.
fn wait_for_clock(last_ms: u64) -> Result<(), BootError> {
    loop {
        let behind_ms = last_ms.saturating_sub(read_utc_ms());
        if behind_ms == 0 {
            return Ok(());
        }
        if behind_ms > CLOCK_WAIT_MS_MAX {
            return Err(BootError::ClockBehind { behind_ms });
        }
        log::info!("waiting {behind_ms} ms for the clock to reach the log's last event");
        std::thread::sleep(Duration::from_millis(behind_ms.min(100)));
    }
}
