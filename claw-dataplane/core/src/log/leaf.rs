//! Leaves: records bound to their place, as the shards' Merkle trees hash them.
//!
//! A record does not say its store, shard and sequence, since its block does; a leaf stands alone,
//! so it does. What a leaf's record says can be read from the leaf again: who signed, when it was
//! accepted and decided, the event. Does not hash trees: [`crate::merkle`] does.

use claw_common::event::{LEAF_MAGIC, LeafHeader};
use claw_common::id::{Position, ShardId};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::view::{RecordView, split_record};
use crate::merkle::{self, Hash};

/// A leaf, read in place.
#[derive(Clone, Copy, Debug)]
pub struct LeafView<'a> {
    /// The store.
    pub store_id: [u8; 16],
    /// The record with its place.
    pub record: RecordView<'a>,
}

impl<'a> LeafView<'a> {
    /// Reads a leaf; `None` for anything that no log holds.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = LeafHeader::ref_from_prefix(bytes).ok()?;
        if header.magic != LEAF_MAGIC || header.reserved != [0; 6] || header.sequence.get() == 0 {
            return None;
        }
        let (parts, behind) = split_record(rest)?;
        if !behind.is_empty() {
            return None;
        }
        let shard = ShardId(header.shard.get());
        let place = Position { shard, sequence: header.sequence.get() };
        Some(Self { store_id: header.store_id, record: parts.view(place, rest) })
    }
}

fn header(store_id: [u8; 16], record: &RecordView<'_>) -> LeafHeader {
    let mut header = LeafHeader::new_zeroed();
    header.magic = LEAF_MAGIC;
    header.store_id = store_id;
    header.sequence = record.sequence.into();
    header.shard = record.shard.0.into();
    header
}

/// The leaf of a record.
pub fn leaf_bytes(store_id: [u8; 16], record: &RecordView<'_>) -> Vec<u8> {
    [header(store_id, record).as_bytes(), record.bytes].concat()
}

/// Its hash in the tree, without a copy.
pub fn leaf_hash(store_id: [u8; 16], record: &RecordView<'_>) -> Hash {
    merkle::leaf_hash(&[header(store_id, record).as_bytes(), record.bytes])
}
