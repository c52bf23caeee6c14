//! What all cores of a node share: the stop flag, positions and counters.
//!
//! Every position and counter is an atomic with one writing core, read by whoever renders metrics
//! or answers `Claw-After`. The locks here are taken about once a second or once a snapshot, never
//! on the way of an order. Nothing here decides anything but the stop.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use claw_common::id::ShardId;

use crate::ingest::metrics::IngestMetrics;
use crate::subjects::SubjectKeys;

/// See the module.
#[derive(Debug)]
pub struct Shared {
    /// Set once: drain and end.
    stop: AtomicBool,
    /// Cores that serve.
    ready_count: AtomicU32,
    cores_count: u32,
    /// Durable sequence of every shard.
    positions: Vec<AtomicU64>,
    /// Records of every shard that a signed checkpoint covers.
    signed: Vec<AtomicU64>,
    /// Counters of every core.
    cores: Vec<CoreCounters>,
    /// Raised to ask every core for the hashes of its shards.
    hashes_asked: AtomicU64,
    /// The latest hash each shard's core has given.
    hashes: Vec<Mutex<Option<LiveHash>>>,
    /// Each core's counters of ingest, as of its last second.
    ingest: Vec<Mutex<IngestMetrics>>,
    /// Raised with each change of the keys of subjects.
    subjects_revision: AtomicU64,
    /// Those keys, once they changed.
    subjects: Mutex<Option<Arc<SubjectKeys>>>,
}

/// The hash of a live shard's state, to be compared with a replay's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveHash {
    /// The shard's last record then.
    pub sequence: u64,
    /// Its `state_hash`.
    pub hash: [u8; 32],
}

/// Counters of one core.
#[derive(Debug, Default)]
pub struct CoreCounters {
    /// Requests taken.
    pub requests_count: AtomicU64,
    /// Blocks written.
    pub blocks_count: AtomicU64,
    /// Bytes written.
    pub block_bytes: AtomicU64,
    /// Connections open.
    pub connections_count: AtomicU64,
    /// WebSockets open.
    pub sockets_count: AtomicU64,
    /// Sagas of its shards that wait for somebody to retry them, as of the last second.
    pub sagas_parked_count: AtomicU64,
    /// How far the system's clock jumped from the node's, milliseconds, as of the last second; 0
    /// while they agree.
    pub clock_jump_ms: AtomicU64,
    /// Questions put to the vault.
    pub vault_asked_count: AtomicU64,
    /// Answers of the vault.
    pub vault_answers_count: AtomicU64,
    /// Requests refused because too many are under way.
    pub overloaded_count: AtomicU64,
    /// Turns in which decisions waited for room.
    pub stalls_count: AtomicU64,
}

impl Shared {
    /// For `cores_count` cores and `shards_count` shards.
    pub fn new(cores_count: usize, shards_count: u16) -> Self {
        Self {
            stop: AtomicBool::new(false),
            ready_count: AtomicU32::new(0),
            cores_count: u32::try_from(cores_count).expect("at most CORES_MAX"),
            positions: (0..shards_count).map(|_| AtomicU64::new(0)).collect(),
            signed: (0..shards_count).map(|_| AtomicU64::new(0)).collect(),
            cores: (0..cores_count).map(|_| CoreCounters::default()).collect(),
            hashes_asked: AtomicU64::new(0),
            hashes: (0..shards_count).map(|_| Mutex::default()).collect(),
            ingest: (0..cores_count).map(|_| Mutex::default()).collect(),
            subjects_revision: AtomicU64::new(0),
            subjects: Mutex::default(),
        }
    }

