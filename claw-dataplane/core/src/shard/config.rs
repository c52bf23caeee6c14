//! What a shard is told at boot: who it is and how much it may remember.
//!
//! Capacities are counts of slots taken once, so that a full slab is an answer (503) and never
//! growth. Holds no defaults of the store: `store.toml` decides, within `claw_common::limits`.

use claw_common::id::ShardId;
use claw_common::limits::{DEDUPLICATION_BYTES_MIN, SHARDS_MAX};

/// Who a shard is and how large its slabs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardConfig {
    /// Which shard.
    pub shard: ShardId,
    /// Shards in the store, fixed when it was formatted.
    pub shards_count: u16,
    /// Sizes of its slabs.
    pub capacities: Capacities,
}

impl ShardConfig {
    /// A shard among `shards_count`, with the given capacities.
    ///
    /// # Panics
    /// If the shard is not one of the store's, or a capacity is zero.
    pub fn new(shard: ShardId, shards_count: u16, capacities: Capacities) -> Self {
        assert!(shards_count > 0, "a store has a shard");
        assert!(usize::from(shards_count) <= SHARDS_MAX, "the version vector is bounded");
        assert!(shard.0 < shards_count, "the shard is one of the store's");
        assert!(capacities.deduplication_bytes >= DEDUPLICATION_BYTES_MIN, "raise `memory`");
        Self { shard, shards_count, capacities }
    }
}

/// Slots per slab of one shard, and bytes of its de-duplication window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Products; never evicted.
    pub products: u32,
    /// Coupons; never evicted.
    pub coupons: u32,
    /// Holds, and as many reservations made for other shards; only ended ones are evicted.
    pub holds: u32,
    /// Orders; only shipped, cancelled and refunded ones are evicted.
    pub orders: u32,
    /// Carts; the one longest untouched is evicted.
    pub carts: u32,
    /// Bytes of remembered answers.
    pub deduplication_bytes: usize,
    /// Replies parked until an order is placed or cancelled.
    pub waiters: u32,
}

impl Capacities {
    /// Small enough for tests and development.
    pub const SMALL: Self = Self {
        products: 1_024,
        coupons: 1_024,
        holds: 16_384,
        orders: 16_384,
        carts: 4_096,
        deduplication_bytes: 16 * 1024 * 1024,
        waiters: 1_024,
    };
}
