//! One thread per core: a glommio executor, pinned, with the core's ring made on it.
//!
//! Owns the hand-shake of a start: each core makes its ring, listens on its sockets and reports,
//! waits for everybody's ring addresses, then serves. glommio's settings here are those that keep
//! clear of its known stalls: default preemption timer, 1 MiB of its own io memory, a shallow ring.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use claw_core::log::StreamTail;
use claw_core::schema::CompiledSchema;
use claw_core::shard::Shard;
use glommio::{LocalExecutorBuilder, Placement as CpuPlacement};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use crate::buffer::{Arena, ArenaShape, ReceiveShape};
use crate::config::Config;
use crate::ingest::http::Timeouts;
use crate::ingest::tickets::TicketDesk;
use crate::log::{CommitStart, FileDeviceShape, FileStore, FlushMode, GroupCommit, SegmentSupply};
use crate::node::certificate::{Certificates, CoreTls};
use crate::node::core::{Core, CoreError, CoreParts};
use crate::node::envelope::Envelope;
use crate::node::gate::Gate;
use crate::node::keys::{KEY_SHARD, KeyWatch};
use crate::node::lane::{Lane, LaneStart};
use crate::node::proofs::ProofDesk;
use crate::node::shared::Shared;
use crate::node::stream::{Stream, StreamStart};
use crate::node::subjects::SubjectWatch;
use crate::node::vault::VaultDesk;
use crate::ring::{CoreRing, GlommioHost, GlommioHostShape, RingAddress, RingShape, RingWaker};
use crate::subjects::SubjectKeys;

use super::address::CoreListeners;
use super::error::chain;
use super::mesh::Endpoint;
use super::placement::{CoreId, Placement};

/// glommio's registered memory per executor. It is pinned three times, and its files carry only
/// cold reads here.
const GLOMMIO_IO_MEMORY_BYTES: usize = 1 << 20;
/// Entries of glommio's rings: timers, the eventfd, cold reads.
const GLOMMIO_RING_ENTRIES: usize = 128;

/// What a core's thread starts from.
#[derive(Debug)]
pub struct CoreSeed {
    /// Which core.
    pub id: CoreId,
    /// Who runs where.
    pub placement: Placement,
    /// The store's settings.
    pub config: Config,
    /// The schema in force.
    pub schema: Arc<CompiledSchema>,
    /// The log's folder.
    pub store: Arc<FileStore>,
    /// How writes become durable.
    pub flush: FlushMode,
    /// Where segments come from.
    pub supply: Arc<SegmentSupply>,
    /// Where its stream goes on.
    pub tail: StreamTail,
    /// Its shards.
    pub shards: Vec<(Shard, LaneStart)>,
    /// Its ends of the mesh.
    pub mesh: Endpoint<Envelope>,
    /// Where receipts are asked for.
    pub proofs: ProofDesk,
    /// Where the vault is asked, where there is one.
    pub vault: Option<VaultDesk>,
    /// Where it listens.
    pub listeners: CoreListeners,
    /// What all cores share.
    pub shared: Arc<Shared>,
    /// Where the certificate in force is, when TLS is served.
    pub certificates: Option<Arc<Certificates>>,
    /// Keys of subjects.
    pub subject_keys: Arc<SubjectKeys>,
    /// CPUs that no core has.
    pub spare_cpus: Vec<usize>,
}

/// What a started core tells the others.
#[derive(Debug)]
pub struct Started {
    /// Its ring, for doorbells.
    pub ring: RingAddress,
    /// Its ring, for other threads.
    pub waker: RingWaker,
}

/// What a core reports: itself and how its start went.
pub type StartReport = (CoreId, Result<Started, String>);

/// Starts a core's thread.
pub fn spawn_core(
    seed: CoreSeed,
    report: Sender<StartReport>,
    go: Receiver<Arc<[RingAddress]>>,
) -> JoinHandle<Result<(), CoreError>> {
    let cpu = seed.placement.cpus()[seed.id.index()];
    let name = format!("claw-core-{}", seed.id.0);
    #[expect(clippy::disallowed_methods, reason = "runtime/ is where threads start")]
    std::thread::spawn(move || {
        let executor = LocalExecutorBuilder::new(CpuPlacement::Fixed(cpu))
            .name(&name)
            .io_memory(GLOMMIO_IO_MEMORY_BYTES)
            .ring_depth(GLOMMIO_RING_ENTRIES)
            .make();
        let id = seed.id;
        match executor {
            Ok(executor) => executor.run(serve(seed, report, go)),
            Err(error) => {
                drop(report.send((id, Err(format!("start an executor on cpu {cpu}: {error}")))));
                Ok(())
            }
        }
    })
}

