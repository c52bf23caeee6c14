//! The site: what outlives the node's process.
//!
//! Devices with what is durable on them, snapshots, and the ledger of what was promised to the
//! outside. A crash takes the node and the devices' caches, nothing else.

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_core::shard::{Capacities, ShardConfig};

use crate::device::Device;
use crate::gateway::Gateway;
use crate::invariants::Ledger;
use crate::options::Options;
use crate::scene::Scene;

/// A snapshot of one shard, written whole or not at all.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) sequence: u64,
    pub(crate) hash: Digest,
    pub(crate) bytes: Vec<u8>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) scene: Scene,
    /// One per stream that the store ever had.
    pub(crate) devices: Vec<Device>,
    /// Per shard, oldest first.
    pub(crate) snapshots: Vec<Vec<Snapshot>>,
    /// Per shard the record up to which the log may be gone.
    pub(crate) floors: Vec<u64>,
    pub(crate) ledger: Ledger,
    /// The vault and its gateway: processes of their own.
    pub(crate) gateway: Gateway,
}

impl Site {
    pub(crate) fn new(scene: Scene) -> Self {
        let shards = usize::from(scene.options.shards);
        Self {
            devices: Vec::new(),
            snapshots: (0..shards).map(|_| Vec::new()).collect(),
            floors: vec![0; shards],
            ledger: Ledger::new(&scene.options),
            gateway: Gateway::default(),
            scene,
        }
    }

    /// How long the way to the vault, or back, takes this time, microseconds.
    pub(crate) fn vault_us(&mut self) -> u64 {
        let longest = self.scene.options.vault_us_max;
        self.scene.vault_random.between(1, longest)
    }

    /// How long a device write takes this time, microseconds.
    pub(crate) fn write_us(&mut self) -> u64 {
        let longest = self.scene.options.write_us_max;
        self.scene.device_random.between(longest / 10 + 1, longest)
    }
}

/// Every shard of a store.
pub(crate) fn shards(options: &Options) -> impl Iterator<Item = ShardId> + use<> {
    (0..options.shards).map(ShardId)
}

/// What a shard is told at boot.
pub(crate) fn shard_config(options: &Options, shard: ShardId) -> ShardConfig {
    let capacities = Capacities {
        products: 32,
        coupons: 16,
        holds: options.holds_max,
        orders: options.orders_max,
        carts: options.carts_max,
        deduplication_bytes: options.deduplication_bytes,
        waiters: 64,
    };
    ShardConfig::new(shard, options.shards, capacities)
}
