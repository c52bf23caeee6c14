//! Reading a store's log in place: segments and archive mapped, blocks judged and merged.
//!
//! Owns the maps. [`StoreLog::read`] scans every block once and applies the rules of
//! `claw_core::log`; [`StoreLog::replay`] then walks the records of every shard in order, without
//! copies.
//!
//! Works beside a running node: what the node writes meanwhile is simply not seen, a block it has
//! not finished ends the stream, and a scan that raced with it is repeated. Only what is durable on
//! the node's side is guaranteed to be there.
//!
//! Deliberately changes nothing, and takes no lock.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use claw_core::log::{
    Apply, BlockPlace, ChainError, Each, RecoveryError, Replay, Retained, SegmentScan, ShardChains,
    StreamBlocks, StreamRecovery, StreamTail, Superblock, parse_archive_file_name,
    parse_segment_file_name, parse_superblock_file_name, peek_header,
};
use memmap2::{Advice, Mmap};

use super::paths::LogPaths;
use super::read_error::ReadError;

/// Numbers from here on stand for archived segments, which have no number of their own.
const ARCHIVED_FIRST: u32 = 1 << 31;
/// How often a scan is repeated that a running node may have disturbed.
const SCANS_MAX: u32 = 5;

/// Which files count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What is in the archive, then what is live.
    Everything,
    /// Live segments alone.
    Live,
}

/// How far a scan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Bytes scanned.
    pub done_bytes: u64,
    /// Of how many.
    pub total_bytes: u64,
}

/// A mapped file.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    map: Option<Mmap>,
}

impl LogFile {
    fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(ReadError::file("open", path))?;
        let length = file.metadata().map_err(ReadError::file("measure", path))?.len();
        if length == 0 {
            return Ok(Self { path: path.to_owned(), map: None });
        }
        // SAFETY: a mapped file may change under us when a node writes it. Everything read from it
        // is plain bytes, valid in any state; every length is checked against the slice where it
        // is used, and what is believed is believed for its checksums. Nobody truncates segments.
        let map = unsafe { Mmap::map(&file) }.map_err(ReadError::file("map", path))?;
        map.advise(Advice::Sequential).map_err(ReadError::file("map", path))?;
        Ok(Self { path: path.to_owned(), map: Some(map) })
    }

    fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

/// One stream's files.
#[derive(Debug)]
pub struct StreamLog {
    superblock: Superblock,
    directory: PathBuf,
    files: BTreeMap<u32, LogFile>,
}

/// All streams of a store.
#[derive(Debug)]
pub struct StoreLog {
    streams: Vec<StreamLog>,
}

impl StoreLog {
    /// Maps what is there.
    pub fn open(paths: &LogPaths, scope: Scope) -> Result<Self, ReadError> {
        let superblocks = read_superblocks(&paths.data)?;
        let mut streams: Vec<StreamLog> = superblocks
            .into_iter()
            .map(|superblock| StreamLog {
                superblock,
                directory: paths.data.clone(),
                files: BTreeMap::new(),
            })
            .collect();
        for (path, name) in list(&paths.data)? {
            let Some((stream, segment)) = parse_segment_file_name(&name) else { continue };
            if let Some(stream) = streams.get_mut(usize::from(stream)) {
                stream.files.insert(segment, LogFile::open(&path)?);
            }
        }
        if scope == Scope::Everything && paths.archive.is_dir() {
            for (path, name) in list(&paths.archive)? {
                let Some((stream, generation)) = parse_archive_file_name(&name) else { continue };
                if let Some(stream) = streams.get_mut(usize::from(stream)) {
                    stream.add_archived(generation, &path)?;
                }
            }
        }
        Ok(Self { streams })
    }

