//! Why a node does not start.
//!
//! Every variant says what was attempted and what to do. What goes wrong later is in `fatal`.

use std::net::SocketAddr;
use std::path::PathBuf;

use claw_common::id::Id;

use crate::node::{certificate, keys};
use crate::subjects::SubjectFileError;

use super::rebuild::RebuildError;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The clock is far behind the log.
    #[error(
        "the system clock is {behind_ms} ms behind the log's last event; set the clock, then start"
    )]
    ClockBehind {
        /// By how much.
        behind_ms: u64,
    },
    /// The certificate.
    #[error("{0}")]
    Certificate(#[from] certificate::CertificateError),
    /// The vault.
    #[error("start the vault: {reason}; see vault.toml, or set payments.kind = \"none\"")]
    Vault {
        /// Why.
        reason: String,
    },
    /// Keys.
    #[error("{0}")]
    Keys(#[from] keys::KeyLoadError),
    /// The device.
    #[error("{0}")]
    Log(#[from] crate::log::LogError),
    /// The device's URL.
    #[error("{0}")]
    Device(#[from] crate::log::DeviceUrlError),
    /// More than one device.
    #[error("{count} devices are given, and mirrors are not available in this version: give one")]
    Mirror {
        /// How many.
        count: usize,
    },
    /// Reading the log.
    #[error("{0}")]
    Read(#[from] crate::log::ReadError),
    /// What was signed, or the key to sign with.
    #[error("{0}")]
    Proofs(#[from] crate::log::proof::ProofError),
    /// Recovery.
    #[error("{0}")]
    Recover(#[from] crate::log::RecoverError<RebuildError>),
    /// The shards in the log are not those of the configuration.
    #[error("the store was made with {found} shards and store.toml says {configured}: put it back")]
    ShardsChanged {
        /// In the log.
        found: u16,
        /// In the configuration.
        configured: u16,
    },
    /// The address cannot be had.
    #[error("listen on {address}: {reason}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The key file of subjects.
    #[error("{0}")]
    Subjects(#[from] SubjectFileError),
    /// The key file would bring back what was forgotten.
    #[error(
        "subjects/keys is older than the log: {missing} subjects forgotten since could be read \
         again; run `claw forget --again`, then start"
    )]
    SubjectsOlder {
        /// How many.
        missing: u64,
    },
    /// The log is not of this store.
    #[error(
        "the log in {path} is of the store with id {found}, not {configured}: name its own --store"
    )]
    StoreChanged {
        /// The data folder.
        path: PathBuf,
        /// In the log.
        found: Id,
        /// In the configuration.
        configured: Id,
    },
    /// A core did not start.
    #[error("core {core}: {reason}")]
    Core {
        /// Which.
        core: u8,
        /// Why.
        reason: String,
    },
}

/// An error with its sources on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