async fn serve(
    seed: CoreSeed,
    report: Sender<StartReport>,
    go: Receiver<Arc<[RingAddress]>>,
) -> Result<(), CoreError> {
    let id = seed.id;
    let spin = spin_of(&seed.config);
    let (mut parts, started) = match build(seed) {
        Ok(built) => built,
        Err(reason) => {
            drop(report.send((id, Err(reason))));
            return Ok(());
        }
    };
    drop(report.send((id, Ok(started))));
    // The main thread is gone only when another core failed to start.
    let Ok(addresses) = go.recv() else { return Ok(()) };
    parts.addresses = addresses;
    let shape = GlommioHostShape { spin, ..GlommioHostShape::default() };
    let host = GlommioHost::attach(&parts.ring, shape)?;
    Core::new(parts).run(host).await
}

/// How long a core spins: on few CPUs not at all, whatever is configured.
fn spin_of(config: &Config) -> Duration {
    let usual = GlommioHostShape::default().spin;
    if usual.is_zero() { usual } else { Duration::from_micros(u64::from(config.node.spin_us)) }
}

fn build(seed: CoreSeed) -> Result<(CoreParts, Started), String> {
    let connections_max = usize::try_from(seed.config.limits.connections_max).expect("32 bits fit");
    let shape = RingShape {
        core: u16::from(seed.id.0),
        connections_max,
        receive: ReceiveShape::default(),
        ..RingShape::default()
    };
    let mut ring = CoreRing::new(shape).map_err(|error| chain(&error))?;
    let (arena, slots) = Arena::map(ArenaShape::default()).map_err(|error| chain(&error))?;
    ring.register_arena(&arena).map_err(|error| chain(&error))?;
    if seed.flush == FlushMode::LinkedSync && !spin_of(&seed.config).is_zero() {
        // A linked flush runs on a kernel worker, which must not share a core that spins. Where
        // cores do not, the worker is best off anywhere: the CPUs left are few and others' too.
        ring.place_workers(&seed.spare_cpus).map_err(|error| chain(&error))?;
    }
    let stream = start_stream(&seed, slots)?;
    let listener = ring.listen(seed.listeners.plain).map_err(|error| chain(&error))?;
    let tls = start_tls(seed.listeners.encrypted, seed.certificates, &mut ring)?;
    let started = Started {
        ring: ring.address().map_err(|error| format!("share the ring: {error}"))?,
        waker: ring.waker(),
    };
    let (entropy, ticket_key) = (random_bytes()?, random_bytes()?);
    let has_keys = seed.placement.core_of(KEY_SHARD) == seed.id;
    let store_dir = seed.config.store_dir.clone();
    let parts = CoreParts {
        id: seed.id,
        placement: seed.placement,
        ring,
        listener,
        tls,
        lanes: seed.shards.into_iter().map(|(shard, start)| Lane::new(shard, start)).collect(),
        stream,
        mesh: seed.mesh,
        addresses: Arc::from(Vec::new()),
        shared: seed.shared,
        gate: Box::new(Gate::new(&seed.config, seed.schema, Arc::clone(&seed.subject_keys))),
        proofs: seed.proofs,
        vault: seed.vault,
        key_watch: has_keys.then(|| KeyWatch::new(store_dir)),
        tickets: TicketDesk::new(seed.id.0, ticket_key),
        subject_watch: SubjectWatch::new(seed.subject_keys),
        entropy: SmallRng::from_seed(entropy),
        timeouts: Timeouts {
            head_ms: seed.config.limits.header_timeout_ms,
            idle_ms: seed.config.limits.idle_timeout_ms,
        },
        connections_max,
        in_flight_max: seed.config.limits.in_flight_max,
    };
    Ok((parts, started))
}

fn random_bytes() -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("read randomness: {error}"))?;
    Ok(bytes)
}

fn start_stream(seed: &CoreSeed, slots: Vec<crate::buffer::FreeSlot>) -> Result<Stream, String> {
    let number = u16::from(seed.id.0);
    let supply = Arc::clone(&seed.supply);
    let shape = FileDeviceShape { stream: number, flush: seed.flush, supply };
    let device = seed.store.device(shape);
    let tail = &seed.tail;
    let start = CommitStart::behind(number, tail);
    let commit = GroupCommit::new(device, slots, start).map_err(|error| chain(&error))?;
    let start = StreamStart {
        store_id: seed.config.store.id.0,
        number,
        epoch: tail.superblock.epoch,
        hash_last: tail.last_hash,
    };
    Ok(Stream::new(start, commit))
}

fn start_tls(
    socket: Option<TcpListener>,
    certificates: Option<Arc<Certificates>>,
    ring: &mut CoreRing,
) -> Result<Option<CoreTls>, String> {
    let (Some(socket), Some(certificates)) = (socket, certificates) else {
        return Ok(None);
    };
    let listener = ring.listen(socket).map_err(|error| chain(&error))?;
    Ok(Some(CoreTls::new(listener, certificates)))
}
