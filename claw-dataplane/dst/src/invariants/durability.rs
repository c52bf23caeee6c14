//! Nothing leaves a shard before the position it observed is durable.
//!
//! Durable is what can be read back from the device's medium, not what the device says: each block
//! that joins the contiguous prefix is read from there first. Answers and messages name the
//! position they saw; it must not lie beyond.

use claw_common::id::ShardId;
use claw_core::log::BlockView;

use crate::violation::{Checked, Violation, check};

const NAME: &str = "nothing leaves before it is durable";

/// Per shard the last record known durable.
#[derive(Debug)]
pub(super) struct Durability {
    durable: Vec<u64>,
}

impl Durability {
    pub(super) fn new(shards: usize) -> Self {
        Self { durable: vec![0; shards] }
    }

    pub(super) fn durable(&mut self, shard: ShardId, sequence_last: u64) {
        self.durable[usize::from(shard.0)] = sequence_last;
    }

    /// What a start found is durable by then: it was read from the medium.
    pub(super) fn restarted(&mut self, shard: ShardId, sequence_last: u64) {
        self.durable(shard, sequence_last);
    }

    pub(super) fn leaves(&self, shard: ShardId, sequence: u64) -> Checked {
        let durable = self.durable[usize::from(shard.0)];
        check(sequence <= durable, NAME, || {
            format!("shard {shard} tells of record {sequence}, durable up to {durable}")
        })
    }
}

/// The block that the medium must hold.
pub(super) fn on_medium<'v, 'b>(
    stream: u16,
    sequence: u64,
    view: Option<&'v BlockView<'b>>,
) -> Result<&'v BlockView<'b>, Violation> {
    view.ok_or_else(|| {
        let detail = format!("stream {stream} block {sequence} is not on the medium");
        Violation::new(NAME, detail)
    })
}
