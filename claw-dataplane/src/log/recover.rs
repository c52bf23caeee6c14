//! Opening a store: where its log ends, its shards rebuilt, a new epoch made durable.
//!
//! ```text
//!  flush files -> map -> judge streams -> pick snapshots -> replay behind them -> raise epochs
//!                         (claw_core::log)   (restore)        (apply)             (superblocks)
//! ```
//! Owns that order. Nothing is written before everything was judged and replayed; the epochs are
//! raised for *every* stream, those without a core in this run included, so that what was cut
//! stays dead wherever its shards live now.
//!
//! Must run alone on the store (the device's lock is the caller's to hold). Deliberately does not
//! know what a state is: snapshots and records are handed to a [`Rebuild`].

use std::fs::File;
use std::ops::ControlFlow;

use claw_common::id::ShardId;
use claw_common::time::Hlc;
use claw_core::log::{
    BlockView, ChainError, RecordView, Records, Replay, ShardChains, ShardStart, ShardTail,
    StoreShape, StreamRecovery, StreamTail, Superblock, parse_segment_file_name,
};

use super::paths::LogPaths;
use super::read_error::ReadError;
use super::reader::{Scanned, Scope, StoreLog, StreamLog, list};
use super::snapshot::{Snapshot, read_snapshot, shard_snapshots};
use super::superblock::{format_streams, write_superblock_twice};

/// Takes what recovery finds, shard by shard in order.
pub trait Rebuild {
    /// Why a record could not be applied.
    type Error;

    /// Makes every shard empty. Called once, or a second time when the archive is needed after all.
    fn begin(&mut self);

    /// Restores a shard; `false` when the snapshot is of another schema or layout, and an older
    /// one or the whole log must do.
    fn restore(&mut self, snapshot: &Snapshot) -> bool;

    /// These come next: the time to ask memory for what they need.
    fn expect(&mut self, _records: &Records<'_>) {}

    /// Applies the shard's next record.
    fn apply(&mut self, block: &BlockView<'_>, record: &RecordView<'_>) -> Result<(), Self::Error>;
}

/// A store whose log was read to its end.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The store.
    pub shape: StoreShape,
    /// Every stream with its end, its raised superblock and what was cut.
    pub streams: Vec<StreamTail>,
    /// Where each shard goes on.
    pub shards: Vec<ShardTail>,
    /// Where each shard's snapshot ended.
    pub starts: Vec<ShardStart>,
    /// Records that were applied.
    pub records_count: u64,
    /// The latest stamp in the log: the clock must not be behind it.
    pub last_hlc: Hlc,
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError<E> {
    /// The log cannot be read or is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record could not be applied.
    #[error("shard {shard} record {sequence}: {source}")]
    Apply {
        /// The shard.
        shard: ShardId,
        /// The record.
        sequence: u64,
        /// Why.
        source: E,
    },
}

/// Recovers the store and raises its epochs. `streams_count` is how many this run writes; missing
/// ones are made.
pub fn recover<R: Rebuild>(
    paths: &LogPaths,
    streams_count: u16,
    rebuild: &mut R,
    progress: &mut dyn FnMut(Scanned),
) -> Result<Recovered, RecoverError<R::Error>> {
    flush(paths)?;
    let (log, tails) = StoreLog::read(paths, Scope::Live, progress)?;
    let shape = tails[0].superblock.shape;
    let starts = restore_shards(paths, &shape, rebuild)?;
    let mut recovered = match replay_into(&log, &tails, &starts, rebuild) {
        // No snapshot reaches down to the live log: begin with the archive. A gap is found before
        // any record of its shard was applied, but others may have been, so all begin anew.
        Err(RecoverError::Read(ReadError::Chain(ChainError::Gap { .. })))
            if paths.archive.is_dir() =>
        {
            let starts = restore_shards(paths, &shape, rebuild)?;
            let (log, tails) = StoreLog::read(paths, Scope::Everything, progress)?;
            replay_into(&log, &tails, &starts, rebuild)?
        }
        other => other?,
    };
    raise(paths, &mut recovered, streams_count)?;
    Ok(recovered)
}

/// Makes what the page cache holds durable before it is believed: after a crash of the process
/// alone, blocks may be readable that no device has.
fn flush(paths: &LogPaths) -> Result<(), ReadError> {
    for (path, name) in list(&paths.data)? {
        if parse_segment_file_name(&name).is_some() {
            let file = File::open(&path).map_err(ReadError::file("open", &path))?;
            file.sync_all().map_err(ReadError::file("flush", &path))?;
        }
    }
    Ok(())
}

/// The newest snapshot of each shard that restores.
fn restore_shards<R: Rebuild>(
    paths: &LogPaths,
    shape: &StoreShape,
    rebuild: &mut R,
) -> Result<Vec<ShardStart>, ReadError> {
    rebuild.begin();
    (0..shape.shards_count)
        .map(|shard| {
            let found = shard_snapshots(&paths.snapshots, shape.store_id, ShardId(shard))?;
            for path in &found.invalid {
                ::log::warn!("{}: damaged or of another store, not used", path.display());
            }
            for (path, header) in &found.valid {
                match read_snapshot(path)? {
                    Some(snapshot) if rebuild.restore(&snapshot) => return Ok(header.start),
                    _ => ::log::info!("{}: not restorable, looking further back", path.display()),
                }
            }
            Ok(ShardStart::default())
        })
        .collect()
}

fn replay_into<R: Rebuild>(
    log: &StoreLog,
    tails: &[StreamTail],
    starts: &[ShardStart],
    rebuild: &mut R,
) -> Result<Recovered, RecoverError<R::Error>> {
    let mut chains = ShardChains::new(starts);
    let mut rebuilding = Rebuilding { rebuild, records_count: 0, failed: None };
    let flow = log.replay_to(tails, &mut chains, &mut rebuilding);
    let Rebuilding { records_count, failed, .. } = rebuilding;
    if let Some(failed) = failed {
        return Err(failed);
    }
    assert!(flow.map_err(ReadError::Chain)?.is_continue());
    Ok(Recovered {
        shape: tails[0].superblock.shape,
        streams: tails.iter().map(|tail| without_archive(tail.clone())).collect(),
        shards: chains.tails(),
        starts: starts.to_vec(),
        records_count,
        last_hlc: tails.iter().map(|tail| tail.last_hlc).max().unwrap_or_default(),
    })
}

/// Counts, and remembers what went wrong.
struct Rebuilding<'a, R: Rebuild> {
    rebuild: &'a mut R,
    records_count: u64,
    failed: Option<RecoverError<R::Error>>,
}

