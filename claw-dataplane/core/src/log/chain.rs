//! The shards' chains: records of one shard in order, gathered over all streams.
//!
//! Owns the merge. A shard's blocks lie in the stream of the core that had the shard when they were
//! written; the number of cores may change between runs, so one shard may be spread over several
//! streams. Its order is (term, shard sequence), its proof `shard_previous`.
//!
//! Two passes over blocks that passed [`super::recovery`]: [`ShardChains::announce`] every block,
//! then [`replay`], which asks the streams in turn for the next block that is due. It cannot wait
//! in a circle: blocks are due in the order they were written, which is an order of time.
//!
//! Deliberately keeps no records: each is handed on while it lies in its block.

use core::ops::ControlFlow;

use claw_common::checksum::Digest;
use claw_common::id::ShardId;

use super::recovery::BlockPlace;
use super::view::{BlockError, BlockView, RecordView, Records};

/// Why the shards' records are not one history each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A block's `shard_previous` is not the hash of the shard's block before it, or its term went
    /// back.
    #[error("shard {shard} record {sequence}: its block does not follow the one before it")]
    Broken {
        /// The shard.
        shard: ShardId,
        /// First record of the block.
        sequence: u64,
    },
    /// Records are missing.
    #[error(
        "shard {shard}: record {sequence} is in no stream and no snapshot covers it: restore the \
         missing stream, segment or snapshot"
    )]
    Gap {
        /// The shard.
        shard: ShardId,
        /// First record missing.
        sequence: u64,
    },
    /// One place in a shard's order is taken twice.
    #[error("shard {shard}: record {sequence} is in the log twice")]
    Twice {
        /// The shard.
        shard: ShardId,
        /// The record.
        sequence: u64,
    },
    /// A shard beyond the store's count.
    #[error("shard {shard} in a store of {shards_count}: written for another store")]
    Unknown {
        /// The shard.
        shard: ShardId,
        /// The store's count.
        shards_count: u16,
    },
    /// A block that passed its checks a moment ago does not any more.
    #[error("block changed while it was being read: {0}")]
    Unsteady(BlockError),
}

/// Where a shard's records begin to matter: behind its snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardStart {
    /// Last record in the snapshot; 0 for none.
    pub sequence: u64,
    /// Hash of the block whose last record that is; zero for none.
    pub hash: Digest,
}

/// Where a shard's log goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardTail {
    /// Last record; 0 for none.
    pub sequence: u64,
    /// Hash of its block: the next block's `shard_previous`.
    pub hash: Digest,
    /// Its block's term; 0 for none.
    pub term: u64,
}

impl ShardStart {
    /// The end of a chain of which only this is left.
    const fn tail(&self) -> ShardTail {
        ShardTail { sequence: self.sequence, hash: self.hash, term: 0 }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Chain {
    start: ShardStart,
    /// Lowest first record of the blocks that count; `None` while there is none.
    lowest: Option<u64>,
    /// Present once the block with the lowest record was taken.
    tail: Option<ShardTail>,
}

impl Chain {
    /// Whether the snapshot holds all of a block. Such blocks are passed, since some of them may
    /// be archived already and others, in another stream, not.
    fn covers(&self, view: &BlockView<'_>) -> bool {
        view.sequence_last() <= self.start.sequence
    }
}

/// The chains of all shards.
#[derive(Debug)]
pub struct ShardChains {
    chains: Vec<Chain>,
}

/// What to do with the block at a stream's front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It is due; records behind this sequence count.
    Due(u64),
    /// Another stream holds what comes before it.
    Later,
}

impl ShardChains {
    /// One start per shard.
    pub fn new(starts: &[ShardStart]) -> Self {
        let chain = |&start: &ShardStart| Chain { start, ..Chain::default() };
        Self { chains: starts.iter().map(chain).collect() }
    }

    /// First pass: learns which shard begins where.
    pub fn announce(&mut self, view: &BlockView<'_>) -> Result<(), ChainError> {
        let Some(shard) = view.shard() else { return Ok(()) };
        let shards_count = u16::try_from(self.chains.len()).expect("at most SHARDS_MAX");
        let chain = self
            .chains
            .get_mut(usize::from(shard.0))
            .ok_or(ChainError::Unknown { shard, shards_count })?;
        if chain.covers(view) {
            return Ok(());
        }
        let first = view.header().shard_sequence.get();
        chain.lowest = Some(chain.lowest.map_or(first, |lowest| lowest.min(first)));
        Ok(())
    }

    fn offer(&mut self, view: &BlockView<'_>) -> Result<Turn, ChainError> {
        let Some(shard) = view.shard() else { return Ok(Turn::Due(u64::MAX)) };
        let chain = &mut self.chains[usize::from(shard.0)];
        let header = view.header();
        let sequence = header.shard_sequence.get();
        let start = chain.start;
        let broken = Err(ChainError::Broken { shard, sequence });
        if chain.covers(view) {
            let anchored = view.sequence_last() < start.sequence || header.hash == start.hash;
            return if anchored { Ok(Turn::Due(u64::MAX)) } else { broken };
        }
        let tail = match chain.tail {
            Some(tail) => tail,
            None if Some(sequence) != chain.lowest => return Ok(Turn::Later),
            None if sequence > start.sequence + 1 => {
                return Err(ChainError::Gap { shard, sequence: start.sequence + 1 });
            }
            None if sequence == start.sequence + 1 => start.tail(),
            // The snapshot ends within this block: what came before cannot be compared.
            None => ShardTail { sequence: sequence - 1, hash: header.shard_previous, term: 0 },
        };
        let due = tail.sequence + 1;
        if sequence != due {
            let twice = sequence < due;
            return if twice {
                Err(ChainError::Twice { shard, sequence })
            } else {
                Ok(Turn::Later)
            };
        }
        let term = header.term.get();
        if header.shard_previous != tail.hash || term < tail.term {
            return broken;
        }
        chain.tail = Some(ShardTail { sequence: view.sequence_last(), hash: header.hash, term });
        Ok(Turn::Due(start.sequence))
    }

