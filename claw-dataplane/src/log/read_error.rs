//! Why a store's log could not be opened, judged, snapshotted or archived.

use std::io;
use std::path::PathBuf;

use claw_core::log::{ChainError, RecoveryError, SuperblockError};

/// What went wrong on the reading side of the log.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file could not be read or written.
    #[error("{action} {path}: {source}")]
    File {
        /// What was attempted.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There are no superblocks.
    #[error("{path} holds no log: run `claw init`, or name the right --store")]
    NotFormatted {
        /// The data folder.
        path: PathBuf,
    },
    /// A superblock file is of no use.
    #[error("{path}: {source}")]
    Superblock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SuperblockError,
    },
    /// Superblocks of two stores, or of a stream that its name does not say.
    #[error("{path} belongs to another store or stream: files were mixed up")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The store had a stream that is not there.
    #[error("stream {stream} of {streams_count} is missing in {path}: restore its files")]
    StreamMissing {
        /// The stream.
        stream: u16,
        /// How many there must be.
        streams_count: u16,
        /// The data folder.
        path: PathBuf,
    },
    /// A stream's blocks are damaged.
    #[error("{path}: {source}")]
    Damaged {
        /// The file with the first damage.
        path: PathBuf,
        /// What and where.
        source: RecoveryError,
    },
    /// The shards' records are not whole.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Every scan found other damage.
    #[error("{path}: the running node writes faster than this can read: try again")]
    Unsteady {
        /// The data folder.
        path: PathBuf,
    },
    /// A copy in the archive is not what was copied.
    #[error("archived {path} differs from its segment: the archive's disk is faulty")]
    ArchiveDiffers {
        /// The copy.
        path: PathBuf,
    },
}

impl ReadError {
    /// For `map_err`.
    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
