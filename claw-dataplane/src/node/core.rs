//! One data core: everything its thread owns.
//!
//! Owns the parts and the small helpers that every step of a turn needs. The turn itself is in
//! `turn`, requests in `intake`, effects in `deliver`, keys in `keys`; each adds its methods to
//! [`Core`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use claw_common::id::ShardId;
use claw_common::time::{Hlc, UnixMs};
use rand::rngs::SmallRng;

use crate::ingest::auth::Keyring;
use crate::ingest::http::Timeouts;
use crate::ingest::tickets::TicketDesk;
use crate::log::LogError;
use crate::ring::{ConnectionId, CoreRing, ListenerId, RingAddress, RingError};
use crate::runtime::mesh::Endpoint;
use crate::runtime::placement::{CoreId, Placement};

use super::certificate::CoreTls;
use super::clock::Clock;
use super::envelope::Envelope;
use super::gate::Gate;
use super::keys::KeyWatch;
use super::lane::Lane;
use super::peer::Peers;
use super::pending::PendingRequests;
use super::proofs::ProofDesk;
use super::shared::Shared;
use super::sockets::Sockets;
use super::stream::Stream;
use super::subjects::SubjectWatch;
use super::vault::VaultDesk;
use super::wire_sessions::WireSessions;
use super::work::Work;

