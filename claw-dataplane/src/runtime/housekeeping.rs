//! The housekeeping thread: segments ahead of need, snapshots, the archive.
//!
//! Owns everything about the log that may block, in pieces that leave the device to the cores
//! (`log::pace`) and at a priority below theirs. Keeps `SEGMENTS_AHEAD` segments ready for each
//! stream, freed ones first. Every snapshot interval it replays what became durable into a second
//! state, compares it with the live shards where those gave a hash, writes it as a snapshot and
//! archives what all snapshots cover. The second state never touches the live one: cores are not
//! slowed, at the price of holding the state twice while a snapshot is made. A failure here ends
//! the node: without segments it could not go on anyway.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_core::log::ShardStart;

use crate::config::{self, Config};
use crate::log::{
    FileStore, LogError, LogPaths, ReadError, RecoverError, Retention, SegmentSupply,
    SnapshotHeader, archive, covered_positions, replay_durable, write_snapshot,
};

use crate::node::shared::Shared;
use crate::subjects::file;

use super::error::{BootError, chain};
use super::fatal::{FatalReason, fatal};
use super::placement::{Courtesy, give_way, run_on};
use super::rebuild::{RebuildError, Rebuilt};

/// Segments ready per stream beyond the one being written: one to turn to, one being prepared.
const SEGMENTS_AHEAD: usize = 2;
/// How often the supply is looked at. A core that writes 2 GB/s fills a 64 MiB segment in 30 ms.
const SUPPLY_INTERVAL: Duration = Duration::from_millis(10);
/// How often the key file of subjects is looked at: a forgotten subject's key is gone from the
/// node's memory so soon.
const SUBJECTS_INTERVAL: Duration = Duration::from_millis(500);
/// Cores give their hashes within a heartbeat (5 ms); whoever is later is not compared.
const HASHES_WAIT: Duration = Duration::from_millis(50);

/// What housekeeping starts from.
#[derive(Debug)]
pub struct HousekeepingSeed {
    /// The log's folder.
    pub store: Arc<FileStore>,
    /// The store's folders.
    pub paths: LogPaths,
    /// Where each core takes segments from.
    pub supplies: Vec<Arc<SegmentSupply>>,
    /// Segments each stream has in use.
    pub used: Vec<Vec<u32>>,
    /// The store's settings.
    pub config: Config,
    /// The schema in force.
    pub schema_hash: Digest,
    /// Where cores give the hashes of their shards.
    pub shared: Arc<Shared>,
    /// Where to run: away from the cores when there is such a place.
    pub cpus: Vec<usize>,
}

/// The running thread.
#[derive(Debug)]
pub struct Housekeeping {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Housekeeping {
    /// Prepares the first segments, then keeps going on a thread of its own.
    pub fn start(seed: HousekeepingSeed) -> Result<Self, BootError> {
        let cpus = seed.cpus.clone();
        let mut keeper = Keeper::new(seed)?;
        keeper.fill()?;
        let (stop, stopped) = channel();
        #[expect(clippy::disallowed_methods, reason = "runtime/ is where threads start")]
        let thread = std::thread::spawn(move || {
            run_on(&cpus);
            give_way(Courtesy::Beside);
            keeper.run(&stopped);
        });
        Ok(Self { stop, thread })
    }

    /// Ends it after what it is doing.
    pub fn stop(self) {
        // It may have ended already; joining tells.
        self.stop.send(()).ok();
        if self.thread.join().is_err() {
            log::error!("housekeeping panicked");
        }
    }
}

/// One stream's segments.
#[derive(Debug)]
struct Segments {
    supply: Arc<SegmentSupply>,
    free: VecDeque<u32>,
    next_new: u32,
}

#[derive(Debug)]
struct Keeper {
    store: Arc<FileStore>,
    paths: LogPaths,
    retention: Retention,
    snapshot_interval: Duration,
    streams: Vec<Segments>,
    config: Config,
    schema_hash: Digest,
    shared: Arc<Shared>,
    /// When the key file of subjects was changed last, as far as is known.
    subjects_modified: Option<SystemTime>,
}

impl Keeper {
    fn new(seed: HousekeepingSeed) -> Result<Self, BootError> {
        let mut streams = Vec::new();
        for (number, supply) in (0_u16..).zip(seed.supplies) {
            let used = seed.used.get(usize::from(number)).cloned().unwrap_or_default();
            let present = seed.store.segments(number)?;
            let next_new = present.iter().max().map_or(0, |last| last + 1);
            let free = present.into_iter().filter(|segment| !used.contains(segment)).collect();
            streams.push(Segments { supply, free, next_new });
        }
        Ok(Self {
            store: seed.store,
            paths: seed.paths,
            retention: match seed.config.log.retention {
                config::Retention::Archive => Retention::Archive,
                config::Retention::Discard => Retention::Discard,
            },
            snapshot_interval: Duration::from_secs(seed.config.log.snapshot_interval_s),
            streams,
            subjects_modified: None,
            config: seed.config,
            schema_hash: seed.schema_hash,
            shared: seed.shared,
        })
    }

