//! The key file on disk: made once, read by the node, rewritten to forget.
//!
//! Owns `subjects/keys` in a store and how it changes: a whole new file, flushed, put in the old
//! one's place, the folder flushed, then the old one's blocks overwritten and flushed through the
//! handle that is still open. One process at a time (`subjects/lock`). A crash at any point leaves
//! the old file or the new one, whole. What a device keeps of overwritten blocks is beyond a file
//! system: the docs for operators say so.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;

use super::error::SubjectFileError;
use super::keys::{SubjectKeys, decode_and_wipe};

/// The folder in a store.
const FOLDER: &str = "subjects";
const KEYS_FILE: &str = "keys";
const NEXT_FILE: &str = "keys.next";
const LOCK_FILE: &str = "lock";
/// For the node's user alone.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Zeros are written in pieces of this size.
const WIPE_BYTES: usize = 64 * 1024;

/// Where a store's key file is.
pub fn path(store_dir: &Path) -> PathBuf {
    store_dir.join(FOLDER).join(KEYS_FILE)
}

/// When the file was last put in place; `None` where there is none.
pub fn modified(store_dir: &Path) -> Option<SystemTime> {
    fs::metadata(path(store_dir)).and_then(|metadata| metadata.modified()).ok()
}

/// Reads a store's keys; `None` where it has none yet.
pub fn load(store_dir: &Path, store_id: [u8; 16]) -> Result<Option<SubjectKeys>, SubjectFileError> {
    let path = path(store_dir);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SubjectFileError::file("read", &path)(error)),
    };
    let keys = decode_and_wipe(bytes)
        .map_err(|why| SubjectFileError::Damaged { path: path.clone(), why })?;
    if keys.store_id() == store_id {
        Ok(Some(keys))
    } else {
        Err(SubjectFileError::Foreign { path })
    }
}

/// A store's keys, made and durable now where there were none; says which.
pub fn load_or_create(
    store_dir: &Path,
    store_id: [u8; 16],
) -> Result<(SubjectKeys, Origin), SubjectFileError> {
    if let Some(keys) = load(store_dir, store_id)? {
        return Ok((keys, Origin::Found));
    }
    let _lock = lock(store_dir)?;
    if let Some(keys) = load(store_dir, store_id)? {
        return Ok((keys, Origin::Found));
    }
    let mut randomness = Zeroizing::new([0; 64]);
    getrandom::fill(&mut *randomness).map_err(SubjectFileError::Randomness)?;
    let keys = SubjectKeys::new(store_id, &randomness);
    replace(store_dir, &keys)?;
    Ok((keys, Origin::Created))
}

/// Where keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// They were there.
    Found,
    /// They were made now: nothing sealed before can be opened with them.
    Created,
}

/// Changes a store's keys durably, where `change` asks for it by `true`.
pub fn rewrite(
    store_dir: &Path,
    store_id: [u8; 16],
    change: impl FnOnce(&mut SubjectKeys) -> bool,
) -> Result<SubjectKeys, SubjectFileError> {
    let (mut keys, _) = load_or_create(store_dir, store_id)?;
    let _lock = lock(store_dir)?;
    if let Some(newest) = load(store_dir, store_id)? {
        keys = newest;
    }
    if change(&mut keys) {
        replace(store_dir, &keys)?;
    }
    Ok(keys)
}

/// Held until it is dropped.
fn lock(store_dir: &Path) -> Result<File, SubjectFileError> {
    let folder = store_dir.join(FOLDER);
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&folder);
    made.map_err(SubjectFileError::file("create", &folder))?;
    let path = folder.join(LOCK_FILE);
    let opened = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(FILE_MODE)
        .open(&path)
        .map_err(SubjectFileError::file("open", &path))?;
    opened.lock().map_err(SubjectFileError::file("lock", &path))?;
    Ok(opened)
}

/// Puts new keys in the place of the old ones, and overwrites those.
fn replace(store_dir: &Path, keys: &SubjectKeys) -> Result<(), SubjectFileError> {
    let folder = store_dir.join(FOLDER);
    let (path, next) = (folder.join(KEYS_FILE), folder.join(NEXT_FILE));
    let old = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(SubjectFileError::file("open", &path)(error)),
    };
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true).mode(FILE_MODE);
        let mut file = options.open(&next)?;
        file.write_all(&keys.encode())?;
        file.sync_all()
    };
    write().map_err(SubjectFileError::file("write", &next))?;
    fs::rename(&next, &path).map_err(SubjectFileError::file("put in place", &path))?;
    let folder_synced = File::open(&folder).and_then(|opened| opened.sync_all());
    folder_synced.map_err(SubjectFileError::file("flush", &folder))?;
    old.map_or(Ok(()), wipe).map_err(SubjectFileError::file("overwrite the old", &path))
}

/// Overwrites a file that has no name any more.
fn wipe(mut file: File) -> io::Result<()> {
    let size_bytes = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut zeros = io::repeat(0).take(size_bytes);
    let mut piece = vec![0; WIPE_BYTES];
    loop {
        let count = zeros.read(&mut piece)?;
        if count == 0 {
            return file.sync_all();
        }
        file.write_all(&piece[..count])?;
    }
}
