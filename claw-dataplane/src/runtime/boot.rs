//! From a configuration to a serving node, and to its orderly end.
//!
//! Owns the order of a start: everything that can be refused is refused before anything is written
//! (configuration, schema, keys), then the device is locked and the log recovered, then time is
//! waited for, then cores start. Blocks the calling thread until a signal asks for the end.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use claw_common::id::{Id, ShardId};
use claw_core::log::StoreShape;
use claw_core::schema::CompiledSchema;

use crate::config::{Config, Cores, Retention};
use crate::log::{FileStore, LogPaths, ProbeReport, SegmentSupply};
use crate::node::clock::read_utc_ms;
use crate::node::core::CoreError;
use crate::node::keys;
use crate::node::shared::Shared;
use crate::ring::{ListenShape, RingWaker, listen};

use super::core_thread::{CoreSeed, Started, spawn_core};
use super::fatal::{FatalReason, fatal};
use super::housekeeping::{Housekeeping, HousekeepingSeed};
use super::mesh;
use super::placement::{Placement, cpus_allowed};
use super::rebuild::{RebuildError, Rebuilt};
use super::signals;

/// How long the main thread waits for a signal before it looks at its threads.
const WATCH_INTERVAL: Duration = Duration::from_millis(50);
/// A start waits this long at most for the clock to reach the log's last time.
const CLOCK_WAIT_MS_MAX: u64 = 60_000;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The clock is far behind the log.
    #[error(
        "the system clock is {behind_ms} ms behind the log's last event; set the clock, then start"
    )]
    ClockBehind {
        /// By how much.
        behind_ms: u64,
    },
    /// Keys.
    #[error("{0}")]
    Keys(#[from] keys::KeyLoadError),
    /// The device.
    #[error("{0}")]
    Log(#[from] crate::log::LogError),
    /// The device's URL.
    #[error("{0}")]
    Device(#[from] crate::log::DeviceUrlError),
    /// Reading the log.
    #[error("{0}")]
    Read(#[from] crate::log::ReadError),
    /// Recovery.
    #[error("{0}")]
    Recover(#[from] crate::log::RecoverError<RebuildError>),
    /// The shards in the log are not those of the configuration.
    #[error("the store was made with {found} shards and store.toml says {configured}: put it back")]
    ShardsChanged {
        /// In the log.
        found: u16,
        /// In the configuration.
        configured: u16,
    },
    /// The address cannot be had.
    #[error("listen on {address}: {reason}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The log is not of this store.
    #[error(
        "the log in {path} is of the store with id {found}, not {configured}: name its own --store"
    )]
    StoreChanged {
        /// The data folder.
        path: PathBuf,
        /// In the log.
        found: Id,
        /// In the configuration.
        configured: Id,
    },
    /// A core did not start.
    #[error("core {core}: {reason}")]
    Core {
        /// Which.
        core: u8,
        /// Why.
        reason: String,
    },
}

/// A node that serves.
#[derive(Debug)]
pub struct Node {
    threads: Vec<JoinHandle<Result<(), CoreError>>>,
    wakers: Vec<RingWaker>,
    housekeeping: Housekeeping,
    shared: Arc<Shared>,
    address: SocketAddr,
    summary: Summary,
}

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

impl Node {
    /// Starts a node. Call [`signals::block`] before.
    pub fn start(config: &Config, schema: CompiledSchema) -> Result<Self, BootError> {
        // Refused before anything is touched.
        keys::load(&config.store_dir)?;
        let placement = plan(config);
        let (config, _reserved) = &reserve_port(config)?;
        let store = open_store(config)?;
        let paths = paths_of(config, &store);
        let probe = store.probe()?;
        let shape = shape_of(config);
        if store.streams()?.is_empty() {
            crate::log::format_streams(&paths.data, shape, 0..1)?;
        }
        check_shape(&crate::log::read_superblocks(&paths.data)?[0].shape, config)?;
        let cores_count = u16::try_from(placement.cores_count()).expect("at most CORES_MAX");
        let schema = Arc::new(schema);
        let mut rebuilt = Rebuilt::new(config, schema.hash());
        let recovered = crate::log::recover(&paths, cores_count, &mut rebuilt, &mut |_scanned| {})?;
        wait_for_clock(recovered.last_hlc.unix_ms())?;
        let shared = Arc::new(Shared::new(placement.cores_count(), config.store.shards));
        for (shard, tail) in (0..).map(ShardId).zip(&recovered.shards) {
            shared.publish(shard, tail.sequence);
        }
        let supplies: Vec<_> = placement.cores().map(|_| SegmentSupply::new()).collect();
        let summary = Summary {
            device: config.log.devices[0].clone(),
            probe: probe.clone(),
            cores_count: placement.cores_count(),
            records_count: recovered.records_count,
            cut: recovered.streams.iter().flat_map(|tail| &tail.cut).map(describe_cut).collect(),
        };
        let housekeeping = Housekeeping::start(HousekeepingSeed {
            store: Arc::clone(&store),
            paths,
            supplies: supplies.clone(),
            retention: match config.log.retention {
                Retention::Archive => crate::log::Retention::Archive,
                Retention::Discard => crate::log::Retention::Discard,
            },
            snapshot_interval: Duration::from_secs(config.log.snapshot_interval_s),
            used: recovered
                .streams
                .iter()
                .map(|tail| tail.segments.iter().map(|used| used.segment).collect())
                .collect(),
            config: config.clone(),
            schema_hash: schema.hash(),
            shared: Arc::clone(&shared),
        })?;
        let mut seeds = Vec::new();
        let mut endpoints = mesh::build(placement.cores_count()).into_iter();
        for (core, supply) in placement.cores().zip(supplies) {
            let tail = recovered.streams.get(core.index()).expect("recovery makes the streams");
            let shards =
                rebuilt.take_shards(placement.shards_of(core), &recovered, schema.version());
            seeds.push(CoreSeed {
                id: core,
                placement: placement.clone(),
                config: config.clone(),
                schema: Arc::clone(&schema),
                store: Arc::clone(&store),
                flush: probe.flush,
                supply,
                tail: tail.clone(),
                shards,
                mesh: endpoints.next().expect("one endpoint a core"),
                shared: Arc::clone(&shared),
            });
        }
        Self::start_cores(seeds, housekeeping, shared, summary)
    }

    fn start_cores(
        seeds: Vec<CoreSeed>,
        housekeeping: Housekeeping,
        shared: Arc<Shared>,
        summary: Summary,
    ) -> Result<Self, BootError> {
        let (started_sender, started) = mpsc::channel();
        let mut threads = Vec::new();
        let mut go = Vec::new();
        for seed in seeds {
            let (sender, receiver) = mpsc::channel();
            go.push(sender);
            threads.push(spawn_core(seed, started_sender.clone(), receiver));
        }
        drop(started_sender);
        let mut parts: Vec<Option<Started>> = threads.iter().map(|_| None).collect();
        for _ in 0..threads.len() {
            let (core, result) = started.recv().map_err(|_gone| BootError::Core {
                core: 0,
                reason: "a core ended while starting".to_owned(),
            })?;
            let part = result.map_err(|reason| BootError::Core { core: core.0, reason })?;
            parts[core.index()] = Some(part);
        }
        let parts: Vec<Started> = parts.into_iter().flatten().collect();
        let address = parts[0].address;
        let wakers = parts.iter().map(|part| part.waker.clone()).collect();
        let addresses: Arc<[_]> = parts.into_iter().map(|part| part.ring).collect();
        for sender in go {
            // A core that is gone is noticed by `serve`.
            drop(sender.send(Arc::clone(&addresses)));
        }
        Ok(Self { threads, wakers, housekeeping, shared, address, summary })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the start found.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Serves until a signal, then drains.
    pub fn serve(mut self) {
        while !signals::wait(WATCH_INTERVAL) {
            self.end_on_failure();
        }
        log::info!("draining");
        self.shared.request_stop();
        self.wakers.iter().for_each(RingWaker::wake);
        while !self.threads.is_empty() {
            if signals::wait(WATCH_INTERVAL) {
                log::warn!("second signal: not waiting for the drain");
                return;
            }
            self.join_ended();
        }
        self.housekeeping.stop();
        log::info!("drained: every acknowledged command is durable");
    }

    fn end_on_failure(&mut self) {
        if let Some(place) = self.threads.iter().position(JoinHandle::is_finished) {
            let ended = self.threads.swap_remove(place).join();
            fatal(&core_reason(ended));
        }
    }

    fn join_ended(&mut self) {
        while let Some(place) = self.threads.iter().position(JoinHandle::is_finished) {
            let ended = self.threads.swap_remove(place).join();
            if !matches!(ended, Ok(Ok(()))) {
                fatal(&core_reason(ended));
            }
        }
    }
}

fn core_reason(ended: std::thread::Result<Result<(), CoreError>>) -> FatalReason {
    match ended {
        Ok(Err(CoreError::Log(error))) => FatalReason::LogWrite(chain(&error)),
        Ok(Err(CoreError::Ring(error))) => FatalReason::Ring(chain(&error)),
        Ok(Ok(())) => FatalReason::CoreLost("without a reason".to_owned()),
        Err(_panic) => FatalReason::CoreLost("it panicked".to_owned()),
    }
}

/// An error with its sources on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn plan(config: &Config) -> Placement {
    let wanted = match config.node.cores {
        Cores::Auto => 0,
        Cores::Count(count) => usize::from(count),
    };
    Placement::plan(wanted, config.store.shards, &cpus_allowed())
}

fn open_store(config: &Config) -> Result<Arc<FileStore>, BootError> {
    let mut url: crate::log::DeviceUrl = config.log.devices[0].parse()?;
    url.folder = absolute(&config.store_dir, &url.folder);
    Ok(Arc::new(FileStore::open(url, config.log.segment_bytes)?))
}

fn absolute(store_dir: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { store_dir.join(path) }
}

fn paths_of(config: &Config, store: &FileStore) -> LogPaths {
    LogPaths {
        data: store.path().to_owned(),
        archive: config.log.archive_dir.clone(),
        snapshots: store.path().join("snapshots"),
    }
}

fn shape_of(config: &Config) -> StoreShape {
    StoreShape {
        store_id: config.store.id.0,
        shards_count: config.store.shards,
        segment_bytes: config.log.segment_bytes,
    }
}

/// What the log was made with must be what `store.toml` says, before any of it is read.
fn check_shape(shape: &StoreShape, config: &Config) -> Result<(), BootError> {
    let (found, configured) = (shape.shards_count, config.store.shards);
    if found != configured {
        return Err(BootError::ShardsChanged { found, configured });
    }
    let (found, configured) = (Id(shape.store_id), config.store.id);
    if found != configured {
        let path = config.store_dir.clone();
        return Err(BootError::StoreChanged { path, found, configured });
    }
    Ok(())
}

fn describe_cut(cut: &claw_core::log::CutBlock) -> String {
    let claw_core::log::CutBlock { segment, offset, sequence, damage } = cut;
    format!("block {sequence} at segment {segment} offset {offset}: {damage}")
}

/// Port 0 means a free one, and the same for every core: found once, and kept from others until the
/// cores listen on it.
fn reserve_port(config: &Config) -> Result<(Config, Option<TcpListener>), BootError> {
    let mut config = config.clone();
    let address = config.node.listen;
    if address.port() != 0 {
        return Ok((config, None));
    }
    let failed = |reason: String| BootError::Listen { address, reason };
    let shape = ListenShape { address, backlog_count: 1 };
    let reserved = listen(shape).map_err(|error| failed(chain(&error)))?;
    config.node.listen = reserved.local_addr().map_err(|error| failed(error.to_string()))?;
    Ok((config, Some(reserved)))
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