/// What can end a core: the node stops with it.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// A log write failed, or its device.
    #[error("{0}")]
    Log(#[from] LogError),
    /// The ring failed.
    #[error("{0}")]
    Ring(#[from] RingError),
}

/// The parts a core is made of, all built on its own thread.
#[derive(Debug)]
pub struct CoreParts {
    /// Which core.
    pub id: CoreId,
    /// Which core has which shard.
    pub placement: Placement,
    /// Its ring, with the arena registered.
    pub ring: CoreRing,
    /// Its listening socket.
    pub listener: ListenerId,
    /// What it needs to serve TLS, where it does.
    pub tls: Option<CoreTls>,
    /// Its shards, ascending.
    pub lanes: Vec<Lane>,
    /// Its log stream.
    pub stream: Stream,
    /// Its ends of the mesh.
    pub mesh: Endpoint<Envelope>,
    /// Every core's ring.
    pub addresses: Arc<[RingAddress]>,
    /// What all cores share.
    pub shared: Arc<Shared>,
    /// From requests to commands, and from outcomes to answers.
    pub gate: Box<Gate>,
    /// Where receipts are asked for.
    pub proofs: ProofDesk,
    /// Where the vault is asked, where there is one.
    pub vault: Option<VaultDesk>,
    /// Registers key changes in the log; on the core of shard 0 only.
    pub key_watch: Option<KeyWatch>,
    /// Its tickets.
    pub tickets: TicketDesk,
    /// Follows changes of the keys of subjects.
    pub subject_watch: SubjectWatch,
    /// Fresh randomness for ids.
    pub entropy: SmallRng,
    /// How long requests and idle connections are waited for.
    pub timeouts: Timeouts,
    /// Most connections.
    pub connections_max: usize,
    /// Most requests under way.
    pub in_flight_max: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Core {
    pub(super) id: CoreId,
    pub(super) placement: Placement,
    pub(super) ring: CoreRing,
    pub(super) listener: Option<ListenerId>,
    pub(super) tls: Option<CoreTls>,
    pub(super) lanes: Vec<Lane>,
    /// Place in `lanes` by shard, for the shards of this core.
    lane_of: Vec<Option<usize>>,
    pub(super) stream: Stream,
    pub(super) mesh: Endpoint<Envelope>,
    pub(super) addresses: Arc<[RingAddress]>,
    pub(super) shared: Arc<Shared>,
    /// Taken out while it is used beside the core.
    pub(super) gate: Option<Box<Gate>>,
    pub(super) proofs: ProofDesk,
    pub(super) vault: Option<VaultDesk>,
    pub(super) sockets: Sockets,
    pub(super) key_watch: Option<KeyWatch>,
    pub(super) subject_watch: SubjectWatch,
    pub(super) keyring_next: Option<Arc<Keyring>>,
    pub(super) tickets: TicketDesk,
    pub(super) entropy: SmallRng,
    pub(super) timeouts: Timeouts,
    pub(super) clock: Clock,
    pub(super) now_ms: UnixMs,
    pub(super) stamp: Hlc,
    pub(super) peers: Peers,
    pub(super) pending: PendingRequests,
    pub(super) wire_sessions: WireSessions,
    /// What arrived and is not decided yet, oldest first.
    pub(super) inbox: VecDeque<Work>,
    /// Connections that have more requests in their buffer, in turn.
    pub(super) stalled: VecDeque<ConnectionId>,
    pub(super) overdue: Vec<ConnectionId>,
    /// A request of this turn found no room.
    pub(super) short_of_room: bool,
    /// What went wrong where no error can be returned.
    pub(super) failure: Option<CoreError>,
    pub(super) next_lane: usize,
    pub(super) idle_turns: u32,
    pub(super) next_heartbeat_ms: UnixMs,
    pub(super) heartbeats: u32,
    pub(super) stopping: bool,
    pub(super) drain_until_ms: UnixMs,
    pub(super) hashes_given: u64,
}

impl Core {
    /// Puts the parts together.
    pub fn new(parts: CoreParts) -> Self {
        let mut lane_of = vec![None; usize::from(parts.placement.shards_count())];
        for (place, lane) in parts.lanes.iter().enumerate() {
            lane_of[usize::from(lane.id().0)] = Some(place);
        }
        let mut clock = Clock::start();
        let now_ms = clock.now_ms();
        Self {
            id: parts.id,
            placement: parts.placement,
            ring: parts.ring,
            listener: Some(parts.listener),
            tls: parts.tls,
            lanes: parts.lanes,
            lane_of,
            stream: parts.stream,
            mesh: parts.mesh,
            addresses: parts.addresses,
            shared: parts.shared,
            gate: Some(parts.gate),
            proofs: parts.proofs,
            vault: parts.vault,
            sockets: Sockets::default(),
            key_watch: parts.key_watch,
            subject_watch: parts.subject_watch,
            keyring_next: None,
            tickets: parts.tickets,
            entropy: parts.entropy,
            timeouts: parts.timeouts,
            clock,
            now_ms,
            stamp: Hlc::from_unix_ms(now_ms),
            peers: Peers::with_capacity(parts.connections_max),
            pending: PendingRequests::with_capacity(parts.in_flight_max),
            wire_sessions: WireSessions::default(),
            inbox: VecDeque::new(),
            stalled: VecDeque::new(),
            overdue: Vec::new(),
            short_of_room: false,
            failure: None,
            next_lane: 0,
            idle_turns: 0,
            next_heartbeat_ms: 0,
            heartbeats: 0,
            stopping: false,
            drain_until_ms: 0,
            hashes_given: 0,
        }
    }

    /// The lane of a shard of this core.
    pub(super) fn lane_index(&self, shard: ShardId) -> Option<usize> {
        self.lane_of.get(usize::from(shard.0)).copied().flatten()
    }

    /// A stamp for something accepted now.
    pub(super) fn next_stamp(&mut self) -> Hlc {
        self.stamp = self.stamp.tick(self.now_ms);
        self.stamp
    }

    /// Makes sure of `wanted_bytes` in a lane's block, sealing the one it fills when that helps.
    pub(super) fn make_room(
        &mut self,
        lane: usize,
        wanted_bytes: usize,
    ) -> Result<bool, CoreError> {
        let lane = &mut self.lanes[lane];
        if lane.has_room(wanted_bytes) {
            return Ok(true);
        }
        self.stream.seal(&mut self.ring, lane)?;
        self.stream.refill(lane);
        Ok(lane.has_room(wanted_bytes))
    }

    /// Adds to a shared counter. Counters are read by other threads and by nobody else written.
    pub(super) fn count(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}
