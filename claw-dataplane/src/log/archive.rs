//! The archive: sealed segments that every snapshot covers, copied, checked, then given free.
//!
//! ```text
//!  live, covered -copy-> archive (flushed, compared) -superblock-> archived -superblock-> free
//! ```
//! Owns the order, which makes a crash at any point harmless: a segment is given free only when the
//! superblock that says so is durable, and that only after its copy is. With [`Retention::Discard`]
//! the copy is left out, by the operator's word.
//!
//! A segment whose records no checkpoint covers yet stays live: the trees are built from it.
//!
//! Runs beside the node on a housekeeping thread. The node hands over its streams' superblocks for
//! the time (nobody else writes them while it runs) and takes the freed segments back.
//! Deliberately keeps the segment that is being written, whatever covers it.

use std::fs;
use std::path::{Path, PathBuf};

use claw_core::log::{
    BlockPlace, BlockView, Retained, SegmentUse, StreamTail, Superblock, archive_file_name,
    parse_archive_file_name,
};

use super::paths::LogPaths;
use super::read_error::ReadError;
use super::reader::{Scope, StoreLog, StreamLog};
use super::snapshot::covered_positions;
use super::superblock::{write_new, write_superblock};

/// What happens to covered segments before they are used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retention {
    /// Copied to the archive.
    #[default]
    Archive,
    /// Forgotten.
    Discard,
}

/// What one pass did for one stream.
#[derive(Clone, Debug)]
pub struct Freed {
    /// The stream's newest superblock.
    pub superblock: Superblock,
    /// Segments that may be used again, with the generations they held.
    pub segments: Vec<SegmentUse>,
}

/// Archives and frees what every kept snapshot of every shard covers and its last checkpoint too
/// (`signed`: records of each shard in a signed tree); one entry per stream.
pub fn archive(
    paths: &LogPaths,
    retention: Retention,
    signed: &[u64],
) -> Result<Vec<Freed>, ReadError> {
    let (log, tails) = StoreLog::read(paths, Scope::Live, &mut |_| {})?;
    let shape = tails[0].superblock.shape;
    let mut covered = covered_positions(&paths.snapshots, shape.store_id, shape.shards_count)?;
    for (covered, signed) in covered.iter_mut().zip(signed) {
        *covered = (*covered).min(*signed);
    }
    if retention == Retention::Archive {
        fs::create_dir_all(&paths.archive).map_err(ReadError::file("create", &paths.archive))?;
    }
    let pass = Pass { paths, retention, covered };
    log.streams().iter().zip(&tails).map(|(stream, tail)| pass.stream(stream, tail)).collect()
}

struct Pass<'a> {
    paths: &'a LogPaths,
    retention: Retention,
    covered: Vec<u64>,
}

impl Pass<'_> {
    fn stream(&self, log: &StreamLog, tail: &StreamTail) -> Result<Freed, ReadError> {
        let mut superblock = tail.superblock.clone();
        let mut segments = Vec::new();
        for (segment, next) in tail.segments.iter().zip(tail.segments.iter().skip(1)) {
            if !self.covers(log, tail, segment) {
                break;
            }
            if self.retention == Retention::Archive {
                self.copy(log, tail.superblock.stream, segment)?;
                superblock = superblock.archived(next.generation);
                write_superblock(&self.paths.data, &superblock)?;
            }
            superblock = superblock.freed(Retained {
                generation: next.generation,
                sequence: next.first_sequence,
                previous: next.first_previous,
            });
            write_superblock(&self.paths.data, &superblock)?;
            segments.push(*segment);
        }
        Ok(Freed { superblock, segments })
    }

    /// Whether all records of a segment lie at or below the covered positions.
    fn covers(&self, log: &StreamLog, tail: &StreamTail, segment: &SegmentUse) -> bool {
        let mut own = tail.blocks.iter().filter(|place| place.generation == segment.generation);
        own.all(|place| {
            BlockView::reread(log.bytes_at(place)).is_ok_and(|view| {
                view.shard().is_none_or(|shard| {
                    let covered = self.covered.get(usize::from(shard.0));
                    covered.is_some_and(|&covered| view.sequence_last() <= covered)
                })
            })
        })
    }

    fn copy(&self, log: &StreamLog, stream: u16, segment: &SegmentUse) -> Result<(), ReadError> {
        let place =
            BlockPlace { segment: segment.segment, generation: segment.generation, offset: 0 };
        // Behind the last block there is nothing of this generation.
        let bytes = &log.bytes_at(&place)[..segment.used_bytes];
        let path = self.paths.archive.join(archive_file_name(stream, segment.generation));
        write_new(&path, &[bytes])?;
        compare(&path, bytes)
    }
}

/// Reads the copy back. The page cache may answer; rot on the disk is found by `claw log verify`.
fn compare(path: &Path, bytes: &[u8]) -> Result<(), ReadError> {
    let copy = fs::read(path).map_err(ReadError::file("read", path))?;
    if copy == bytes { Ok(()) } else { Err(ReadError::ArchiveDiffers { path: path.to_owned() }) }
}

/// Archived segments of a stream in order.
pub fn archived_segments(archive: &Path, stream: u16) -> Result<Vec<(u64, PathBuf)>, ReadError> {
    if !archive.is_dir() {
        return Ok(Vec::new());
    }
    let files = super::reader::list(archive)?.into_iter();
    Ok(files
        .filter_map(|(path, name)| {
            let (named, generation) = parse_archive_file_name(&name)?;
            (named == stream).then_some((generation, path))
        })
        .collect())
}
