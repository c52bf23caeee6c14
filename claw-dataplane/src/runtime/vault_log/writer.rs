//! The thread that writes the vault's log: records of many workers, one block, one flush.
//!
//! ```text
//!  append --jobs--> filling block --seal--> K writes in flight --watermark--> append returns
//! ```
//! Owns the ring, the filling block and who waits for which block. Group commit as everywhere: the
//! next block fills while earlier ones are written. `RWF_DSYNC` without a probe: payments are few,
//! and a start does not wait for a measurement.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_common::limits::{BLOCK_ALIGN_BYTES, WRITES_IN_FLIGHT_MAX};
use claw_common::time::Hlc;
use claw_core::codec::{Encode, Writer as Encoder};
use claw_core::command::{AuthMode, CommandKey, ExtraType};
use claw_core::journal::{Draft, Journal as _};
use claw_core::log::{BlockDraft, Opening, SealInputs, StreamTail, seal_mark};

use crate::buffer::{Arena, ArenaShape, FillingSlot, ReceiveShape};
use crate::log::{
    CommitStart, FileDeviceShape, FileStore, FlushMode, GroupCommit, LogError, Placement,
    SegmentSupply,
};
use crate::node::clock::Clock;
use crate::ring::{CoreRing, RingShape, RingWaker};
use crate::vault::journal::{Journal, RECORD_BYTES_MAX};

use super::super::vault::spawn;
use super::end_not_durable;

/// Records that may wait for the thread; more wait in their workers.
const JOBS_MAX: usize = 1024;
/// Room for this many records in a block.
const SLOT_BYTES: usize = 16 * RECORD_BYTES_MAX;
/// What a record may take of a block: itself, its header, its padding.
const RECORD_ROOM_BYTES: usize = 2 * RECORD_BYTES_MAX;
/// After this long without work a mark carries the watermark forward.
const MARK_DELAY: Duration = Duration::from_millis(20);
/// Longest sleep: the bell wakes it, this is for what has no bell.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// No kind of an event of a store, so that nobody takes a payment's record for one.
const RECORD_KIND: u16 = u16::MAX;

/// Where the stream goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) store_id: [u8; 16],
    /// Already durable in the superblock.
    pub(super) epoch: u64,
    pub(super) stream_hash: Digest,
    pub(super) shard_sequence: u64,
    pub(super) shard_hash: Digest,
    pub(super) last_hlc: Hlc,
}

/// Who waits until a record is durable.
type Waiting = SyncSender<()>;

#[derive(Debug)]
struct Job {
    record: Vec<u8>,
    waiting: Waiting,
}

/// The running log: give it records.
#[derive(Clone, Debug)]
pub struct VaultLog {
    jobs: SyncSender<Job>,
    waker: RingWaker,
}

impl VaultLog {
    /// The thread's bell.
    pub(super) fn waker(&self) -> RingWaker {
        self.waker.clone()
    }
}

impl Journal for VaultLog {
    fn append(&self, record: &[u8]) {
        assert!(record.len() <= RECORD_BYTES_MAX, "records are bounded");
        let (waiting, durable) = sync_channel(1);
        if self.jobs.send(Job { record: record.to_vec(), waiting }).is_err() {
            end_not_durable(&"its thread has ended");
        }
        self.waker.wake();
        if durable.recv().is_err() {
            end_not_durable(&"its thread has ended");
        }
    }
}

/// Starts the thread: a ring is made, driven and dropped on one.
pub(super) fn start(
    store: Arc<FileStore>,
    supply: Arc<SegmentSupply>,
    tail: &StreamTail,
    start: Start,
) -> Result<(VaultLog, JoinHandle<()>)> {
    let (jobs, taken) = sync_channel(JOBS_MAX);
    let (started, result) = sync_channel(1);
    let at = CommitStart::behind(0, tail);
    let writing = spawn(move || {
        let shape = FileDeviceShape { stream: 0, flush: FlushMode::DataSync, supply };
        match Writer::new((&store, shape), at, start, taken) {
            Err(error) => drop(started.send(Err(error))),
            Ok(writer) => {
                drop(started.send(Ok(writer.ring.waker())));
                if let Err(error) = writer.run() {
                    end_not_durable(&format!("{error:#}"));
                }
            }
        }
    });
    let waker = result.recv().context("the log's thread has ended")??;
    Ok((VaultLog { jobs, waker }, writing))
}

/// A block on its way, and who waits for it.
#[derive(Debug)]
struct Flight {
    stream_sequence: u64,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Writer {
    ring: CoreRing,
    commit: GroupCommit,
    jobs: Receiver<Job>,
    start: Start,
    clock: Clock,
    /// Highest watermark that a block says.
    marked: u64,
    filling: Option<(FillingSlot, BlockDraft)>,
    waiting: Vec<Waiting>,
    flights: VecDeque<Flight>,
}

impl Writer {
    fn new(
        (store, shape): (&Arc<FileStore>, FileDeviceShape),
        at: CommitStart,
        start: Start,
        jobs: Receiver<Job>,
    ) -> Result<Self> {
        let receive = ReceiveShape { buffers_count: 1, buffer_bytes: 4096, resume_count: 1 };
        let mut ring =
            CoreRing::new(RingShape { core: 0, entries_count: 64, connections_max: 1, receive })?;
        let slots_count = WRITES_IN_FLIGHT_MAX + 2;
        let (arena, slots) = Arena::map(ArenaShape { slots_count, slot_bytes: SLOT_BYTES })?;
        ring.register_arena(&arena)?;
        let commit = GroupCommit::new(store.device(shape), slots, at)?;
        Ok(Self {
            ring,
            commit,
            jobs,
            start,
            clock: Clock::start(),
            marked: 0,
            filling: None,
            waiting: Vec::new(),
            flights: VecDeque::new(),
        })
    }

