//! A store on files, written as a node writes it but one block at a time.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use claw_common::checksum::Digest;
use claw_common::id::ShardId;
use claw_common::limits::{BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX};
use claw_common::time::Hlc;
use claw_core::codec::{Encode, Writer};
use claw_core::command::{AuthMode, CommandKey, ExtraType};
use claw_core::journal::{Draft, Journal};
use claw_core::log::{
    BlockDraft, BlockPlace, BlockView, Opening, RecordView, SealInputs, Sealed, ShardTail,
    StoreShape, StreamTail, seal_mark, segment_file_name,
};
use claw_core::shard::event::EventKind;

use crate::log::{LogPaths, Rebuild, RecoverError, Recovered, Snapshot, format_streams, recover};

pub(crate) const SHAPE: StoreShape = StoreShape {
    store_id: *b"a store on files",
    shards_count: 2,
    segment_bytes: BLOCK_BYTES_MAX as u64,
};

/// An event that is just bytes.
pub(crate) struct Raw<'a>(pub(crate) &'a [u8]);

impl Encode for Raw<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.raw(self.0);
    }
}

/// Remembers what recovery handed over: per shard the snapshot's body and the records.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) restored: Vec<(u16, Vec<u8>)>,
    pub(crate) records: Vec<(u16, u64, Vec<u8>)>,
    pub(crate) refuse_snapshots_after: Option<u64>,
}

impl Rebuild for Seen {
    type Error = std::convert::Infallible;

    fn begin(&mut self) {
        self.restored.clear();
        self.records.clear();
    }

    fn restore(&mut self, snapshot: &Snapshot) -> bool {
        let header = snapshot.header();
        if self.refuse_snapshots_after.is_some_and(|limit| header.start.sequence > limit) {
            return false;
        }
        self.restored.push((header.shard.0, snapshot.body().to_vec()));
        true
    }

    fn apply(&mut self, _: &BlockView<'_>, record: &RecordView<'_>) -> Result<(), Self::Error> {
        self.records.push((record.shard.0, record.sequence, record.event.to_vec()));
        Ok(())
    }
}

impl Seen {
    pub(crate) fn sequences(&self, shard: u16) -> Vec<u64> {
        self.records.iter().filter(|record| record.0 == shard).map(|record| record.1).collect()
    }
}

/// One stream being written.
pub(crate) struct StreamWriter {
    tail: StreamTail,
    next_sequence: u64,
    last_hash: Digest,
    next: Option<BlockPlace>,
    generation: u64,
    free: Vec<u32>,
}

/// A store being written.
pub(crate) struct Store {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) paths: LogPaths,
    pub(crate) streams: Vec<StreamWriter>,
    pub(crate) shards: Vec<ShardTail>,
}

impl Store {
    /// A new store with `streams` streams of `segments` segments.
    pub(crate) fn new(streams: u16, segments: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let paths = LogPaths::in_store(directory.path());
        format_streams(&paths.data, SHAPE, 0..1).unwrap();
        for stream in 0..streams {
            for segment in 0..segments {
                let path = paths.data.join(segment_file_name(stream, segment));
                File::create(path).unwrap().set_len(SHAPE.segment_bytes).unwrap();
            }
        }
        let mut store = Self { directory, paths, streams: Vec::new(), shards: Vec::new() };
        store.start(streams, &mut Seen::default()).unwrap();
        store
    }

    /// Recovers and goes on.
    pub(crate) fn start(
        &mut self,
        streams: u16,
        seen: &mut Seen,
    ) -> Result<Recovered, RecoverError<std::convert::Infallible>> {
        let recovered = recover(&self.paths, streams, seen, &mut |_| {})?;
        self.shards.clone_from(&recovered.shards);
        self.streams = recovered.streams.iter().map(|tail| self.writer(tail)).collect();
        Ok(recovered)
    }

    fn writer(&self, tail: &StreamTail) -> StreamWriter {
        let stream = tail.superblock.stream;
        let used = |segment: &u32| tail.segments.iter().any(|used| used.segment == *segment);
        let exists =
            |segment: &u32| self.paths.data.join(segment_file_name(stream, *segment)).exists();
        StreamWriter {
            tail: tail.clone(),
            next_sequence: tail.last_sequence + 1,
            last_hash: tail.last_hash,
            next: tail.next,
            generation: tail.generation_last,
            free: (0..64).filter(exists).filter(|segment| !used(segment)).collect(),
        }
    }

    /// Segments that [`crate::log::archive`] gave free.
    pub(crate) fn give_free(&mut self, stream: usize, segments: impl IntoIterator<Item = u32>) {
        self.streams[stream].free.extend(segments);
    }

