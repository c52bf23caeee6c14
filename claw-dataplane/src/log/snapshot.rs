//! Snapshots: a shard's state at a log position, as a file that proves itself.
//!
//! ```text
//!  shard-SS-position-NNNNNNNNNNNNNNNNNNNN[-copy].snapshot
//!  +---------------------+---------------------- - - -+
//!  | SnapshotRaw, 256 B  | body: the state, encoded   |    BLAKE3 over both
//!  +---------------------+---------------------- - - -+
//! ```
//! The position is the last record of a durable block, and the header holds that block's hash, so
//! that the chain goes on from a snapshot even when everything below it is archived.
//!
//! Owns the files: written under a temporary name, flushed, then named; the newest valid one of a
//! shard wins; [`SNAPSHOTS_KEPT`] stay, so that one rotten snapshot costs time, not the store. A
//! shard that fell silent gets its second one at the same position, as a copy: else what it wrote
//! last would never be covered, and nothing behind it in its stream could be archived.
//! Deliberately does not know the state, nor when a snapshot is due.

use std::fs;
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};

use claw_common::checksum::{Digest, blake3_parts};
use claw_common::id::ShardId;
use claw_core::log::ShardStart;
use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::read_error::ReadError;
use super::reader::list;
use super::superblock::write_new;

/// Snapshots of a shard that are kept.
pub const SNAPSHOTS_KEPT: usize = 2;
const SNAPSHOT_MAGIC: [u8; 8] = *b"CLAWSNP1";
const SNAPSHOT_VERSION: u16 = 1;

/// The header as it lies. The hash is computed with its field zero.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SnapshotRaw {
    magic: [u8; 8],
    format_version: U16,
    shard: U16,
    reserved: [u8; 4],
    store_id: [u8; 16],
    sequence: U64,
    body_bytes: U64,
    block_hash: [u8; 32],
    schema_hash: [u8; 32],
    state_hash: [u8; 32],
    hash: [u8; 32],
    reserved_tail: [u8; 80],
}

const HEADER_BYTES: usize = size_of::<SnapshotRaw>();
const _: () = {
    assert!(HEADER_BYTES == 256);
    assert!(offset_of!(SnapshotRaw, hash) == 144);
};

/// What a snapshot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// The store.
    pub store_id: [u8; 16],
    /// The shard.
    pub shard: ShardId,
    /// Its last record, and the hash of the block that ends with it.
    pub start: ShardStart,
    /// Hash of the State-Schema it was made under; a snapshot of another is rebuilt.
    pub schema_hash: Digest,
    /// Hash of the state, to compare with a replay's.
    pub state_hash: Digest,
}

impl SnapshotHeader {
    /// The bytes that stand before `body` in the file.
    pub fn encode(&self, body: &[u8]) -> [u8; HEADER_BYTES] {
        let mut raw = SnapshotRaw::new_zeroed();
        raw.magic = SNAPSHOT_MAGIC;
        raw.format_version = SNAPSHOT_VERSION.into();
        raw.shard = self.shard.0.into();
        raw.store_id = self.store_id;
        raw.sequence = self.start.sequence.into();
        raw.body_bytes = u64::try_from(body.len()).expect("a length fits").into();
        raw.block_hash = self.start.hash;
        raw.schema_hash = self.schema_hash;
        raw.state_hash = self.state_hash;
        raw.hash = blake3_parts(&[raw.as_bytes(), body]);
        zerocopy::transmute!(raw)
    }
}

/// A checked snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    header: SnapshotHeader,
    bytes: Vec<u8>,
}

impl Snapshot {
    /// Checks a file's bytes; `None` when they are damaged or of a layout unknown here.
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        check(&bytes).map(|header| Self { header, bytes })
    }

    /// What it says of itself.
    pub const fn header(&self) -> &SnapshotHeader {
        &self.header
    }

    /// The encoded state.
    pub fn body(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }
}

/// What lies in the snapshots' folder for one shard, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardSnapshots {
    /// Valid ones.
    pub valid: Vec<(PathBuf, SnapshotHeader)>,
    /// Damaged ones, or of another store: worth a warning.
    pub invalid: Vec<PathBuf>,
}

