//! One shard's checkpoints: signed notes, one after the other, only ever appended.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use claw_common::id::{Id, ShardId};

use super::checkpoint::{Checkpoint, SignedNote, notes};
use super::error::ProofError;
use crate::log::ReadError;

/// Longer than any note; a cosigned one has a line more for each node.
const NOTE_BYTES_MAX: u64 = 16 * 1024;

/// Where a shard's checkpoints are.
pub fn checkpoints_path(proofs: &Path, shard: ShardId) -> PathBuf {
    proofs.join(format!("shard-{:03}.checkpoints", shard.0))
}

/// See the module.
#[derive(Debug)]
pub struct CheckpointFile {
    file: File,
    path: PathBuf,
    last: Option<Checkpoint>,
    last_note: String,
}

impl CheckpointFile {
    /// Opens or makes the file. Its last whole note must be this key's and this shard's; half a
    /// note behind it is what a crash left of one that nobody has seen, and is cut off.
    pub fn open(proofs: &Path, of: (Id, ShardId), public: &[u8; 32]) -> Result<Self, ProofError> {
        let path = checkpoints_path(proofs, of.1);
        let mut options = OpenOptions::new();
        let opened = options.read(true).append(true).create(true).open(&path);
        let mut file = opened.map_err(ReadError::file("open", &path))?;
        let length = file.metadata().map_err(ReadError::file("measure", &path))?.len();
        let tail_at = length.saturating_sub(NOTE_BYTES_MAX);
        let mut tail = Vec::new();
        let read = file.seek(SeekFrom::Start(tail_at)).and_then(|_| file.read_to_end(&mut tail));
        read.map_err(ReadError::file("read", &path))?;
        // The front may be half a note, or half a character.
        let front = if tail_at == 0 { 0 } else { line_start(&tail) };
        let whole = front + whole_bytes(&tail[front..]);
        let text = std::str::from_utf8(&tail[front..whole]).unwrap_or_default();
        let refuse = |reason: String| ProofError::Checkpoints { path: path.clone(), reason };
        let last_note = notes(text).0.last().copied().unwrap_or_default().to_owned();
        if last_note.is_empty() && tail_at > 0 {
            return Err(refuse("it ends in no checkpoint; restore it from a copy".to_owned()));
        }
        let last = if last_note.is_empty() {
            None
        } else {
            let verified = SignedNote::parse(&last_note).and_then(|note| note.verify(public));
            let last = verified.map_err(|error| {
                refuse(format!("its last checkpoint: {error}; restore it, or keys/node.pem"))
            })?;
            if (last.store, last.shard) != of {
                return Err(refuse("it is of another store or shard: files were mixed up".into()));
            }
            Some(last)
        };
        let kept = tail_at + u64::try_from(whole).unwrap_or(0);
        if kept < length {
            file.set_len(kept).map_err(ReadError::file("cut", &path))?;
        }
        Ok(Self { file, path, last, last_note })
    }

    /// The last checkpoint.
    pub const fn last(&self) -> Option<&Checkpoint> {
        self.last.as_ref()
    }

    /// Its note; empty for none.
    pub fn last_note(&self) -> &str {
        &self.last_note
    }

    /// Appends a note durably.
    pub fn append(&mut self, checkpoint: Checkpoint, note: String) -> Result<(), ProofError> {
        let written = self.file.write_all(note.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(ReadError::file("write", &self.path))?;
        self.last = Some(checkpoint);
        self.last_note = note;
        Ok(())
    }

    /// All notes of a shard, for those who look from outside; none when there is no file.
    pub fn read_all(proofs: &Path, shard: ShardId) -> Result<String, ProofError> {
        let path = checkpoints_path(proofs, shard);
        match fs::read(&path) {
            Ok(bytes) => {
                let whole = whole_bytes(&bytes);
                String::from_utf8(bytes[..whole].to_vec()).map_err(|_invalid| {
                    ProofError::Checkpoints { path, reason: "it is not text".to_owned() }
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(ReadError::file("read", path)(error).into()),
        }
    }
}

/// Where the first line after the front begins.
fn line_start(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1)
}

/// Bytes up to the end of the last whole signature line.
fn whole_bytes(bytes: &[u8]) -> usize {
    let mut end = bytes.len();
    while let Some(at) = bytes[..end].iter().rposition(|&byte| byte == b'\n') {
        let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if bytes[start..at].starts_with("\u{2014} ".as_bytes()) {
            return at + 1;
        }
        end = at;
    }
    0
}