    /// Asks every core to drain; wake their rings afterwards.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Whether the node is to end.
    pub fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// A core serves from now on.
    pub fn core_ready(&self) {
        self.ready_count.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether every core serves and none is asked to stop.
    pub fn ready(&self) -> bool {
        self.ready_count.load(Ordering::SeqCst) == self.cores_count && !self.stop_requested()
    }

    /// Says how far a shard is durable.
    pub fn publish(&self, shard: ShardId, sequence: u64) {
        self.positions[usize::from(shard.0)].store(sequence, Ordering::Release);
    }

    /// How far a shard is durable; `None` for a shard the store does not have.
    pub fn position(&self, shard: ShardId) -> Option<u64> {
        self.positions.get(usize::from(shard.0)).map(|position| position.load(Ordering::Acquire))
    }

    /// Says how far a shard's records are in a signed checkpoint.
    pub fn publish_signed(&self, shard: ShardId, size: u64) {
        self.signed[usize::from(shard.0)].store(size, Ordering::Release);
    }

    /// Records of every shard that a signed checkpoint covers.
    pub fn signed_sizes(&self) -> Vec<u64> {
        self.signed.iter().map(|size| size.load(Ordering::Acquire)).collect()
    }

    /// Counters of every core.
    pub fn cores(&self) -> &[CoreCounters] {
        &self.cores
    }

    /// Asks every core for the hashes of its shards.
    pub fn ask_hashes(&self) {
        self.hashes_asked.fetch_add(1, Ordering::Relaxed);
    }

    /// How often hashes were asked for.
    pub fn hashes_asked(&self) -> u64 {
        self.hashes_asked.load(Ordering::Relaxed)
    }

    /// Gives a shard's hash.
    pub fn give_hash(&self, shard: ShardId, hash: LiveHash) {
        let place = &self.hashes[usize::from(shard.0)];
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash);
    }

    /// Takes the hashes given so far, one place a shard.
    pub fn take_hashes(&self) -> Vec<Option<LiveHash>> {
        let take = |place: &Mutex<Option<LiveHash>>| {
            place.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        self.hashes.iter().map(take).collect()
    }

    /// Gives every core new keys of subjects.
    pub fn publish_subjects(&self, keys: Arc<SubjectKeys>) {
        *self.subjects.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
        self.subjects_revision.fetch_add(1, Ordering::Release);
    }

    /// How often those keys changed.
    pub fn subjects_revision(&self) -> u64 {
        self.subjects_revision.load(Ordering::Acquire)
    }

    /// The keys of subjects as they changed last.
    pub fn subjects(&self) -> Option<Arc<SubjectKeys>> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Publishes a core's counters of ingest; about once a second.
    pub fn publish_ingest(&self, core: usize, metrics: &IngestMetrics) {
        let mut place = self.ingest[core].lock().unwrap_or_else(PoisonError::into_inner);
        place.clone_from(metrics);
    }

    /// Ingest's counters of all cores, at most a second old, and the others as `OpenMetrics` text.
    pub fn gather_metrics(&self) -> (IngestMetrics, String) {
        let mut ingest = IngestMetrics::default();
        for place in &self.ingest {
            ingest.add(&place.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let mut text = String::new();
        self.write_cores(&mut text);
        (ingest, text)
    }

    fn write_cores(&self, text: &mut String) {
        type Read = fn(&CoreCounters) -> &AtomicU64;
        let families: [(&str, &str, Read); 11] = [
            ("claw_node_requests", "counter", |core| &core.requests_count),
            ("claw_log_blocks", "counter", |core| &core.blocks_count),
            ("claw_log_block_bytes", "counter", |core| &core.block_bytes),
            ("claw_node_overloaded", "counter", |core| &core.overloaded_count),
            ("claw_node_stalls", "counter", |core| &core.stalls_count),
            ("claw_node_connections", "gauge", |core| &core.connections_count),
            ("claw_node_sockets", "gauge", |core| &core.sockets_count),
            ("claw_sagas_parked", "gauge", |core| &core.sagas_parked_count),
            ("claw_clock_jump_ms", "gauge", |core| &core.clock_jump_ms),
            ("claw_vault_asked", "counter", |core| &core.vault_asked_count),
            ("claw_vault_answers", "counter", |core| &core.vault_answers_count),
        ];
        for (name, kind, read) in families {
            let suffix = if kind == "counter" { "_total" } else { "" };
            // Writing to a String does not fail.
            writeln!(text, "# TYPE {name} {kind}").ok();
            for (number, core) in self.cores.iter().enumerate() {
                let value = read(core).load(Ordering::Relaxed);
                writeln!(text, "{name}{suffix}{{core=\"{number}\"}} {value}").ok();
            }
        }
        for (name, values) in
            [("claw_shard_position", &self.positions), ("claw_shard_signed", &self.signed)]
        {
            writeln!(text, "# TYPE {name} gauge").ok();
            for (shard, value) in values.iter().enumerate() {
                let value = value.load(Ordering::Relaxed);
                writeln!(text, "{name}{{shard=\"{shard}\"}} {value}").ok();
            }
        }
    }
}