    /// Where each shard goes on, once everything was replayed.
    pub fn tails(&self) -> Vec<ShardTail> {
        self.chains.iter().map(|chain| chain.tail.unwrap_or_else(|| chain.start.tail())).collect()
    }
}

/// One stream to replay: its blocks in order, and a way to their bytes.
#[derive(Clone, Copy)]
pub struct StreamBlocks<'a> {
    /// In order, as recovery found them.
    pub blocks: &'a [BlockPlace],
    /// The bytes at a place, going on to the end of the segment.
    pub bytes: &'a dyn Fn(&BlockPlace) -> &'a [u8],
}

impl core::fmt::Debug for StreamBlocks<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StreamBlocks").field("blocks", &self.blocks.len()).finish_non_exhaustive()
    }
}

/// Takes records.
pub trait Replay {
    /// These come next, of one shard: the time to ask memory for what they need. Called before the
    /// first of them, and again after each [`EXPECTED_COUNT`].
    fn expect(&mut self, _records: &Records<'_>) {}

    /// Takes one record; breaking off ends the replay.
    fn apply(&mut self, block: &BlockView<'_>, record: &RecordView<'_>) -> ControlFlow<()>;
}

/// Takes one record; breaking off ends the replay.
pub type Apply<'f> = dyn FnMut(&BlockView<'_>, &RecordView<'_>) -> ControlFlow<()> + 'f;

/// Who needs nothing but the records.
pub struct Each<'a, 'f>(pub &'a mut Apply<'f>);

impl core::fmt::Debug for Each<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Each").finish_non_exhaustive()
    }
}

impl Replay for Each<'_, '_> {
    fn apply(&mut self, block: &BlockView<'_>, record: &RecordView<'_>) -> ControlFlow<()> {
        (self.0)(block, record)
    }
}

/// How many records [`Replay::expect`] is told of. What they need fits into the caches together,
/// and asking for all of it takes longer than the first of it needs to come.
pub const EXPECTED_COUNT: usize = 64;

/// Hands every record behind its shard's start to `apply`, each shard in its order.
pub fn replay(
    chains: &mut ShardChains,
    streams: &[StreamBlocks<'_>],
    apply: &mut Apply<'_>,
) -> Result<ControlFlow<()>, ChainError> {
    replay_to(chains, streams, &mut Each(apply))
}

/// The same, and says beforehand which records come.
pub fn replay_to(
    chains: &mut ShardChains,
    streams: &[StreamBlocks<'_>],
    replay: &mut dyn Replay,
) -> Result<ControlFlow<()>, ChainError> {
    for stream in streams {
        for place in stream.blocks {
            // Only headers matter yet: what the records are is checked where they are taken.
            let view = BlockView::outline((stream.bytes)(place)).map_err(ChainError::Unsteady)?;
            chains.announce(&view)?;
        }
    }
    let mut fronts = vec![0_usize; streams.len()];
    loop {
        let mut progress = false;
        let mut waiting = None;
        for (stream, front) in streams.iter().zip(&mut fronts) {
            while let Some(place) = stream.blocks.get(*front) {
                let view = reread(stream, place)?;
                let Turn::Due(start) = chains.offer(&view)? else {
                    waiting = waiting.or_else(|| Some(missing_before(chains, &view)));
                    break;
                };
                *front += 1;
                progress = true;
                if hand_over(&view, start, replay).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        match (progress, waiting) {
            (_, None) => return Ok(ControlFlow::Continue(())),
            (true, Some(_)) => {}
            (false, Some(gap)) => return Err(gap),
        }
    }
}

/// The records of a block behind `start`.
fn hand_over(view: &BlockView<'_>, start: u64, replay: &mut dyn Replay) -> ControlFlow<()> {
    let mut records = view.records();
    let mut expected_count = 0;
    loop {
        if expected_count == 0 {
            replay.expect(&records);
            expected_count = EXPECTED_COUNT;
        }
        let Some(record) = records.next() else { return ControlFlow::Continue(()) };
        expected_count -= 1;
        if record.sequence > start {
            replay.apply(view, &record)?;
        }
    }
}

fn reread<'a>(stream: &StreamBlocks<'a>, place: &BlockPlace) -> Result<BlockView<'a>, ChainError> {
    BlockView::reread((stream.bytes)(place)).map_err(ChainError::Unsteady)
}

/// What a block that is not due waits for.
fn missing_before(chains: &ShardChains, view: &BlockView<'_>) -> ChainError {
    let shard = view.shard().unwrap_or_default();
    let chain = &chains.chains[usize::from(shard.0)];
    let sequence = chain.tail.map_or(chain.start.sequence, |tail| tail.sequence) + 1;
    ChainError::Gap { shard, sequence }
}
