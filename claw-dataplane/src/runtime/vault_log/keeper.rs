//! The vault's housekeeping: segments ahead of need, snapshots, segments given free.
//!
//! Owns everything about its log that may block. Once enough segments were begun it replays what is
//! durable into a second book, writes what is not long over as a snapshot, and gives free what two
//! snapshots cover, so the log stays as long as what is under way and lately over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use claw_common::checksum::blake3;
use claw_common::id::ShardId;
use claw_core::log::ShardStart;

use crate::log::{
    FileStore, LogPaths, Retention, SegmentSupply, SnapshotHeader, archive, replay_durable,
    write_snapshot,
};
use crate::node::clock::Clock;
use crate::ring::RingWaker;

use super::end_not_durable;
use super::rebuild::{BookRebuild, LAYOUT, body};

/// Segments ready beyond the one being written: one to turn to, one being prepared.
const SEGMENTS_AHEAD: usize = 2;
/// How often the supply is looked at.
const SUPPLY_INTERVAL: Duration = Duration::from_millis(10);
/// Segments between two snapshots: 64 MiB of log.
pub(super) const SEGMENTS_PER_SNAPSHOT: usize = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Keeper {
    store: Arc<FileStore>,
    paths: LogPaths,
    supply: Arc<SegmentSupply>,
    free: VecDeque<u32>,
    next_new: u32,
    /// Segments that no snapshot knows.
    since_snapshot: usize,
    /// What is old is forgotten by this time, which does not follow a clock that is set.
    clock: Clock,
}

impl Keeper {
    /// One over the log's segments, of which `used` hold blocks that count.
    pub(super) fn new(
        store: Arc<FileStore>,
        paths: LogPaths,
        supply: Arc<SegmentSupply>,
        used: &[u32],
    ) -> Result<Self> {
        let present = store.segments(0)?;
        let next_new = present.iter().max().map_or(0, |last| last + 1);
        let free = present.into_iter().filter(|segment| !used.contains(segment)).collect();
        let (since_snapshot, clock) = (used.len(), Clock::start());
        Ok(Self { store, paths, supply, free, next_new, since_snapshot, clock })
    }

    /// Keeps the supply filled; whether something was added.
    pub(super) fn fill(&mut self) -> Result<bool> {
        let mut added = false;
        while self.supply.count() < SEGMENTS_AHEAD {
            let prepared = if let Some(segment) = self.free.pop_front() {
                self.store.open_segment(0, segment)?
            } else {
                let segment = self.next_new;
                self.next_new += 1;
                self.store.create_segment(0, segment, &mut |took| self.supply.pause(took))?
            };
            self.supply.add(prepared);
            self.since_snapshot += 1;
            added = true;
        }
        Ok(added)
    }

    /// Segments there are, whatever is in them.
    #[cfg(test)]
    pub(super) const fn segments_count(&self) -> u32 {
        self.next_new
    }

    /// Goes on until the process ends.
    pub(super) fn run(mut self, writer: &RingWaker) {
        loop {
            std::thread::sleep(SUPPLY_INTERVAL);
            match self.look() {
                Ok(true) => writer.wake(),
                Ok(false) => {}
                Err(error) => end_not_durable(&format!("{error:#}")),
            }
        }
    }

    fn look(&mut self) -> Result<bool> {
        let added = self.fill()?;
        if self.since_snapshot >= SEGMENTS_PER_SNAPSHOT {
            self.snapshot()?;
        }
        Ok(added)
    }

    /// Writes what is known and not long over, then frees segments.
    pub(super) fn snapshot(&mut self) -> Result<()> {
        let mut rebuild = BookRebuild::default();
        let durable = replay_durable(&self.paths, &mut rebuild)?;
        let body = body(&rebuild.into_book().records(self.clock.compared_now_ms()));
        let header = SnapshotHeader {
            store_id: durable.shape.store_id,
            shard: ShardId(0),
            start: ShardStart {
                sequence: durable.shards[0].sequence,
                hash: durable.shards[0].hash,
            },
            schema_hash: LAYOUT,
            state_hash: blake3(&body),
        };
        write_snapshot(&self.paths.snapshots, &header, &body)?;
        // No checkpoints are signed over this log, so none has to cover a segment.
        for freed in archive(&self.paths, Retention::Discard, &[])? {
            self.free.extend(freed.segments.iter().map(|used| used.segment));
        }
        self.since_snapshot = 0;
        Ok(())
    }
}
