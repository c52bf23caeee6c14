//! From the log to the trees at once: what was appended between the last checkpoint and the end of
//! the node's last run, or everything, where a tree must be made again.

use std::ops::ControlFlow;

use claw_core::log::{BlockPlace, BlockView, ChainError, ShardChains, ShardStart, StreamTail};

use super::error::ProofError;
use super::places::BlockAt;
use super::shard_proofs::ShardProofs;
use crate::log::{LogPaths, ReadError, Scope, StoreLog};

/// Feeds every tree up to record `ends[shard]`, which is durable. `shards` are all of the store, in
/// order. Reads the archive only when it must.
pub fn catch_up(
    paths: &LogPaths,
    shards: &mut [ShardProofs],
    ends: &[u64],
) -> Result<(), ProofError> {
    let behind = |shard: &ShardProofs| shard.size() < ends[usize::from(shard.shard().0)];
    if !shards.iter().any(behind) {
        return Ok(());
    }
    let mut starts = Vec::new();
    for shard in &mut *shards {
        let start = shard.chain_start()?;
        if start.is_none() {
            shard.begin_anew()?;
        }
        starts.push(start.unwrap_or_default());
    }
    match feed(paths, Scope::Live, shards, (&starts, ends)) {
        Err(ProofError::Read(ReadError::Chain(ChainError::Gap { .. }))) => {}
        other => return other,
    }
    match feed(paths, Scope::Everything, shards, (&starts, ends)) {
        Err(ProofError::Read(ReadError::Chain(ChainError::Gap { shard, .. }))) => {
            Err(ProofError::LogDiscarded { shard })
        }
        other => other,
    }
}

fn feed(
    paths: &LogPaths,
    scope: Scope,
    shards: &mut [ShardProofs],
    bounds: (&[ShardStart], &[u64]),
) -> Result<(), ProofError> {
    let (starts, ends) = bounds;
    let (log, tails) = StoreLog::read(paths, scope, &mut |_| {})?;
    let mut chains = ShardChains::new(starts);
    let mut last_block = (u16::MAX, 0);
    let mut failed = None;
    let flow = log.replay(&tails, &mut chains, &mut |view, record| {
        let shard = usize::from(record.shard.0);
        let block = (view.header().stream.get(), view.stream_sequence());
        // Called for each record; blocks are durable as a whole.
        if block != last_block && view.sequence_last() <= ends[shard] {
            last_block = block;
            if let Some(at) = place_of(&tails, view) {
                failed = shards[shard].take_block(&at, view).err();
            }
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let _ended: ControlFlow<()> = flow.map_err(ReadError::Chain)?;
    failed.map_or(Ok(()), Err)
}

/// A stream's blocks lie in the order of their numbers, without gaps.
fn place_of(tails: &[StreamTail], view: &BlockView<'_>) -> Option<BlockAt> {
    let stream = view.header().stream.get();
    let tail = tails.get(usize::from(stream))?;
    let back = usize::try_from(tail.last_sequence.checked_sub(view.stream_sequence())?).ok()?;
    let BlockPlace { segment, generation, offset } =
        *tail.blocks.get(tail.blocks.len().checked_sub(back + 1)?)?;
    let first = view.header().shard_sequence.get();
    Some(BlockAt { first, stream, segment, generation, offset: u32::try_from(offset).ok()? })
}