/// Writes a snapshot durably, beside a valid one of the same position as its copy, then removes
/// those beyond [`SNAPSHOTS_KEPT`].
pub fn write_snapshot(
    directory: &Path,
    header: &SnapshotHeader,
    body: &[u8],
) -> Result<PathBuf, ReadError> {
    fs::create_dir_all(directory).map_err(ReadError::file("create", directory))?;
    let name = file_name(header.shard, header.start.sequence);
    let path = directory.join(&name);
    let there = shard_snapshots(directory, header.store_id, header.shard)?;
    let path = if there.valid.iter().any(|(valid, _)| *valid == path) {
        directory.join(copy_name(&name))
    } else {
        path
    };
    write_new(&path, &[&header.encode(body), body])?;
    remove_old(directory, header)?;
    Ok(path)
}

/// Only valid ones count as kept.
fn remove_old(directory: &Path, header: &SnapshotHeader) -> Result<(), ReadError> {
    let found = shard_snapshots(directory, header.store_id, header.shard)?;
    for (path, _) in found.valid.iter().skip(SNAPSHOTS_KEPT) {
        fs::remove_file(path).map_err(ReadError::file("remove", path))?;
    }
    Ok(())
}

/// Reads and checks one snapshot; `None` when it is damaged or of a layout unknown here.
pub fn read_snapshot(path: &Path) -> Result<Option<Snapshot>, ReadError> {
    let bytes = fs::read(path).map_err(ReadError::file("read", path))?;
    Ok(Snapshot::parse(bytes))
}

fn check(bytes: &[u8]) -> Option<SnapshotHeader> {
    let (raw, body) = SnapshotRaw::read_from_prefix(bytes).ok()?;
    let covered = SnapshotRaw { hash: [0; 32], ..raw };
    let known = raw.magic == SNAPSHOT_MAGIC && raw.format_version.get() == SNAPSHOT_VERSION;
    let whole = u64::try_from(body.len()).is_ok_and(|length| length == raw.body_bytes.get());
    if !known || !whole || blake3_parts(&[covered.as_bytes(), body]) != raw.hash {
        return None;
    }
    Some(SnapshotHeader {
        store_id: raw.store_id,
        shard: ShardId(raw.shard.get()),
        start: ShardStart { sequence: raw.sequence.get(), hash: raw.block_hash },
        schema_hash: raw.schema_hash,
        state_hash: raw.state_hash,
    })
}

/// Checks every snapshot of a shard.
pub fn shard_snapshots(
    directory: &Path,
    store_id: [u8; 16],
    shard: ShardId,
) -> Result<ShardSnapshots, ReadError> {
    let mut found = ShardSnapshots::default();
    if !directory.is_dir() {
        return Ok(found);
    }
    for (path, name) in list(directory)?.into_iter().rev() {
        let Some((named, sequence)) = parse_file_name(&name) else { continue };
        if named != shard {
            continue;
        }
        let header = read_snapshot(&path)?.map(|snapshot| snapshot.header);
        let ours = header.filter(|header| {
            let same = header.store_id == store_id && header.shard == shard;
            same && header.start.sequence == sequence
        });
        match ours {
            Some(header) => found.valid.push((path, header)),
            None => found.invalid.push(path),
        }
    }
    Ok(found)
}

/// The position up to which each shard is covered by every snapshot kept: the oldest one's, so that
/// a fall back to it still finds its log. 0 where a shard has fewer than [`SNAPSHOTS_KEPT`].
pub fn covered_positions(
    directory: &Path,
    store_id: [u8; 16],
    shards_count: u16,
) -> Result<Vec<u64>, ReadError> {
    (0..shards_count)
        .map(|shard| {
            let valid = shard_snapshots(directory, store_id, ShardId(shard))?.valid;
            let kept = valid.get(SNAPSHOTS_KEPT - 1);
            Ok(kept.map_or(0, |(_, header)| header.start.sequence))
        })
        .collect()
}

/// Twenty digits, so that the order of names is the order of positions.
fn file_name(shard: ShardId, sequence: u64) -> String {
    format!("shard-{:02}-position-{sequence:020}.snapshot", shard.0)
}

/// Sorts before the name it is a copy of, and after those of earlier positions.
fn copy_name(name: &str) -> String {
    name.replace(".snapshot", "-copy.snapshot")
}

fn parse_file_name(name: &str) -> Option<(ShardId, u64)> {
    let rest = name.strip_prefix("shard-")?.strip_suffix(".snapshot")?;
    let (shard, sequence) = rest.strip_suffix("-copy").unwrap_or(rest).split_once("-position-")?;
    let parsed = (ShardId(shard.parse().ok()?), sequence.parse().ok()?);
    let plain = file_name(parsed.0, parsed.1);
    (plain == name || copy_name(&plain) == name).then_some(parsed)
}