    /// Opens and judges. A node that runs meanwhile may write, free and reuse segments under the
    /// scan, so damage is believed only when two scans in a row find the same.
    pub fn read(
        paths: &LogPaths,
        scope: Scope,
        progress: &mut dyn FnMut(Scanned),
    ) -> Result<(Self, Vec<StreamTail>), ReadError> {
        let mut before = None;
        for _ in 0..SCANS_MAX {
            let log = Self::open(paths, scope)?;
            let total_bytes = log.size_bytes();
            let mut done_bytes = 0;
            let judged = log.judge(&mut |bytes| {
                done_bytes += bytes;
                progress(Scanned { done_bytes, total_bytes });
            });
            match judged {
                Ok(tails) => return Ok((log, tails)),
                Err(error) if before.as_ref() == Some(&error.to_string()) => return Err(error),
                Err(error) => before = Some(error.to_string()),
            }
        }
        Err(ReadError::Unsteady { path: paths.data.clone() })
    }

    /// The streams in order.
    pub fn streams(&self) -> &[StreamLog] {
        &self.streams
    }

    /// Scans and judges every stream. `progress` is told the bytes of each file scanned.
    fn judge(&self, progress: &mut dyn FnMut(u64)) -> Result<Vec<StreamTail>, ReadError> {
        self.streams.iter().map(|stream| stream.judge(progress)).collect()
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        let sizes = self.streams.iter().flat_map(|stream| stream.files.values());
        sizes.map(|file| u64::try_from(file.bytes().len()).unwrap_or(0)).sum()
    }

    /// Hands every record behind its shard's start to `apply`, each shard in its order.
    pub fn replay(
        &self,
        tails: &[StreamTail],
        chains: &mut ShardChains,
        apply: &mut Apply<'_>,
    ) -> Result<ControlFlow<()>, ChainError> {
        self.replay_to(tails, chains, &mut Each(apply))
    }

    /// The same, and says beforehand which records come.
    pub fn replay_to(
        &self,
        tails: &[StreamTail],
        chains: &mut ShardChains,
        replay: &mut dyn Replay,
    ) -> Result<ControlFlow<()>, ChainError> {
        let bytes: Vec<_> = self
            .streams
            .iter()
            .map(|stream| move |place: &BlockPlace| stream.bytes_at(place))
            .collect();
        let streams: Vec<StreamBlocks<'_>> = tails
            .iter()
            .zip(&bytes)
            .map(|(tail, bytes)| StreamBlocks { blocks: &tail.blocks, bytes })
            .collect();
        claw_core::log::replay_to(chains, &streams, replay)
    }
}

impl StreamLog {
    /// Its newest superblock.
    pub const fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// The bytes at a place, going on to the end of its file.
    pub fn bytes_at(&self, place: &BlockPlace) -> &[u8] {
        let file = self.files.get(&place.segment).map_or(&[][..], LogFile::bytes);
        file.get(place.offset..).unwrap_or_default()
    }

    /// The file that a place is in.
    pub fn path_of(&self, segment: u32) -> PathBuf {
        self.files.get(&segment).map_or_else(|| self.directory.clone(), |file| file.path.clone())
    }

