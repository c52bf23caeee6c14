//! Blocks, segments and superblocks as recovery finds them on a device that nobody vouches for.
//!
//! An input is bytes of a segment, or edits of a small valid log; checksums and the chain can be
//! mended behind the edits, so that what lies behind them is reached too. The promises: what is a
//! block does not depend on what follows it; its records fill it and make leaves that are read
//! again; recovery says the same whatever order it is fed in; what it recovered, it recovers again
//! after a start, whole; nothing durable is passed over. Not here: files ([`super::snapshot`]).

use std::ops::ControlFlow;
use std::sync::LazyLock;

use claw_common::checksum::{blake3, crc32c};
use claw_common::event::BlockHeader;
use claw_common::id::ShardId;
use claw_common::limits::{BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX};
use claw_core::log::layout::{BLOCK_HEADER_BYTES, CRC_RANGE, HASH_RANGE};
use claw_core::log::{
    BlockPlace, BlockView, Cut, LeafView, RecoveryError, Retained, SUPERBLOCK_BYTES,
    SUPERBLOCKS_BYTES, SegmentScan, ShardChains, ShardStart, StreamBlocks, StreamRecovery,
    StreamTail, Superblock, leaf_bytes, replay,
};
use claw_core::shard::event::Event;
use zerocopy::FromBytes as _;

use super::log::{SHAPE, small_log};

/// Blocks in each of the small log's two segments.
const BLOCKS_COUNT: usize = 5;

/// What is mended behind the edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mend {
    Nothing,
    Sums,
    Chain,
}

/// Reads the rest of `bytes` as their first byte says.
pub fn check(bytes: &[u8]) {
    let Some((&mode, rest)) = bytes.split_first() else { return };
    match mode {
        0 => check_segment(rest),
        1 => check_edited(rest, Mend::Nothing),
        2 => check_edited(rest, Mend::Sums),
        3 => check_edited(rest, Mend::Chain),
        4 => check_superblock(rest),
        _ => {}
    }
}

static SEGMENTS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| small_log(BLOCKS_COUNT));

fn check_edited(edits: &[u8], mend: Mend) {
    let mut segments = SEGMENTS.clone();
    edit(edits, |block, offset, bytes| {
        let (segment, block) = (block / BLOCKS_COUNT % 2, block % BLOCKS_COUNT);
        let at = block * BLOCK_ALIGN_BYTES + offset % BLOCK_ALIGN_BYTES;
        let room = &mut segments[segment][at..];
        let count = bytes.len().min(room.len());
        room[..count].copy_from_slice(&bytes[..count]);
    });
    mend_all(&mut segments, mend);
    for segment in &segments {
        check_segment(segment);
    }
    let superblock = Superblock { epoch: 1, ..Superblock::format(SHAPE, 0) };
    check_recovery(&superblock, &segments);
}

/// Edits are a block, an offset of two bytes, a count, and as many bytes.
fn edit(mut edits: &[u8], mut apply: impl FnMut(usize, usize, &[u8])) {
    while let [block, low, high, count, rest @ ..] = edits {
        let (bytes, after) = rest.split_at(usize::from(*count).min(rest.len()));
        apply(usize::from(*block), usize::from(u16::from_le_bytes([*low, *high])), bytes);
        edits = after;
    }
}

fn mend_all(segments: &mut [Vec<u8>; 2], mend: Mend) {
    let mut previous = [0; 32];
    let mut of_shards = [[0; 32]; 2];
    let blocks = segments.iter_mut().flat_map(|bytes| bytes.chunks_exact_mut(BLOCK_ALIGN_BYTES));
    for block in blocks.filter(|_| mend != Mend::Nothing) {
        if mend == Mend::Chain {
            let (header, _) = BlockHeader::mut_from_prefix(block).expect("a whole block");
            header.stream_previous = previous;
            if let Some(shard) = of_shards.get(usize::from(header.shard.get())) {
                header.shard_previous = *shard;
            }
        }
        previous = mend_sums(block);
        let (header, _) = BlockHeader::ref_from_prefix(block).expect("a whole block");
        if let Some(shard) = of_shards.get_mut(usize::from(header.shard.get())) {
            *shard = previous;
        }
    }
}

fn mend_sums(block: &mut [u8]) -> [u8; 32] {
    let (header, _) = BlockHeader::ref_from_prefix(block).expect("a whole block");
    let length = usize::try_from(header.length_bytes.get()).expect("32 bits fit");
    let length = length.clamp(BLOCK_HEADER_BYTES, block.len());
    block[HASH_RANGE.start..CRC_RANGE.end].fill(0);
    let (hash, crc) = (blake3(&block[..length]), crc32c(&block[..length]));
    block[HASH_RANGE].copy_from_slice(&hash);
    block[CRC_RANGE].copy_from_slice(&crc.to_le_bytes());
    hash
}

fn check_segment(bytes: &[u8]) {
    let mut end = 0;
    for found in SegmentScan::new(bytes) {
        assert!(found.offset >= end, "the walk goes forward");
        end = found.offset + 1;
        if let Ok(view) = &found.block {
            end = found.offset + view.size_bytes();
            check_block(&bytes[found.offset..], view);
        }
    }
    assert!(end <= bytes.len().max(1), "a block lies within its segment");
}