    fn run(mut self, stopped: &Receiver<()>) {
        let (mut last_snapshot, mut last_look) = (Instant::now(), Instant::now());
        while matches!(stopped.recv_timeout(SUPPLY_INTERVAL), Err(RecvTimeoutError::Timeout)) {
            if let Err(error) = self.fill() {
                fatal(&FatalReason::LogDevice(chain(&error)));
            }
            if last_look.elapsed() >= SUBJECTS_INTERVAL {
                self.watch_subjects();
                last_look = Instant::now();
            }
            if last_snapshot.elapsed() >= self.snapshot_interval {
                match self.snapshot() {
                    Ok(()) => {}
                    Err(KeepError::Diverged(what)) => fatal(&FatalReason::Diverged(what)),
                    Err(error) => fatal(&FatalReason::LogDevice(format!("snapshot: {error}"))),
                }
                last_snapshot = Instant::now();
            }
        }
    }

    /// Gives the cores the keys of subjects when their file changed. One that cannot be read leaves
    /// the keys before in force, and is looked at again.
    fn watch_subjects(&mut self) {
        let modified = file::modified(&self.config.store_dir);
        if modified == self.subjects_modified {
            return;
        }
        match file::load(&self.config.store_dir, self.config.store.id.0) {
            Ok(Some(keys)) => {
                self.subjects_modified = modified;
                self.shared.publish_subjects(Arc::new(keys));
            }
            Ok(None) => log::error!("subjects/keys is gone: put it back, the node goes on without"),
            Err(error) => log::error!("keys of subjects not taken over: {}", chain(&error)),
        }
    }

    /// Keeps the supplies filled.
    fn fill(&mut self) -> Result<(), LogError> {
        for (number, stream) in (0_u16..).zip(&mut self.streams) {
            while stream.supply.count() < SEGMENTS_AHEAD {
                let prepared = if let Some(segment) = stream.free.pop_front() {
                    self.store.open_segment(number, segment)?
                } else {
                    let segment = stream.next_new;
                    stream.next_new += 1;
                    self.store
                        .create_segment(number, segment, &mut |took| stream.supply.pause(took))?
                };
                stream.supply.add(prepared);
            }
        }
        Ok(())
    }

    /// Replays what is durable into a second state and writes it down, then frees segments.
    fn snapshot(&mut self) -> Result<(), KeepError> {
        self.shared.ask_hashes();
        std::thread::sleep(HASHES_WAIT);
        let live = self.shared.take_hashes();
        let mut rebuilt = Rebuilt::new(&self.config, self.schema_hash).comparing(live);
        let durable = replay_durable(&self.paths, &mut rebuilt).map_err(|error| match &error {
            RecoverError::Apply { source: RebuildError::Diverged { .. }, .. } => {
                KeepError::Diverged(chain(&error))
            }
            _ => KeepError::Replay(chain(&error)),
        })?;
        log::debug!("{} shards compared, replay equals live", rebuilt.compared_count());
        let covered = self.covered(durable.shards.len())?;
        for (shard, tail) in (0..).map(ShardId).zip(&durable.shards) {
            // A shard that fell silent is done when every kept snapshot has all it wrote.
            if tail.sequence == covered[usize::from(shard.0)] {
                continue;
            }
            let state = rebuilt.shard(shard);
            let mut body = Vec::new();
            state.snapshot(&mut |bytes| body.extend_from_slice(bytes));
            let header = SnapshotHeader {
                store_id: self.config.store.id.0,
                shard,
                start: ShardStart { sequence: tail.sequence, hash: tail.hash },
                schema_hash: self.schema_hash,
                state_hash: state.state_hash(),
            };
            write_snapshot(&self.paths.snapshots, &header, &body)?;
        }
        drop(rebuilt);
        for freed in archive(&self.paths, self.retention, &self.shared.signed_sizes())? {
            let number = usize::from(freed.superblock.stream);
            if let Some(stream) = self.streams.get_mut(number) {
                stream.free.extend(freed.segments.iter().map(|used| used.segment));
            }
        }
        Ok(())
    }

    /// Up to where every kept snapshot of each shard reaches.
    fn covered(&self, shards_count: usize) -> Result<Vec<u64>, ReadError> {
        let shards_count = u16::try_from(shards_count).expect("at most SHARDS_MAX");
        covered_positions(&self.paths.snapshots, self.config.store.id.0, shards_count)
    }
}

#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("{0}")]
    Read(#[from] ReadError),
    #[error("replay beside the node: {0}")]
    Replay(String),
    #[error("{0}")]
    Diverged(String),
}