    /// The live segments' numbers.
    pub fn segments(&self) -> impl Iterator<Item = u32> + '_ {
        self.files.keys().copied().take_while(|&segment| !Self::archived(segment))
    }

    /// Whether a segment number stands for an archived one.
    pub const fn archived(segment: u32) -> bool {
        segment >= ARCHIVED_FIRST
    }

    /// What is live counts; a copy in the archive of a live segment is left out.
    fn add_archived(&mut self, generation: u64, path: &Path) -> Result<(), ReadError> {
        if generation >= self.superblock.retained.generation {
            return Ok(());
        }
        let count = self.files.range(ARCHIVED_FIRST..).count();
        let number = ARCHIVED_FIRST + u32::try_from(count).unwrap_or(0);
        self.files.insert(number, LogFile::open(path)?);
        Ok(())
    }

    fn judge(&self, progress: &mut dyn FnMut(u64)) -> Result<StreamTail, ReadError> {
        let tail = self.scan(progress).finish().map_err(|source| {
            let path = match &source {
                RecoveryError::DamagedMiddle { segment, .. } => self.path_of(*segment),
                RecoveryError::GenerationTwice { second, .. } => self.path_of(*second),
                RecoveryError::SuperblockBehind { .. } => self.directory.clone(),
            };
            ReadError::Damaged { path, source }
        })?;
        // Judged with the archive, but what is retained is what the superblock says.
        Ok(StreamTail { superblock: self.superblock.clone(), ..tail })
    }

    fn scan(&self, progress: &mut dyn FnMut(u64)) -> StreamRecovery {
        let retained = self.superblock.retained.generation;
        let mut recovery = StreamRecovery::new(self.judged_by());
        for (&segment, file) in self.files_by_age() {
            let live = !Self::archived(segment);
            let bytes = file.bytes();
            for found in SegmentScan::new(bytes) {
                let header = bytes.get(found.offset..).and_then(peek_header);
                let generation = header.map_or(0, |header| header.segment_generation.get());
                // A freed segment keeps its old blocks until it is used again.
                if !live || generation >= retained {
                    recovery.observe(segment, bytes, &found);
                }
            }
            progress(u64::try_from(bytes.len()).unwrap_or(0));
        }
        recovery
    }

    /// The segment being written comes last, so that a node writing it meanwhile makes no gap.
    fn files_by_age(&self) -> Vec<(&u32, &LogFile)> {
        let generation = |file: &LogFile| {
            let header = peek_header(file.bytes());
            header.map_or(0, |header| header.segment_generation.get())
        };
        by_age(self.files.iter().collect(), |(_, file)| generation(file))
    }

    /// The superblock, reaching back to the oldest archived segment.
    fn judged_by(&self) -> Superblock {
        let mut superblock = self.superblock.clone();
        let oldest = self
            .files
            .range(ARCHIVED_FIRST..)
            .filter_map(|(_, file)| peek_header(file.bytes()))
            .min_by_key(|header| header.segment_generation.get());
        if let Some(header) = oldest {
            superblock.retained = Retained {
                generation: header.segment_generation.get(),
                sequence: header.stream_sequence.get(),
                previous: header.stream_previous,
            };
        }
        superblock
    }
}

/// Every stream's newest superblock, in the order of streams; none may be missing.
pub fn read_superblocks(data: &Path) -> Result<Vec<Superblock>, ReadError> {
    let mut found = BTreeMap::new();
    for (path, name) in list(data)? {
        let Some(stream) = parse_superblock_file_name(&name) else { continue };
        let copies = fs::read(&path).map_err(ReadError::file("read", &path))?;
        let superblock = Superblock::newest(&copies)
            .map_err(|source| ReadError::Superblock { path: path.clone(), source })?;
        let first = found.values().next().map(|first: &Superblock| first.shape);
        if superblock.stream != stream || first.is_some_and(|first| first != superblock.shape) {
            return Err(ReadError::Foreign { path });
        }
        found.insert(stream, superblock);
    }
    let streams_count = found.values().map(|superblock| superblock.streams_count).max();
    let Some(streams_count) = streams_count else {
        return Err(ReadError::NotFormatted { path: data.to_owned() });
    };
    match (0..streams_count).find(|stream| !found.contains_key(stream)) {
        None => Ok(found.into_values().collect()),
        Some(stream) => {
            let path = data.to_owned();
            Err(ReadError::StreamMissing { stream, streams_count, path })
        }
    }
}

/// Files of a folder with their names, in the order of names.
pub(super) fn list(directory: &Path) -> Result<Vec<(PathBuf, String)>, ReadError> {
    let failed = || ReadError::file("list", directory);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            let name = name.to_owned();
            files.push((path, name));
        }
    }
    files.sort();
    Ok(files)
}

/// In the order of their generations, each of which is read once: a node may begin to use a segment
/// again at any moment, and a sort whose keys change under it panics.
fn by_age<T>(mut files: Vec<T>, generation: impl Fn(&T) -> u64) -> Vec<T> {
    files.sort_by_cached_key(generation);
    files
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    #[test]
    fn generations_that_change_while_files_are_ordered_are_read_once() {
        let reads: Vec<_> = (0..64).map(|_| Cell::new(0_u64)).collect();
        let files = super::by_age((0..reads.len()).collect(), |&file| {
            reads[file].set(reads[file].get() + 1);
            // Falls with the first reading, and would rise with each further one.
            64 * reads[file].get() - u64::try_from(file).unwrap()
        });
        assert!(files.is_sorted_by(|before, after| before > after), "{files:?}");
        assert!(reads.iter().all(|reads| reads.get() == 1), "{reads:?}");
    }
}
