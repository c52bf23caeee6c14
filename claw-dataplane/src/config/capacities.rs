//! How a node's `memory` becomes counts: one table of shares.
//!
//! Slabs are taken at start and never grow, so their sizes are a promise and not a hope. A share is
//! in hundredths; a size is what one entry takes with its index, rounded up. What the table leaves
//! over belongs to connections, the log's arenas and the program itself.

/// A node with less could not hold one block per write in flight and a useful catalogue.
pub const MEMORY_BYTES_MIN: u64 = 64 << 20;
/// A production store with less is warned about: its windows of remembered answers and holds are
/// too short for a busy day.
pub const MEMORY_BYTES_PRODUCTION: u64 = 8 << 30;

/// Part of the node, share of `memory` in hundredths, bytes of one entry.
const TABLE: [(Part, u64, u64); 7] = [
    // SKU, name, price history and the attributes most products have.
    (Part::Products, 11, 4096),
    (Part::Coupons, 1, 512),
    // Up to 32 lines inline; the timer's slot.
    (Part::Holds, 14, 2048),
    // Lines, history of states, delivery reference.
    (Part::Orders, 14, 3072),
    (Part::Carts, 5, 2048),
    // The largest share: it must outlast every signature (six minutes) at the rate of a busy day.
    (Part::DeduplicationBytes, 30, 1),
    // One receive takes at most one request head.
    (Part::ReceiveBuffers, 5, 16 * 1024),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Carts,
    Coupons,
    DeduplicationBytes,
    Holds,
    Orders,
    Products,
    ReceiveBuffers,
}

/// What fits into a node, all its shards together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Products; never evicted.
    pub products_max: u32,
    /// Coupons; never evicted.
    pub coupons_max: u32,
    /// Holds, live and recently ended.
    pub holds_max: u32,
    /// Orders kept in memory.
    pub orders_max: u32,
    /// Carts; the one longest untouched makes room.
    pub carts_max: u32,
    /// Remembered answers, bytes.
    pub deduplication_bytes: usize,
    /// Receive buffers of 16 KiB.
    pub receive_buffers: u32,
}

impl Capacities {
    /// Splits `memory_bytes` by the table.
    ///
    /// # Panics
    /// If it is below [`MEMORY_BYTES_MIN`], which the settings refuse.
    pub fn from_memory(memory_bytes: u64) -> Self {
        assert!(memory_bytes >= MEMORY_BYTES_MIN, "settings refuse less");
        Self::split(memory_bytes)
    }

    /// One shard's part of a node with `shards_count` shards. Keys spread by hash, not evenly, so
    /// each shard gets a quarter more than its part where there are several.
    #[must_use]
    pub fn of_one_shard(self, shards_count: u16) -> Self {
        assert!(shards_count > 0);
        if shards_count == 1 {
            return self;
        }
        let part = |count: u32| count / u32::from(shards_count) / 4 * 5;
        Self {
            products_max: part(self.products_max).max(1),
            coupons_max: part(self.coupons_max).max(1),
            holds_max: part(self.holds_max).max(1),
            orders_max: part(self.orders_max).max(1),
            carts_max: part(self.carts_max).max(1),
            deduplication_bytes: self.deduplication_bytes / usize::from(shards_count),
            receive_buffers: (self.receive_buffers / u32::from(shards_count)).max(1),
        }
    }

    fn split(memory_bytes: u64) -> Self {
        let entries = |wanted: Part| {
            let row = TABLE.iter().find(|(part, _, _)| *part == wanted);
            let (_, share, entry_bytes) = row.expect("every part has a row");
            memory_bytes / 100 * share / entry_bytes
        };
        let count = |part: Part| u32::try_from(entries(part)).unwrap_or(u32::MAX);
        Self {
            products_max: count(Part::Products),
            coupons_max: count(Part::Coupons),
            holds_max: count(Part::Holds),
            orders_max: count(Part::Orders),
            carts_max: count(Part::Carts),
            deduplication_bytes: usize::try_from(entries(Part::DeduplicationBytes))
                .unwrap_or(usize::MAX),
            receive_buffers: count(Part::ReceiveBuffers),
        }
    }
}

const _: () = {
    let (mut sum, mut index) = (0, 0);
    while index < TABLE.len() {
        let (part, share, _) = TABLE[index];
        let alone = matches!(part, Part::DeduplicationBytes | Part::ReceiveBuffers);
        sum += if alone { share * 4 } else { share * 5 };
        index += 1;
    }
    assert!(sum <= 95 * 4, "with the shards' extra quarter, something is left for the program");
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_into_the_whole_and_the_smallest_node_is_useful() {
        for memory_bytes in [MEMORY_BYTES_MIN, 512 << 20, MEMORY_BYTES_PRODUCTION, 16 << 40] {
            let all = Capacities::from_memory(memory_bytes);
            let bytes = u64::from(all.products_max) * 4096
                + u64::from(all.coupons_max) * 512
                + u64::from(all.holds_max) * 2048
                + u64::from(all.orders_max) * 3072
                + u64::from(all.carts_max) * 2048
                + u64::try_from(all.deduplication_bytes).unwrap()
                + u64::from(all.receive_buffers) * 16 * 1024;
            assert!(bytes <= memory_bytes / 100 * 95);
        }
        let least = Capacities::from_memory(MEMORY_BYTES_MIN);
        assert!(least.products_max >= 1_500 && least.holds_max >= 4_000, "{least:?}");
    }

    #[test]
    fn shards_share_with_room_for_an_uneven_spread() {
        let node = Capacities::from_memory(512 << 20);
        let shard = node.of_one_shard(4);
        assert!(shard.products_max > node.products_max / 4);
        assert!(shard.products_max < node.products_max / 3);
        assert_eq!(node.of_one_shard(1), node);
    }
}