impl<R: Rebuild> Replay for Rebuilding<'_, R> {
    fn expect(&mut self, records: &Records<'_>) {
        self.rebuild.expect(records);
    }

    fn apply(&mut self, block: &BlockView<'_>, record: &RecordView<'_>) -> ControlFlow<()> {
        self.records_count += 1;
        match self.rebuild.apply(block, record) {
            Ok(()) => ControlFlow::Continue(()),
            Err(source) => {
                let (shard, sequence) = (record.shard, record.sequence);
                self.failed = Some(RecoverError::Apply { shard, sequence, source });
                ControlFlow::Break(())
            }
        }
    }
}

/// Keeps only what can be written on: archived segments are no place for the next block.
fn without_archive(mut tail: StreamTail) -> StreamTail {
    tail.next = tail.next.filter(|next| !StreamLog::archived(next.segment));
    tail.segments.retain(|segment| !StreamLog::archived(segment.segment));
    tail.blocks = Vec::new();
    tail
}

/// Raises every epoch durably; makes the streams that this run adds.
fn raise(paths: &LogPaths, recovered: &mut Recovered, streams_count: u16) -> Result<(), ReadError> {
    let known = u16::try_from(recovered.streams.len()).expect("at most CORES_MAX");
    let added = format_streams(&paths.data, recovered.shape, known..streams_count.max(known))?;
    for superblock in added {
        let tail = StreamRecovery::new(superblock).finish().expect("an empty stream is whole");
        recovered.streams.push(tail);
    }
    let streams_count = u16::try_from(recovered.streams.len()).expect("at most CORES_MAX");
    for tail in &mut recovered.streams {
        for cut in &tail.cut {
            ::log::warn!(
                "stream {}: cut unacknowledged block {} (segment {} byte {}): {}",
                tail.superblock.stream,
                cut.sequence,
                cut.segment,
                cut.offset,
                cut.damage
            );
        }
        let raised: Superblock = tail.raise(streams_count);
        tail.superblock = write_superblock_twice(&paths.data, &raised)?;
    }
    Ok(())
}

/// Replays what is known to be durable, beside a running node: up to each stream's watermark.
pub fn replay_durable<R: Rebuild>(
    paths: &LogPaths,
    rebuild: &mut R,
) -> Result<Recovered, RecoverError<R::Error>> {
    let (log, mut tails) = StoreLog::read(paths, Scope::Live, &mut |_scanned| {})?;
    for tail in &mut tails {
        let beyond = usize::try_from(tail.last_sequence.saturating_sub(tail.watermark));
        let kept = tail.blocks.len().saturating_sub(beyond.unwrap_or(usize::MAX));
        tail.blocks.truncate(kept);
    }
    let starts = restore_shards(paths, &tails[0].superblock.shape, rebuild)?;
    replay_into(&log, &tails, &starts, rebuild)
}