    /// Appends one block with `events` of `shard`.
    pub(crate) fn append(&mut self, stream: usize, shard: u16, events: &[&[u8]]) -> BlockPlace {
        self.append_kinds(
            stream,
            shard,
            &events.iter().map(|event| (9, Raw(event))).collect::<Vec<_>>(),
        )
    }

    /// Appends one block with any events.
    pub(crate) fn append_kinds(
        &mut self,
        stream: usize,
        shard: u16,
        events: &[(u16, impl Encode)],
    ) -> BlockPlace {
        let vector: Vec<u64> = self.shards.iter().map(|shard| shard.sequence).collect();
        self.append_seeing(stream, (shard, &vector), events)
    }

    /// Appends one block of a shard that had seen `seen.1`.
    pub(crate) fn append_seeing(
        &mut self,
        stream: usize,
        seen: (u16, &[u64]),
        events: &[(u16, impl Encode)],
    ) -> BlockPlace {
        let (shard, vector) = seen;
        let mut slot = vec![0xee; BLOCK_BYTES_MAX];
        let before = self.shards[usize::from(shard)];
        let opening = Opening {
            shard: ShardId(shard),
            sequence_last: before.sequence,
            schema_version: 1,
            vector,
        };
        let mut block = BlockDraft::open(&mut slot, &opening);
        for (index, (kind, event)) in (0..).zip(events) {
            let stamp = 1_700_000_000_000 + (before.sequence + index) * 10;
            block.journal(&mut slot).append(&draft(*kind, stamp), event);
        }
        let size = block.used_bytes().next_multiple_of(BLOCK_ALIGN_BYTES);
        let place = self.streams[stream].place(size);
        let inputs = self.streams[stream].inputs(&place, before.hash);
        let sealed = block.seal(&mut slot, &inputs);
        let sequence = sealed.sequence_last;
        self.shards[usize::from(shard)] = ShardTail { sequence, hash: sealed.hash, term: 1 };
        self.write(stream, place, &slot, &sealed);
        place
    }

    pub(crate) fn mark(&mut self, stream: usize) {
        let mut slot = vec![0xee; BLOCK_BYTES_MAX];
        let place = self.streams[stream].place(BLOCK_ALIGN_BYTES);
        let inputs = self.streams[stream].inputs(&place, [0; 32]);
        let sealed = seal_mark(&mut slot, &inputs, Hlc::from_unix_ms(1_700_000_000_000));
        self.write(stream, place, &slot, &sealed);
    }

    fn write(&mut self, stream: usize, place: BlockPlace, slot: &[u8], sealed: &Sealed) {
        let writer = &mut self.streams[stream];
        writer.next_sequence += 1;
        writer.last_hash = sealed.hash;
        let path = self.segment_path(stream, place.segment);
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(&slot[..sealed.size_bytes], place.offset as u64).unwrap();
    }

    pub(crate) fn segment_path(&self, stream: usize, segment: u32) -> std::path::PathBuf {
        self.paths.data.join(segment_file_name(u16::try_from(stream).unwrap(), segment))
    }

    /// Flips a bit of a block on the disk.
    pub(crate) fn rot(&self, stream: usize, place: BlockPlace) {
        let path = self.segment_path(stream, place.segment);
        let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        let at = place.offset as u64 + 300;
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 4], at).unwrap();
    }
}

impl StreamWriter {
    fn place(&mut self, size: usize) -> BlockPlace {
        let room = usize::try_from(SHAPE.segment_bytes).unwrap();
        let fitting = self.next.filter(|next| next.offset + size <= room);
        let place = fitting.unwrap_or_else(|| {
            let segment = self.free.remove(0);
            self.generation += 1;
            BlockPlace { segment, generation: self.generation, offset: 0 }
        });
        self.next = Some(BlockPlace { offset: place.offset + size, ..place });
        place
    }

    fn inputs(&self, place: &BlockPlace, shard_previous: Digest) -> SealInputs {
        SealInputs {
            store_id: SHAPE.store_id,
            stream: self.tail.superblock.stream,
            stream_epoch: self.tail.superblock.epoch,
            stream_sequence: self.next_sequence,
            stream_previous: self.last_hash,
            shard_previous,
            segment_generation: place.generation,
            durable_watermark: self.next_sequence - 1,
            term: 1,
        }
    }
}

pub(crate) fn draft<'a>(kind: u16, now_ms: u64) -> Draft<'a> {
    Draft {
        kind,
        event_version: EventKind::from_code(kind).map_or(1, EventKind::version),
        key: 2,
        auth_mode: AuthMode::HmacSha256,
        accepted: Hlc::from_unix_ms(now_ms),
        decided: Hlc::from_unix_ms(now_ms),
        now_ms,
        identity: CommandKey { key: [1; 16], digest: [2; 16] },
        seen: None,
        extra: b"",
        extra_type: ExtraType::default(),
        answer: b"",
        evidence: b"",
    }
}
