//! A core's stream: where the next block goes, the window of writes, superblocks and free segments.
//!
//! Mirrors the real device side over a simulated device: blocks are placed one behind the other, at
//! most [`WRITES_IN_FLIGHT_MAX`] beyond the contiguous durable prefix, complete in any order, and
//! are acknowledged in theirs. A segment is used again only after the superblock that frees it is
//! durable.
//!
//! Does not know shards beyond what a segment holds of each.

use std::collections::{BTreeMap, VecDeque};

use claw_common::checksum::Digest;
use claw_common::limits::{BLOCK_ALIGN_BYTES, WRITES_IN_FLIGHT_MAX};
use claw_common::time::Hlc;
use claw_core::log::{Retained, SealInputs, StoreShape, StreamTail, Superblock, seal_mark};

use super::lane::Lane;
use crate::device::{SUPERBLOCK_AREA, area_of_segment};
use crate::options::Canary;
use crate::scene::Happening;
use crate::site::Site;

/// A segment in use.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub(crate) segment: u32,
    pub(crate) generation: u64,
    pub(crate) first_sequence: u64,
    pub(crate) first_previous: Digest,
    /// Per shard its last record here; 0 for none.
    pub(crate) lasts: Vec<u64>,
}

#[derive(Debug)]
struct Write {
    number: u64,
    place: Place,
    complete: bool,
}

/// Where a block lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) generation: u64,
    pub(crate) offset: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stream {
    number: u16,
    incarnation: u32,
    epoch: u64,
    superblock: Superblock,
    jobs: VecDeque<Superblock>,
    job_write: Option<u64>,
    next_sequence: u64,
    hash_last: Digest,
    watermark: u64,
    marked: u64,
    generation_last: u64,
    open: Option<Place>,
    used: Vec<Used>,
    free: Vec<u32>,
    writes: BTreeMap<u64, Write>,
}

impl Stream {
    /// Goes on behind a recovered tail; `superblock` is durable.
    pub(crate) fn new(
        incarnation: u32,
        superblock: Superblock,
        tail: &StreamTail,
        used: Vec<Used>,
        segments_count: u32,
    ) -> Self {
        let open = tail.next.map(|next| Place {
            segment: next.segment,
            generation: next.generation,
            offset: next.offset,
        });
        let taken = |segment: &u32| used.iter().any(|used| used.segment == *segment);
        Self {
            number: superblock.stream,
            incarnation,
            epoch: superblock.epoch,
            free: (0..segments_count).filter(|segment| !taken(segment)).collect(),
            superblock,
            jobs: VecDeque::new(),
            job_write: None,
            next_sequence: tail.last_sequence + 1,
            hash_last: tail.last_hash,
            watermark: tail.last_sequence,
            marked: tail.watermark,
            generation_last: tail.generation_last,
            open,
            used,
            writes: BTreeMap::new(),
        }
    }

    pub(crate) const fn watermark(&self) -> u64 {
        self.watermark
    }

    fn shape(&self) -> &StoreShape {
        &self.superblock.shape
    }

    /// Whether one more block may be written.
    pub(crate) fn may_write(&self) -> bool {
        let window = u64::try_from(WRITES_IN_FLIGHT_MAX).expect("small");
        self.next_sequence <= self.watermark + window
    }

    /// Whether all is durable.
    pub(crate) fn idle(&self) -> bool {
        self.writes.is_empty() && self.jobs.is_empty()
    }

    /// Finds the place of the next block, beginning a segment when it does not fit.
    fn place(&mut self, site: &mut Site, size_bytes: usize) -> Place {
        let segment_bytes = usize::try_from(self.shape().segment_bytes).expect("small");
        if let Some(open) = self.open.filter(|open| open.offset + size_bytes <= segment_bytes) {
            return open;
        }
        let device = &mut site.devices[usize::from(self.number)];
        let segment = match self.free.pop() {
            Some(segment) => segment,
            None => device.add_segment(self.superblock.shape.segment_bytes),
        };
        self.generation_last += 1;
        self.used.push(Used {
            segment,
            generation: self.generation_last,
            first_sequence: self.next_sequence,
            first_previous: self.hash_last,
            lasts: vec![0; usize::from(self.shape().shards_count)],
        });
        Place { segment, generation: self.generation_last, offset: 0 }
    }

    fn inputs(&self, place: &Place, lane_hash: Digest) -> SealInputs {
        SealInputs {
            store_id: self.shape().store_id,
            stream: self.number,
            stream_epoch: self.epoch,
            stream_sequence: self.next_sequence,
            stream_previous: self.hash_last,
            shard_previous: lane_hash,
            segment_generation: place.generation,
            durable_watermark: self.watermark,
            term: 1,
        }
    }

