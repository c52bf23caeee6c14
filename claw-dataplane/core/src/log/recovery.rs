//! Where a stream's log ends, decided from the blocks a scan found. The rules are in [`super`].
//!
//! Owns the order of blocks in a stream, the difference between a torn tail and damage, and the
//! list of what was cut. Fed with every place where something begins like a block
//! ([`super::segment::SegmentScan`]), in any order of segments; decides at the end. What it keeps
//! is bounded by the stream's segments: about 150 bytes for each block.
//!
//! Deliberately does not write: the caller makes the cut durable ([`StreamTail::raise`]) before the
//! first block of the new epoch.

use std::collections::BTreeMap;

use claw_common::checksum::Digest;
use claw_common::limits::WRITES_IN_FLIGHT_MAX;
use claw_common::time::Hlc;

use super::segment::{Found, peek_header};
use super::superblock::{Cut, Superblock};
use super::view::{BlockError, BlockView};

/// A place in a stream's segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// Number of the segment, as in its file name.
    pub segment: u32,
    /// Which use of the segment.
    pub generation: u64,
    /// Byte offset within it.
    pub offset: usize,
}

/// What was found instead of a block that must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Nothing that begins like a block.
    #[error("no block")]
    Missing,
    /// A block that fails its own checks.
    #[error("{0}")]
    Unreadable(BlockError),
    /// A valid block that does not continue the chain: of another history.
    #[error("a block that does not follow the one before it")]
    ChainBroken,
}

/// Why a stream must not be opened. None of them heals by itself: the node stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// A block that was durable cannot be read.
    #[error(
        "stream {stream} block {sequence}, segment {segment} byte {offset}: {damage}, although \
         blocks up to {watermark} were durable: restore the segment from a copy"
    )]
    DamagedMiddle {
        /// The stream.
        stream: u16,
        /// The segment where it should be.
        segment: u32,
        /// Byte offset within the segment.
        offset: usize,
        /// The first block that cannot be read.
        sequence: u64,
        /// Blocks up to this one were durable.
        watermark: u64,
        /// What is there instead.
        damage: Damage,
    },
    /// Two segments claim one place in the order.
    #[error(
        "stream {stream} generation {generation} is in segments {first} and {second}: a copied \
         file lies in the store, take it out"
    )]
    GenerationTwice {
        /// The stream.
        stream: u16,
        /// The generation.
        generation: u64,
        /// One segment.
        first: u32,
        /// The other.
        second: u32,
    },
    /// Blocks of an epoch that no superblock knows: the newest superblocks are lost, and with them
    /// the knowledge of what is dead.
    #[error(
        "stream {stream} has blocks of epoch {found}, its superblock knows {known}: the newest \
         superblock copies are damaged, restore them"
    )]
    SuperblockBehind {
        /// The stream.
        stream: u16,
        /// In the superblock.
        known: u64,
        /// In a block.
        found: u64,
    },
}

/// A block that was left behind at the end of the log. It was never acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutBlock {
    /// The segment.
    pub segment: u32,
    /// Byte offset within it.
    pub offset: usize,
    /// Its number in the stream, as far as its header can be believed.
    pub sequence: u64,
    /// Why it was cut: its own damage, or [`Damage::ChainBroken`] for whole blocks behind a gap.
    pub damage: Damage,
}

/// A segment that holds blocks of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentUse {
    /// The segment.
    pub segment: u32,
    /// Which use of it.
    pub generation: u64,
    /// Its first block.
    pub first_sequence: u64,
    /// Hash of the block before its first.
    pub first_previous: Digest,
    /// Its last block.
    pub last_sequence: u64,
    /// Bytes from its front to the end of its last block.
    pub used_bytes: usize,
}

/// A recovered stream: what it holds and where it goes on.
#[derive(Clone, Debug)]
pub struct StreamTail {
    /// The superblock it was judged by.
    pub superblock: Superblock,
    /// Last block; one less than the first retained when there is none.
    pub last_sequence: u64,
    /// Its hash.
    pub last_hash: Digest,
    /// Stamp of its last record; zero when there is none.
    pub last_hlc: Hlc,
    /// Highest watermark found.
    pub watermark: u64,
    /// Where the next block goes when it fits there; else a new segment is begun.
    pub next: Option<BlockPlace>,
    /// Highest generation found anywhere, dead blocks included: new ones are above it.
    pub generation_last: u64,
    /// Segments in use, in order. All others are free.
    pub segments: Vec<SegmentUse>,
    /// The blocks in order, marks included.
    pub blocks: Vec<BlockPlace>,
    /// What was cut, in order.
    pub cut: Vec<CutBlock>,
}

impl StreamTail {
    /// The superblock to write before serving: a higher epoch, beginning behind the last block.
    #[must_use]
    pub fn raise(&self, streams_count: u16) -> Superblock {
        let cut = Cut { after_sequence: self.last_sequence, hash: self.last_hash };
        self.superblock.raised(cut, streams_count)
    }
}