fn check_block(bytes: &[u8], view: &BlockView<'_>) {
    assert!((BLOCK_ALIGN_BYTES..=BLOCK_BYTES_MAX).contains(&view.size_bytes()));
    let alone = BlockView::parse(&bytes[..view.size_bytes()]).expect("it needs nothing behind it");
    assert_eq!(alone.hash(), view.hash());
    BlockView::reread(bytes).expect("what was checked is read again");
    let header = view.header();
    let counted = usize::try_from(header.record_count.get()).expect("32 bits fit");
    assert_eq!(view.records().count(), counted);
    let records: usize = view.records().map(|record| record.bytes.len()).sum();
    assert_eq!(BLOCK_HEADER_BYTES + view.vector().len() * 8 + records, view.length_bytes());
    for record in view.records() {
        assert!(record.sequence <= view.sequence_last());
        let leaf = leaf_bytes(header.store_id, &record);
        let read = LeafView::parse(&leaf).expect("a record's leaf is read");
        assert_eq!((read.record.sequence, read.record.bytes), (record.sequence, record.bytes));
        let fields = (record.header.kind.get(), record.header.event_version.get());
        // Of damage and versions to come there are errors; that is enough.
        Event::decode(fields.0, fields.1, record.event).ok();
    }
}

fn recover(
    superblock: &Superblock,
    segments: &[Vec<u8>; 2],
    order: [usize; 2],
) -> Result<StreamTail, RecoveryError> {
    let mut recovery = StreamRecovery::new(superblock.clone());
    for place in order {
        for found in SegmentScan::new(&segments[place]) {
            let segment = u32::try_from(place).expect("of two");
            recovery.observe(segment, &segments[place], &found);
        }
    }
    recovery.finish()
}

fn check_recovery(superblock: &Superblock, segments: &[Vec<u8>; 2]) {
    let recovered = recover(superblock, segments, [0, 1]);
    let backwards = recover(superblock, segments, [1, 0]);
    assert_eq!(recovered.is_ok(), backwards.is_ok(), "{recovered:?}\n{backwards:?}");
    let (Ok(tail), Ok(backwards)) = (recovered, backwards) else { return };
    assert_eq!((tail.last_sequence, &tail.blocks), (backwards.last_sequence, &backwards.blocks));
    assert!(tail.last_sequence >= tail.watermark, "what was durable is there");
    let first = superblock.retained.sequence;
    let count = u64::try_from(tail.blocks.len()).expect("few");
    assert_eq!(first + count, tail.last_sequence + 1, "blocks without gaps");
    check_replay(&tail, segments);
    // A crash right after the start was made durable finds the same log, and nothing to cut.
    let again = recover(&tail.raise(1), segments, [0, 1]).expect("it was recovered a moment ago");
    assert_eq!((again.last_sequence, again.last_hash), (tail.last_sequence, tail.last_hash));
    assert_eq!(again.blocks, tail.blocks);
}

fn check_replay(tail: &StreamTail, segments: &[Vec<u8>; 2]) {
    let bytes = |place: &BlockPlace| {
        let segment = usize::try_from(place.segment).expect("of two");
        &segments[segment][place.offset..]
    };
    let mut chains = ShardChains::new(&[ShardStart::default(); 2]);
    let mut sequences = [0; 2];
    let streams = [StreamBlocks { blocks: &tail.blocks, bytes: &bytes }];
    let done = replay(&mut chains, &streams, &mut |_, record| {
        let ShardId(shard) = record.shard;
        let last = &mut sequences[usize::from(shard)];
        assert_eq!(record.sequence, *last + 1, "each shard in its order");
        *last = record.sequence;
        ControlFlow::Continue(())
    });
    if done.is_ok() {
        let tails: Vec<u64> = chains.tails().iter().map(|tail| tail.sequence).collect();
        assert_eq!(tails, sequences);
    }
}

/// A superblock of any fields, written as the node writes one; the small log is judged by it.
fn check_superblock(fields: &[u8]) {
    let mut fields = Fields(fields);
    let superblock = Superblock {
        stream: fields.small() % 2,
        streams_count: fields.small(),
        sequence: fields.number(),
        epoch: fields.number(),
        cut: Cut { after_sequence: fields.number(), hash: fields.hash() },
        retained: Retained {
            generation: fields.number(),
            sequence: fields.number(),
            previous: fields.hash(),
        },
        archived_generation: fields.number(),
        ..Superblock::format(SHAPE, 0)
    };
    let mut copies = vec![0; SUPERBLOCKS_BYTES];
    copies[..SUPERBLOCK_BYTES].copy_from_slice(&superblock.encode());
    let Ok(read) = Superblock::newest(&copies) else { return };
    assert_eq!(read, superblock);
    check_recovery(&read, &SEGMENTS);
}

/// Numbers from the front; 0 once there are no bytes left.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// A byte says how the number is made: small as it is, or from the top down, or eight bytes.
    fn number(&mut self) -> u64 {
        let Some((&kind, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        match kind {
            0xff => {
                let Some((bytes, rest)) = self.0.split_first_chunk() else { return u64::MAX };
                self.0 = rest;
                u64::from_le_bytes(*bytes)
            }
            0x80.. => u64::MAX - u64::from(kind - 0x80),
            _ => u64::from(kind),
        }
    }

    fn small(&mut self) -> u16 {
        u16::try_from(self.number()).unwrap_or(u16::MAX)
    }

    /// The hash of one of the small log's blocks, by its number from 1, or none.
    fn hash(&mut self) -> [u8; 32] {
        let number = usize::try_from(self.number()).unwrap_or(0);
        let mut blocks = SEGMENTS.iter().flat_map(|bytes| bytes.chunks_exact(BLOCK_ALIGN_BYTES));
        let block = number.checked_sub(1).and_then(|index| blocks.nth(index));
        let view = block.map(|bytes| BlockView::parse(bytes).expect("the small log is valid"));
        view.map_or([0; 32], |view| *view.hash())
    }
}
