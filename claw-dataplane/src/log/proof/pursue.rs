//! Trees that keep up with a running node: durable blocks taken, a bounded time at once.
//!
//! A node under full load makes blocks as fast as they can be hashed, or faster where the prover
//! shares a CPU with a core. So nobody may wait until all of them are taken: between two turns
//! checkpoints are signed and receipts made, over what is in the trees by then.
//!
//! Does not know what a turn is: the caller says after each block whether to go on.

use claw_common::id::ShardId;

use super::error::ProofError;
use super::follower::Follower;
use super::shard_proofs::ShardProofs;

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pursuit {
    /// Everything that is durable is in the trees.
    Level,
    /// It was told to stop, and there may be more.
    Behind,
}

/// Takes the durable blocks of one stream into the trees of its shards: at least one when there is
/// one, and more as long as `goes_on`. `shards` are all of the store, in order.
pub fn pursue(
    follower: &mut Follower,
    shards: &mut [ShardProofs],
    stream_shards: &(impl Iterator<Item = ShardId> + Clone),
    durable: &dyn Fn(ShardId) -> u64,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Pursuit, ProofError> {
    let behind = |shards: &[ShardProofs]| {
        stream_shards.clone().any(|shard| shards[usize::from(shard.0)].size() < durable(shard))
    };
    while behind(shards) {
        let Some(shard) = follower.peek()?.map(|view| view.shard()) else { break };
        if let (Some(shard), Some(at)) = (shard, follower.place()) {
            let Some(view) = follower.peek()? else { break };
            if view.sequence_last() > durable(shard) {
                break;
            }
            shards[usize::from(shard.0)].take_block(&at, &view)?;
        }
        follower.advance();
        if !goes_on() {
            return Ok(Pursuit::Behind);
        }
    }
    Ok(Pursuit::Level)
}