/// What recovery remembers of a valid block.
#[derive(Clone, Copy, Debug)]
struct Entry {
    place: BlockPlace,
    size_bytes: usize,
    sequence: u64,
    epoch: u64,
    watermark: u64,
    previous: Digest,
    hash: Digest,
    hlc_last: u64,
}

/// What recovery remembers of a block that fails its checks; nothing in it can be believed.
#[derive(Clone, Copy, Debug)]
struct Broken {
    place: BlockPlace,
    sequence: u64,
    error: BlockError,
}

/// Collects what a scan of one stream finds, then judges.
#[derive(Debug)]
pub struct StreamRecovery {
    superblock: Superblock,
    entries: Vec<Entry>,
    broken: Vec<Broken>,
}

impl StreamRecovery {
    /// Begins for the stream that `superblock` describes.
    pub const fn new(superblock: Superblock) -> Self {
        Self { superblock, entries: Vec::new(), broken: Vec::new() }
    }

    /// Takes what the scan of `segment` found; `bytes` is that segment.
    pub fn observe(&mut self, segment: u32, bytes: &[u8], found: &Found<'_>) {
        let offset = found.offset;
        match &found.block {
            Ok(view) => self.observe_block(segment, offset, view),
            Err(error) => {
                let Some(header) = bytes.get(offset..).and_then(peek_header) else { return };
                let generation = header.segment_generation.get();
                let place = BlockPlace { segment, generation, offset };
                let sequence = header.stream_sequence.get();
                self.broken.push(Broken { place, sequence, error: *error });
            }
        }
    }

    fn observe_block(&mut self, segment: u32, offset: usize, view: &BlockView<'_>) {
        let header = view.header();
        let ours = header.store_id == self.superblock.shape.store_id
            && header.stream.get() == self.superblock.stream;
        let generation = header.segment_generation.get();
        let stale = generation < self.superblock.retained.generation;
        if !ours || stale {
            return;
        }
        self.entries.push(Entry {
            place: BlockPlace { segment, generation, offset },
            size_bytes: view.size_bytes(),
            sequence: view.stream_sequence(),
            epoch: header.stream_epoch.get(),
            watermark: header.durable_watermark.get(),
            previous: header.stream_previous,
            hash: header.hash,
            hlc_last: header.hlc_last.get(),
        });
    }

    /// Judges: the end of the log, or why there is no saying.
    pub fn finish(mut self) -> Result<StreamTail, RecoveryError> {
        self.entries.sort_by_key(|entry| (entry.place.generation, entry.place.offset));
        self.check_generations()?;
        self.check_epochs()?;
        let generation_last = self.entries.last().map_or(0, |entry| entry.place.generation);
        let watermark = self.entries.iter().map(|entry| entry.watermark).max().unwrap_or(0);
        let watermark = watermark.max(self.superblock.cut.after_sequence);
        self.drop_dead();
        let (mut tail, beyond) = self.walk();
        tail.watermark = watermark;
        tail.generation_last = generation_last.max(self.superblock.retained.generation - 1);
        if tail.last_sequence < watermark {
            return Err(self.damaged_middle(&tail, &beyond));
        }
        tail.cut = self.cut_list(&tail, &beyond);
        Ok(tail)
    }

    fn check_generations(&self) -> Result<(), RecoveryError> {
        let next = self.entries.iter().skip(1);
        for (first, second) in self.entries.iter().zip(next).map(|(a, b)| (a.place, b.place)) {
            if first.generation == second.generation && first.segment != second.segment {
                return Err(RecoveryError::GenerationTwice {
                    stream: self.superblock.stream,
                    generation: first.generation,
                    first: first.segment,
                    second: second.segment,
                });
            }
        }
        Ok(())
    }

    fn check_epochs(&self) -> Result<(), RecoveryError> {
        let known = self.superblock.epoch;
        match self.entries.iter().map(|entry| entry.epoch).find(|&epoch| epoch > known) {
            None => Ok(()),
            Some(found) => {
                let stream = self.superblock.stream;
                Err(RecoveryError::SuperblockBehind { stream, known, found })
            }
        }
    }

    /// Forgets blocks of epochs that were cut before them: an epoch begins where its first block
    /// is, and what older epochs have from there on is dead.
    fn drop_dead(&mut self) {
        let mut begins = BTreeMap::new();
        for entry in &self.entries {
            let begin = begins.entry(entry.epoch).or_insert(entry.sequence);
            *begin = entry.sequence.min(*begin);
        }
        let present = self.superblock.cut.after_sequence + 1;
        let begin = begins.entry(self.superblock.epoch).or_insert(present);
        *begin = present.min(*begin);
        let mut dead_from = u64::MAX;
        for begin in begins.values_mut().rev() {
            // From now on: where everything of this epoch is dead, by the epochs above it.
            let own = *begin;
            *begin = dead_from;
            dead_from = dead_from.min(own);
        }
        self.entries.retain(|entry| entry.sequence < begins[&entry.epoch]);
    }

