//! What can go wrong with sealing and with the key file. Says nothing of whose data it is.

use std::path::PathBuf;

/// A command that cannot be sealed, and so is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Every generation of the subject's keys was destroyed.
    #[error("the subject was forgotten too often for a new key")]
    NoKey,
    /// The cipher refused, which it does for sizes it cannot have been given.
    #[error("the cipher refused")]
    Cipher,
}

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SubjectFileError {
    /// A file or folder.
    #[error("{what} {path}: {source}")]
    File {
        /// What was attempted.
        what: &'static str,
        /// On which.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Not what was written.
    #[error("{path} is damaged ({why}): put its newest backup back")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another store's.
    #[error("{path} belongs to another store: put this store's own back")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// No randomness.
    #[error("read randomness: {0}")]
    Randomness(getrandom::Error),
}

impl SubjectFileError {
    pub(super) fn file(
        what: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}
