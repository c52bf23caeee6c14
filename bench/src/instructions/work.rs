//! The hot functions that no stage shows alone, each over and over on inputs like the node's.
//!
//! Owns the inputs. Every call gets another input where that matters to branches and caches.

use std::hint::black_box;

use claw_common::checksum::{blake3, crc32c};
use claw_common::id::{Id, ShardId};
use claw_common::time::Hlc;
use claw_core::codec::{Encode, Writer};
use claw_core::command::{AuthMode, CommandKey, ExtraType};
use claw_core::deduplication::Window;
use claw_core::journal::{Draft, Journal as _};
use claw_core::log::{BlockDraft, BlockView, Opening, SealInputs};
use claw_core::merkle::{Frontier, leaf_hash};
use claw_core::stdx::wheel::TimerWheel;

/// One device block.
const BLOCK_BYTES: usize = 4096;
/// Room for the records of a block that many requests share.
const SLOT_BYTES: usize = 64 * 1024;
/// Records in it, as under 64 connections.
const RECORDS_COUNT: usize = 64;
/// An event of a hold, encoded.
const EVENT: [u8; 80] = [7; 80];
/// When everything happens.
const NOW_MS: u64 = 1_800_000_000_000;
/// Timers and answers that are live.
const LIVE_COUNT: u32 = 4_096;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Function {
    /// CRC32C of 4 KiB.
    Crc32cBlock,
    /// BLAKE3 of 4 KiB.
    Blake3Block,
    /// 64 records encoded into a block, chained and sealed.
    BlockSeal,
    /// The same block checked and its records walked, as recovery does.
    BlockRead,
    /// A timer set among 4,096 and the next one due taken.
    TimerWheel,
    /// An answer remembered among many, and found again.
    AnswerWindow,
    /// A leaf hashed and appended to the tree.
    MerkleLeaf,
}

impl Function {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Crc32cBlock,
        Self::Blake3Block,
        Self::BlockSeal,
        Self::BlockRead,
        Self::TimerWheel,
        Self::AnswerWindow,
        Self::MerkleLeaf,
    ];

    /// Calls it so often.
    pub(crate) fn call(self, count: u64) {
        match self {
            Self::Crc32cBlock => repeat(count, &vec![1; BLOCK_BYTES], |block| {
                black_box(crc32c(block));
            }),
            Self::Blake3Block => repeat(count, &vec![1; BLOCK_BYTES], |block| {
                black_box(blake3(block));
            }),
            Self::BlockSeal => {
                let mut slot = vec![0; SLOT_BYTES];
                for _ in 0..count {
                    black_box(sealed(&mut slot));
                }
            }
            Self::BlockRead => {
                let mut slot = vec![0; SLOT_BYTES];
                let size_bytes = sealed(&mut slot);
                repeat(count, &slot[..size_bytes], |block| {
                    let view = BlockView::parse(block).expect("just sealed");
                    black_box(view.records().map(|record| record.event.len()).sum::<usize>());
                });
            }
            Self::TimerWheel => turn_wheel(count),
            Self::AnswerWindow => remember(count),
            Self::MerkleLeaf => grow_tree(count),
        }
    }
}

fn repeat(count: u64, input: &[u8], mut call: impl FnMut(&[u8])) {
    (0..count).for_each(|_| call(black_box(input)));
}

/// A block of records in the slot; its size.
fn sealed(slot: &mut [u8]) -> usize {
    let opening = Opening { shard: ShardId(0), sequence_last: 0, schema_version: 1, vector: &[0] };
    let mut draft = BlockDraft::open(slot, &opening);
    for _ in 0..RECORDS_COUNT {
        draft.journal(slot).append(&record(), &Event);
    }
    let inputs = SealInputs {
        store_id: [1; 16],
        stream: 0,
        stream_epoch: 1,
        stream_sequence: 1,
        stream_previous: [0; 32],
        shard_previous: [0; 32],
        segment_generation: 1,
        durable_watermark: 0,
        term: 1,
    };
    draft.seal(slot, &inputs).size_bytes
}

fn record() -> Draft<'static> {
    Draft {
        kind: 1,
        event_version: 1,
        key: 1,
        auth_mode: AuthMode::HmacSha256,
        accepted: Hlc::from_unix_ms(NOW_MS),
        decided: Hlc::from_unix_ms(NOW_MS),
        now_ms: NOW_MS,
        identity: CommandKey { key: [2; 16], digest: [3; 16] },
        seen: None,
        extra: &[],
        extra_type: ExtraType::default(),
        answer: &EVENT,
        evidence: &[],
    }
}

struct Event;

impl Encode for Event {
    fn encode(&self, to: &mut Writer<'_>) {
        to.raw(&EVENT);
    }
}

fn turn_wheel(count: u64) {
    let mut wheel = TimerWheel::with_capacity(LIVE_COUNT);
    let deadline = |turn: u64| NOW_MS + turn * 37 % 60_000 + turn;
    for timer in 0..LIVE_COUNT {
        wheel.set(timer, deadline(timer.into()), Id(u128::from(timer).to_le_bytes()));
    }
    let mut now_ms = NOW_MS;
    for turn in 0..count {
        let due = loop {
            match wheel.pop_due(now_ms) {
                Some(due) => break due,
                None => now_ms += 1,
            }
        };
        let again = now_ms - NOW_MS + turn % 60_000 + 1;
        wheel.set(due, NOW_MS + again, Id(u128::from(due).to_le_bytes()));
    }
}

fn remember(count: u64) {
    let mut window = Window::with_capacity(8 << 20);
    for number in 0..count {
        let mut identity = CommandKey { key: [0; 16], digest: [5; 16] };
        identity.key[..8]
            .copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        window.begin(&identity);
        black_box(window.remember(&identity, NOW_MS + number, &EVENT));
        black_box(window.find(&identity));
    }
}

fn grow_tree(count: u64) {
    let mut frontier = Frontier::default();
    for number in 0..count {
        let leaf = leaf_hash(&[&number.to_le_bytes(), &EVENT]);
        frontier.append(leaf, &mut |stored| {
            black_box(stored);
        });
    }
    black_box(frontier.root());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_can_be_called_again_and_again() {
        for function in Function::ALL {
            function.call(5_000);
        }
    }

    #[test]
    fn block_that_is_read_is_the_one_that_was_sealed() {
        let mut slot = vec![0; SLOT_BYTES];
        let size_bytes = sealed(&mut slot);
        let view = BlockView::parse(&slot[..size_bytes]).unwrap();
        assert_eq!(view.records().count(), RECORDS_COUNT);
    }
}