    /// Follows the chain as far as it goes; returns what lies beyond, too.
    fn walk(&self) -> (StreamTail, Vec<Entry>) {
        let retained = &self.superblock.retained;
        let mut tail = StreamTail {
            superblock: self.superblock.clone(),
            last_sequence: retained.sequence - 1,
            last_hash: retained.previous,
            last_hlc: Hlc::default(),
            watermark: 0,
            next: None,
            generation_last: 0,
            segments: Vec::new(),
            blocks: Vec::new(),
            cut: Vec::new(),
        };
        let mut epoch = 0;
        let cut = &self.superblock.cut;
        let follows = |tail: &StreamTail, epoch: u64, entry: &Entry| {
            entry.sequence == tail.last_sequence + 1
                && entry.previous == tail.last_hash
                && entry.epoch >= epoch
                && (entry.sequence != cut.after_sequence || entry.hash == cut.hash)
        };
        for (index, entry) in self.entries.iter().enumerate() {
            if !follows(&tail, epoch, entry) {
                return (tail, self.entries[index..].to_vec());
            }
            epoch = entry.epoch;
            take(&mut tail, entry);
        }
        (tail, Vec::new())
    }

    fn damaged_middle(&self, tail: &StreamTail, beyond: &[Entry]) -> RecoveryError {
        let sequence = tail.last_sequence + 1;
        let broken = self.broken_after(tail).find(|broken| broken.sequence == sequence);
        let wrong = beyond.first().filter(|entry| entry.sequence <= sequence);
        let (place, damage) = match (broken, wrong) {
            (Some(broken), _) => (broken.place, Damage::Unreadable(broken.error)),
            (None, Some(entry)) => (entry.place, Damage::ChainBroken),
            (None, None) => (self.expected_place(tail), self.damage_at(tail)),
        };
        RecoveryError::DamagedMiddle {
            stream: self.superblock.stream,
            segment: place.segment,
            offset: place.offset,
            sequence,
            watermark: tail.watermark,
            damage,
        }
    }

    /// Where the next block would have been written.
    fn expected_place(&self, tail: &StreamTail) -> BlockPlace {
        let first = self.entries.first().map(|entry| BlockPlace { offset: 0, ..entry.place });
        let generation = self.superblock.retained.generation;
        tail.next.or(first).unwrap_or(BlockPlace { segment: 0, generation, offset: 0 })
    }

    fn damage_at(&self, tail: &StreamTail) -> Damage {
        let expected = self.expected_place(tail);
        let here = |broken: &&Broken| {
            broken.place.segment == expected.segment && broken.place.offset == expected.offset
        };
        self.broken.iter().find(here).map_or(Damage::Missing, |b| Damage::Unreadable(b.error))
    }

    /// Broken blocks that claim to lie behind the tail.
    fn broken_after(&self, tail: &StreamTail) -> impl Iterator<Item = &Broken> {
        let next = tail.next.map_or((0, 0), |next| (next.generation, next.offset));
        self.broken
            .iter()
            .filter(move |broken| (broken.place.generation, broken.place.offset) >= next)
    }

    fn cut_list(&self, tail: &StreamTail, beyond: &[Entry]) -> Vec<CutBlock> {
        let window = u64::try_from(WRITES_IN_FLIGHT_MAX).expect("small");
        let plausible = tail.last_sequence + 1..=tail.last_sequence + window;
        let mut cut = Vec::new();
        for entry in beyond {
            // Follows from the window that every valid block states.
            assert!(entry.sequence <= *plausible.end());
            cut.push((entry.place, entry.sequence, Damage::ChainBroken));
        }
        let torn = self.broken_after(tail).filter(|broken| plausible.contains(&broken.sequence));
        cut.extend(torn.map(|b| (b.place, b.sequence, Damage::Unreadable(b.error))));
        cut.sort_by_key(|(place, ..)| (place.generation, place.offset));
        cut.into_iter()
            .map(|(place, sequence, damage)| {
                let BlockPlace { segment, offset, .. } = place;
                CutBlock { segment, offset, sequence, damage }
            })
            .collect()
    }
}

fn take(tail: &mut StreamTail, entry: &Entry) {
    let place = entry.place;
    let end = place.offset + entry.size_bytes;
    match tail.segments.last_mut().filter(|last| last.generation == place.generation) {
        Some(last) => {
            last.last_sequence = entry.sequence;
            last.used_bytes = end;
        }
        None => tail.segments.push(SegmentUse {
            segment: place.segment,
            generation: place.generation,
            first_sequence: entry.sequence,
            first_previous: entry.previous,
            last_sequence: entry.sequence,
            used_bytes: end,
        }),
    }
    tail.last_sequence = entry.sequence;
    tail.last_hash = entry.hash;
    tail.last_hlc = tail.last_hlc.max(Hlc(entry.hlc_last));
    tail.next = Some(BlockPlace { offset: end, ..place });
    tail.blocks.push(place);
}
