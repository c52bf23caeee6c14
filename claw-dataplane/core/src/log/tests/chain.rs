//! Shards: gathered over streams in their order, with nothing missing and nothing twice.

use std::ops::ControlFlow;

use claw_common::id::ShardId;

use super::world::{Raw, SLOT_BYTES, STORE, draft};
use crate::journal::Journal;
use crate::log::{
    BlockDraft, BlockPlace, ChainError, Opening, SealInputs, Sealed, ShardChains, ShardStart,
    StreamBlocks, replay,
};

/// Streams as lists of sealed blocks, and where the shards are.
#[derive(Default)]
struct Streams {
    blocks: [Vec<Vec<u8>>; 2],
    shards: [(u64, [u8; 32]); 2],
}

impl Streams {
    /// Appends a block of `count` records of `shard` to `stream`.
    fn append(&mut self, stream: usize, shard: u16, count: usize) -> Sealed {
        let (sequence, hash) = self.shards[usize::from(shard)];
        let mut slot = vec![0; SLOT_BYTES];
        let opening = Opening {
            shard: ShardId(shard),
            sequence_last: sequence,
            schema_version: 1,
            vector: &[self.shards[0].0, self.shards[1].0],
        };
        let mut block = BlockDraft::open(&mut slot, &opening);
        for _ in 0..count {
            block.journal(&mut slot).append(&draft(1, 1), &Raw(b"event"));
        }
        let number = self.blocks[stream].len() as u64 + 1;
        let inputs = SealInputs {
            store_id: STORE,
            stream: u16::try_from(stream).unwrap(),
            stream_epoch: 1,
            stream_sequence: number,
            stream_previous: [0; 32],
            shard_previous: hash,
            segment_generation: 1,
            durable_watermark: number - 1,
            term: 1,
        };
        let sealed = block.seal(&mut slot, &inputs);
        self.shards[usize::from(shard)] = (sealed.sequence_last, sealed.hash);
        self.blocks[stream].push(slot);
        sealed
    }

    fn replay(&self, starts: [ShardStart; 2]) -> Result<Vec<(u16, u64)>, ChainError> {
        let places = self.blocks.each_ref().map(|blocks| {
            let place = |offset| BlockPlace { segment: 0, generation: 1, offset };
            (0..blocks.len()).map(place).collect::<Vec<_>>()
        });
        let first = |place: &BlockPlace| &self.blocks[0][place.offset][..];
        let second = |place: &BlockPlace| &self.blocks[1][place.offset][..];
        let streams = [
            StreamBlocks { blocks: &places[0], bytes: &first },
            StreamBlocks { blocks: &places[1], bytes: &second },
        ];
        let mut seen = Vec::new();
        let mut chains = ShardChains::new(&starts);
        let flow = replay(&mut chains, &streams, &mut |_, record| {
            seen.push((record.shard.0, record.sequence));
            ControlFlow::Continue(())
        })?;
        assert_eq!(flow, ControlFlow::Continue(()));
        for (tail, expected) in chains.tails().iter().zip(self.shards) {
            assert_eq!((tail.sequence, tail.hash), expected);
        }
        Ok(seen)
    }
}

fn of(seen: &[(u16, u64)], shard: u16) -> Vec<u64> {
    seen.iter().filter(|record| record.0 == shard).map(|record| record.1).collect()
}

/// Shard 0 moves from stream 1 to stream 0 and back; shard 1 the other way round.
fn moved() -> (Streams, Sealed) {
    let mut streams = Streams::default();
    streams.append(1, 0, 2);
    streams.append(0, 1, 1);
    let anchor = streams.append(0, 0, 2);
    streams.append(1, 1, 2);
    streams.append(1, 0, 1);
    (streams, anchor)
}

#[test]
fn shard_spread_over_streams_is_gathered_in_order() {
    let (streams, _) = moved();
    let seen = streams.replay([ShardStart::default(); 2]).unwrap();
    assert_eq!(of(&seen, 0), [1, 2, 3, 4, 5]);
    assert_eq!(of(&seen, 1), [1, 2, 3]);
}

#[test]
fn records_within_the_snapshot_are_passed() {
    let (streams, anchor) = moved();
    let start = ShardStart { sequence: 4, hash: anchor.hash };
    let seen = streams.replay([start, ShardStart::default()]).unwrap();
    assert_eq!((of(&seen, 0), of(&seen, 1)), (vec![5], vec![1, 2, 3]));
    let other = ShardStart { sequence: 4, hash: [7; 32] };
    let error = streams.replay([other, ShardStart::default()]).unwrap_err();
    assert_eq!(error, ChainError::Broken { shard: ShardId(0), sequence: 3 });
    let gap = ShardStart { sequence: 2, hash: anchor.hash };
    let error = streams.replay([gap, ShardStart::default()]).unwrap_err();
    assert_eq!(error, ChainError::Broken { shard: ShardId(0), sequence: 3 });
}

#[test]
fn missing_stream_is_a_gap() {
    let (mut streams, _) = moved();
    streams.blocks[0].clear();
    let error = streams.replay([ShardStart::default(); 2]).unwrap_err();
    assert_eq!(error, ChainError::Gap { shard: ShardId(1), sequence: 1 });
}

#[test]
fn blocks_below_the_snapshot_may_be_missing_between_others() {
    let (mut streams, anchor) = moved();
    streams.blocks[0].clear(); // archived and freed; stream 1 still has records 1 and 2
    streams.shards[1] = (3, streams.shards[1].1);
    let start = ShardStart { sequence: 4, hash: anchor.hash };
    let other = ShardStart { sequence: 3, hash: streams.shards[1].1 };
    let seen = streams.replay([start, other]).unwrap();
    assert_eq!((of(&seen, 0), of(&seen, 1)), (vec![5], vec![]));
}

#[test]
fn repeated_and_foreign_blocks_are_noticed() {
    let (mut streams, _) = moved();
    let copy = streams.blocks[1][0].clone();
    streams.blocks[1].push(copy);
    let error = streams.replay([ShardStart::default(); 2]).unwrap_err();
    assert_eq!(error, ChainError::Twice { shard: ShardId(0), sequence: 1 });

    let (mut streams, _) = moved();
    streams.shards[0].1 = [9; 32];
    streams.append(0, 0, 1);
    let error = streams.replay([ShardStart::default(); 2]).unwrap_err();
    assert_eq!(error, ChainError::Broken { shard: ShardId(0), sequence: 6 });
}
