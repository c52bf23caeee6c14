//! Opening a store: the device locked and measured, the log recovered, time waited for.
//!
//! Owns the order: what can be refused is refused before the epochs are raised. Starts no thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use claw_common::checksum::Digest;
use claw_common::id::Id;
use claw_common::time::UnixMs;
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
/// Between two looks at a clock that is waited for.
const CLOCK_LOOK_AGAIN: Duration = Duration::from_millis(100);

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
        proofs: store.path().join("proofs"),
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
    wait_for_clock(recovered.last_hlc.unix_ms(), read_utc_ms, std::thread::sleep)?;
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
fn wait_for_clock(
    last_ms: UnixMs,
    mut now_ms: impl FnMut() -> UnixMs,
    mut pause: impl FnMut(Duration),
) -> Result<(), BootError> {
    loop {
        let behind_ms = last_ms.saturating_sub(now_ms());
        if behind_ms == 0 {
            return Ok(());
        }
        if behind_ms > CLOCK_WAIT_MS_MAX {
            return Err(BootError::ClockBehind { behind_ms });
        }
        log::info!("waiting {behind_ms} ms for the clock to reach the log's last event");
        pause(Duration::from_millis(behind_ms).min(CLOCK_LOOK_AGAIN));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::{BootError, wait_for_clock};

    /// Starts with the log's last time at `last_ms`; gives when it went on.
    fn start_at(now_ms: u64, last_ms: u64) -> Result<u64, BootError> {
        let now_ms = Cell::new(now_ms);
        let pause = |time: Duration| {
            now_ms.set(now_ms.get() + u64::try_from(time.as_millis()).unwrap());
        };
        wait_for_clock(last_ms, || now_ms.get(), pause).map(|()| now_ms.get())
    }

    #[test]
    fn start_waits_until_time_has_reached_the_log_and_not_longer() {
        assert_eq!(start_at(1_000_000, 999_999).unwrap(), 1_000_000);
        assert_eq!(start_at(1_000_000, 1_000_000).unwrap(), 1_000_000);
        assert_eq!(start_at(1_000_000, 1_000_250).unwrap(), 1_000_250);
        assert_eq!(start_at(1_000_000, 1_060_000).unwrap(), 1_060_000);
    }

    #[test]
    fn clock_that_was_set_back_by_more_than_a_minute_is_no_start() {
        let refused = start_at(1_000_000, 1_060_001);
        assert!(
            matches!(refused, Err(BootError::ClockBehind { behind_ms: 60_001 })),
            "{refused:?}"
        );
    }
}
