//! The vault's log: a stream of its own on a device of its own, in the format of every log.
//!
//! ```text
//!  VAULT/log/               the default device, file:log in vault.toml
//!    stream-00.superblock   one stream, one shard, a store id of its own
//!    stream-00-segment-*.log
//!    snapshots/             what the vault knew at a position
//!  workers --append--> [`writer`]: a thread with a ring, group commit --> durable --> workers
//!                      [`keeper`]: segments ahead of need, snapshots, segments given free
//! ```
//! The chains, checksums, torn tails, epochs and group commit are those of the store's log: this
//! folder only says what its records are (`vault::book`), and when they are long over. A failure
//! ends the process, before anybody is told anything.
//!
//! Deliberately not archived: what is over for a week is nobody's but the gateway's, and the
//! store's log has what came of it.

mod keeper;
mod rebuild;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, ensure};
use claw_core::log::{StoreShape, StreamTail};

use crate::log::{DeviceUrl, FileStore, LogPaths, SegmentSupply, recover};
use crate::vault::book::Book;

use super::vault::spawn;
use keeper::Keeper;
use rebuild::BookRebuild;
use writer::Start;

pub use writer::VaultLog;

/// One segment: a thousand commits of one block.
const SEGMENT_BYTES: u64 = 4 << 20;
/// Exit code of a process that can promise no more.
const EXIT_NOT_DURABLE: i32 = 3;

/// A log that was read to its end and is not written yet.
#[derive(Debug)]
pub struct OpenedLog {
    store: Arc<FileStore>,
    paths: LogPaths,
    tail: StreamTail,
    start: Start,
}

/// Opens or makes the log of the vault in `folder`, on the device `url`, whose folder may be
/// relative to it. Gives what the log knows.
///
/// # Errors
/// When the device cannot be used, somebody has it, or it is damaged below its watermark.
pub fn open(folder: &Path, url: &str) -> Result<(OpenedLog, Book)> {
    open_with(folder, url, SEGMENT_BYTES)
}

fn open_with(folder: &Path, url: &str, segment_bytes: u64) -> Result<(OpenedLog, Book)> {
    let old = folder.join("journal");
    ensure!(
        !old.exists(),
        "{} was written by an earlier build, and payments may be under way in it: let that build \
         finish them, then move the file away",
        old.display()
    );
    let mut url: DeviceUrl = url.parse()?;
    url.folder = folder.join(url.folder);
    let store = FileStore::open(url, segment_bytes)?;
    let data = store.path().to_owned();
    let paths = LogPaths {
        archive: data.join("archive"),
        snapshots: data.join("snapshots"),
        proofs: data.join("proofs"),
        data,
    };
    if store.streams()?.is_empty() {
        let shape = StoreShape { store_id: random_id()?, shards_count: 1, segment_bytes };
        crate::log::format_streams(&paths.data, shape, 0..1)?;
    }
    let mut rebuild = BookRebuild::default();
    let recovered = recover(&paths, 1, &mut rebuild, &mut |_scanned| {})
        .with_context(|| format!("read the vault's log in {}", paths.data.display()))?;
    let (tail, shard) = (recovered.streams[0].clone(), recovered.shards[0]);
    let start = Start {
        store_id: recovered.shape.store_id,
        epoch: tail.superblock.epoch,
        stream_hash: tail.last_hash,
        shard_sequence: shard.sequence,
        shard_hash: shard.hash,
        last_hlc: recovered.last_hlc,
    };
    Ok((OpenedLog { store: Arc::new(store), paths, tail, start }, rebuild.into_book()))
}

impl OpenedLog {
    /// Where it lies: what a sandbox has to leave open.
    pub fn folder(&self) -> &Path {
        self.store.path()
    }

    /// Starts its two threads; records are taken from then on.
    ///
    /// # Errors
    /// When segments cannot be made or a ring cannot be had.
    pub fn start(self) -> Result<VaultLog> {
        let (keeper, log, _writing) = self.set_up()?;
        let waker = log.waker();
        spawn(move || keeper.run(&waker));
        Ok(log)
    }

    fn set_up(self) -> Result<(Keeper, VaultLog, JoinHandle<()>)> {
        let supply = SegmentSupply::new();
        let used: Vec<u32> = self.tail.segments.iter().map(|used| used.segment).collect();
        let mut keeper =
            Keeper::new(Arc::clone(&self.store), self.paths, Arc::clone(&supply), &used)?;
        keeper.fill()?;
        let (log, writing) = writer::start(self.store, supply, &self.tail, self.start)?;
        Ok((keeper, log, writing))
    }
}

fn random_id() -> Result<[u8; 16]> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| anyhow::anyhow!("read randomness: {error}"))?;
    Ok(id)
}

/// Nothing more can be promised: the process ends, loudly, before anybody is told anything.
#[expect(clippy::exit, reason = "a vault that cannot remember must not go on")]
fn end_not_durable(error: &dyn std::fmt::Display) -> ! {
    log::error!("the vault's log: {error}; nothing more is promised");
    std::process::exit(EXIT_NOT_DURABLE)
}