    fn run(mut self) -> Result<()> {
        loop {
            let is_open = self.take_jobs();
            self.seal()?;
            if !is_open && !self.has_records() && self.commit.quiet() {
                return Ok(());
            }
            let is_unmarked = self.commit.watermark() > self.marked;
            let sleep = if is_unmarked || self.has_records() { MARK_DELAY } else { SLEEP_MAX };
            if self.ring.wait(sleep)? == 0 && is_unmarked {
                self.mark()?;
            }
            while let Some(completion) = self.ring.pop()? {
                // What is not the log's is the bell.
                self.commit.complete(&mut self.ring, completion)?;
            }
            self.tell();
        }
    }

    /// Takes what waits into the filling block, as far as there is room; whether there may be more.
    fn take_jobs(&mut self) -> bool {
        while self.has_room() {
            match self.jobs.try_recv() {
                Ok(job) => self.take(&job.record, job.waiting),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn has_room(&mut self) -> bool {
        if self.filling.is_none()
            && let Some(mut slot) = self.commit.take_slot()
        {
            let opening = Opening {
                shard: ShardId(0),
                sequence_last: self.start.shard_sequence,
                schema_version: 0,
                vector: &[self.start.shard_sequence],
            };
            let draft = BlockDraft::open(slot.bytes_mut(), &opening);
            self.filling = Some((slot, draft));
        }
        self.filling.as_ref().is_some_and(|(_, draft)| draft.room_bytes() >= RECORD_ROOM_BYTES)
    }

    fn has_records(&self) -> bool {
        self.filling.as_ref().is_some_and(|(_, draft)| !draft.empty())
    }

    fn take(&mut self, record: &[u8], waiting: Waiting) {
        let (slot, draft) = self.filling.as_mut().expect("there is room");
        let now_ms = self.clock.now_ms();
        self.start.last_hlc = self.start.last_hlc.tick(now_ms);
        let stamp = self.start.last_hlc;
        let facts = Draft {
            kind: RECORD_KIND,
            event_version: 1,
            key: 0,
            auth_mode: AuthMode::Node,
            accepted: stamp,
            decided: stamp,
            now_ms,
            identity: CommandKey::default(),
            seen: None,
            extra: &[],
            extra_type: ExtraType::default(),
            answer: &[],
            evidence: &[],
        };
        draft.journal(slot.bytes_mut()).append(&facts, &Record(record));
        self.waiting.push(waiting);
    }

    /// Ends the filling block, if it has a record and may be written.
    fn seal(&mut self) -> Result<(), LogError> {
        if !self.has_records() || !self.commit.may_write() {
            return Ok(());
        }
        let (mut slot, draft) = self.filling.take().expect("it has records");
        let size_bytes = draft.used_bytes().next_multiple_of(BLOCK_ALIGN_BYTES);
        let Some(placement) = self.commit.place(size_bytes)? else {
            // The keeper rings when a segment is ready.
            self.filling = Some((slot, draft));
            return Ok(());
        };
        let sealed = draft.seal(slot.bytes_mut(), &self.inputs(&placement));
        self.start.shard_sequence = sealed.sequence_last;
        (self.start.stream_hash, self.start.shard_hash) = (sealed.hash, sealed.hash);
        self.marked = placement.durable_watermark;
        let waiting = std::mem::take(&mut self.waiting);
        self.flights.push_back(Flight { stream_sequence: placement.stream_sequence, waiting });
        self.commit.write(&mut self.ring, slot, sealed.size_bytes)
    }

    /// Says in a block of its own that everything is durable, so that later damage is recognised.
    fn mark(&mut self) -> Result<(), LogError> {
        if !self.commit.quiet() {
            return Ok(());
        }
        let Some(mut slot) = self.commit.take_slot() else { return Ok(()) };
        let Some(placement) = self.commit.place(BLOCK_ALIGN_BYTES)? else {
            self.commit.return_slot(slot);
            return Ok(());
        };
        let stamp = self.start.last_hlc;
        let inputs = SealInputs { shard_previous: Digest::default(), ..self.inputs(&placement) };
        let sealed = seal_mark(slot.bytes_mut(), &inputs, stamp);
        self.start.stream_hash = sealed.hash;
        // A mark itself needs no mark.
        self.marked = placement.stream_sequence;
        self.commit.write(&mut self.ring, slot, sealed.size_bytes)
    }

    fn inputs(&self, placement: &Placement) -> SealInputs {
        SealInputs {
            store_id: self.start.store_id,
            stream: 0,
            stream_epoch: self.start.epoch,
            stream_sequence: placement.stream_sequence,
            stream_previous: self.start.stream_hash,
            shard_previous: self.start.shard_hash,
            segment_generation: placement.segment_generation,
            durable_watermark: placement.durable_watermark,
            term: 1,
        }
    }

    /// Lets everybody go whose record is durable.
    fn tell(&mut self) {
        let watermark = self.commit.watermark();
        while self.flights.front().is_some_and(|flight| flight.stream_sequence <= watermark) {
            let flight = self.flights.pop_front().expect("it was just there");
            for waiting in flight.waiting {
                // A worker waits until it is told.
                waiting.send(()).ok();
            }
        }
    }
}

/// A record as the log's event.
struct Record<'a>(&'a [u8]);

impl Encode for Record<'_> {
    fn encode(&self, to: &mut Encoder<'_>) {
        to.raw(self.0);
    }
}