    /// Seals and writes the lane's block, when there is one and the window allows it.
    pub(crate) fn seal(&mut self, site: &mut Site, lane: &mut Lane) -> bool {
        if !lane.has_records() || !self.may_write() {
            return false;
        }
        let place = self.place(site, lane.size_bytes());
        let inputs = self.inputs(&place, lane.hash_last());
        let shard = lane.shard.id();
        let (sealed, bytes) = lane.seal(&inputs);
        self.hash_last = sealed.hash;
        self.marked = inputs.durable_watermark;
        let last = self.used.last_mut().expect("a segment is open");
        last.lasts[usize::from(shard.0)] = sealed.sequence_last;
        site.scene.line(
            '#',
            format_args!(
                "stream {} block {} shard {shard} up to {} at {}:{} watermark {}",
                self.number,
                inputs.stream_sequence,
                sealed.sequence_last,
                place.segment,
                place.offset,
                inputs.durable_watermark
            ),
        );
        self.write(site, place, bytes);
        true
    }

    /// Writes a mark when everything is durable and no block says so yet.
    pub(crate) fn mark(&mut self, site: &mut Site, slot: &mut [u8], stamp: Hlc) {
        if self.watermark <= self.marked || !self.writes.is_empty() {
            return;
        }
        let place = self.place(site, BLOCK_ALIGN_BYTES);
        let sealed = seal_mark(slot, &self.inputs(&place, Digest::default()), stamp);
        self.hash_last = sealed.hash;
        self.marked = self.next_sequence;
        site.scene.line('m', format_args!("stream {} block {}", self.number, self.next_sequence));
        self.write(site, place, &slot[..sealed.size_bytes]);
    }

    fn write(&mut self, site: &mut Site, place: Place, bytes: &[u8]) {
        let device = &mut site.devices[usize::from(self.number)];
        let number = device.write(area_of_segment(place.segment), place.offset, bytes);
        let sequence = self.next_sequence;
        self.open = Some(Place { offset: place.offset + bytes.len(), ..place });
        self.writes.insert(sequence, Write { number, place, complete: false });
        self.next_sequence += 1;
        let delay_us = site.write_us();
        let (incarnation, stream) = (self.incarnation, self.number);
        site.scene.plan(delay_us, Happening::Durable { incarnation, stream, sequence });
    }

    /// The device says that a block is durable. Returns the places of the blocks that joined the
    /// contiguous prefix, oldest first.
    pub(crate) fn complete(&mut self, site: &mut Site, sequence: u64) -> Vec<(u64, Place)> {
        let write = self.writes.get_mut(&sequence).expect("it was written");
        write.complete = true;
        if !site.scene.options.makes(Canary::NoFlush) {
            site.devices[usize::from(self.number)].persist(write.number);
        }
        let mut joined = Vec::new();
        while let Some(entry) = self.writes.first_entry().filter(|entry| entry.get().complete) {
            assert_eq!(*entry.key(), self.watermark + 1, "the prefix has no gap");
            let (sequence, write) = entry.remove_entry();
            self.watermark = sequence;
            joined.push((sequence, write.place));
        }
        joined
    }

    /// Frees the segments that the snapshots cover: archives them, then says so, then uses them.
    /// Returns whether there were any.
    pub(crate) fn free_covered(&mut self, site: &mut Site, snapshots: &[u64]) -> bool {
        let covered = |used: &&Used| used.lasts.iter().zip(snapshots).all(|(last, s)| last <= s);
        let count = self.used.iter().take_while(covered).count();
        let Some(first) = self.used.get(count.min(self.used.len().saturating_sub(1))) else {
            return false;
        };
        // What is retained must be durable, or a crash could leave nothing to begin with.
        if !self.jobs.is_empty()
            || first.generation <= self.superblock.retained.generation
            || first.first_sequence > self.watermark
        {
            return false;
        }
        let retained = Retained {
            generation: first.generation,
            sequence: first.first_sequence,
            previous: first.first_previous,
        };
        if site.scene.options.makes(Canary::EarlyReuse) {
            let freed = self.used.extract_if(.., |used| used.generation < retained.generation);
            self.free.extend(freed.map(|used| used.segment));
            return true;
        }
        let archived = self.superblock.archived(first.generation);
        self.jobs.extend([archived.clone(), archived.freed(retained)]);
        self.write_superblock(site);
        true
    }

    fn write_superblock(&mut self, site: &mut Site) {
        let Some(job) = self.jobs.front() else { return };
        let device = &mut site.devices[usize::from(self.number)];
        self.job_write = Some(device.write(SUPERBLOCK_AREA, job.offset(), &job.encode()));
        let delay_us = site.write_us();
        let (incarnation, stream) = (self.incarnation, self.number);
        site.scene.plan(delay_us, Happening::SuperblockDurable { incarnation, stream });
    }

    /// The device says that the superblock is durable.
    pub(crate) fn superblock_durable(&mut self, site: &mut Site) {
        let number = self.job_write.take().expect("one was written");
        site.devices[usize::from(self.number)].persist(number);
        self.superblock = self.jobs.pop_front().expect("one was written");
        let retained = self.superblock.retained;
        let freed: Vec<Used> =
            self.used.extract_if(.., |used| used.generation < retained.generation).collect();
        site.scene.line(
            'u',
            format_args!(
                "stream {} superblock {} retains generation {} block {}",
                self.number, self.superblock.sequence, retained.generation, retained.sequence
            ),
        );
        for used in freed {
            site.scene.line('f', format_args!("stream {} segment {}", self.number, used.segment));
            self.free.push(used.segment);
        }
        self.write_superblock(site);
    }
}
