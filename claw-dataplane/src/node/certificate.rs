//! The certificate in force: from two files to every core, again whenever they change.
//!
//! Owns the reading and the watch (once a second, by the main thread, away from the data cores) and
//! the place where cores find the newest identity. A pair that cannot be served leaves the one
//! before in force and is told once; connections keep the certificate they began with. Replacing
//! two files is two steps: between them the pair does not match, which is told as such and mended
//! by the next look.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::TlsConfig;
use crate::ingest::tls::{Identity, IdentityError, identify};
use crate::ring::ListenerId;

/// Largest certificate or key file, bytes: a chain of ten large certificates is a quarter of it.
const FILE_BYTES_MAX: u64 = 128 * 1024;
/// Who beside its owner may read a private key.
const OTHERS_MODE: u32 = 0o077;

/// A certificate that cannot come into force.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file.
    #[error("read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file that is no certificate.
    #[error("read {path}: larger than {FILE_BYTES_MAX} bytes, which no certificate is")]
    Large {
        /// Which.
        path: PathBuf,
    },
    /// What is in them.
    #[error("serve {certificate} with {key}: {source}")]
    Identity {
        /// The chain's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: IdentityError,
    },
}

/// Where cores find the identity in force.
#[derive(Debug)]
pub struct Certificates {
    current: Mutex<Identity>,
    /// Raised with each change, so that looking for one costs a load.
    version: AtomicU64,
}

impl Certificates {
    fn new(identity: Identity) -> Self {
        Self { current: Mutex::new(identity), version: AtomicU64::new(1) }
    }

    fn replace(&self, identity: Identity) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = identity;
        self.version.fetch_add(1, Ordering::Release);
    }

    fn newest(&self) -> Identity {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A core's part: its listener and the identity it last saw.
#[derive(Debug)]
pub struct CoreTls {
    /// Where TLS connections arrive; `None` once it is closed.
    pub(super) listener: Option<ListenerId>,
    certificates: Arc<Certificates>,
    seen: Identity,
    seen_version: u64,
}

impl CoreTls {
    /// For connections of `listener`.
    pub fn new(listener: ListenerId, certificates: Arc<Certificates>) -> Self {
        let seen_version = certificates.version.load(Ordering::Acquire);
        let seen = certificates.newest();
        Self { listener: Some(listener), certificates, seen, seen_version }
    }

    /// The identity for a connection that begins now.
    pub(super) fn identity(&mut self) -> Identity {
        let version = self.certificates.version.load(Ordering::Acquire);
        if version != self.seen_version {
            // A change in between is seen with the next connection again, which does no harm.
            self.seen_version = version;
            self.seen = self.certificates.newest();
        }
        Arc::clone(&self.seen)
    }
}

/// What tells one state of a file from the next: a link that was turned to another file counts.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

/// Looks after the two files.
#[derive(Debug)]
pub struct CertificateWatch {
    files: TlsConfig,
    seen: [Stamp; 2],
    certificates: Arc<Certificates>,
}

impl CertificateWatch {
    /// Reads the pair; a pair that cannot be served is an error here and only here.
    pub fn start(files: TlsConfig) -> Result<Self, CertificateError> {
        let seen = stamps(&files);
        let certificates = Arc::new(Certificates::new(load(&files)?));
        Ok(Self { files, seen, certificates })
    }

    /// Where cores find what is in force.
    pub fn certificates(&self) -> Arc<Certificates> {
        Arc::clone(&self.certificates)
    }

    /// Takes a changed pair over; call about once a second.
    pub fn look(&mut self) {
        let stamps = stamps(&self.files);
        if stamps == self.seen {
            return;
        }
        // Stamped before reading: what is written meanwhile is seen with the next look.
        self.seen = stamps;
        match load(&self.files) {
            Ok(identity) => {
                self.certificates.replace(identity);
                log::info!(
                    "certificate {} is in force for new connections",
                    self.files.certificate.display()
                );
            }
            Err(error) => {
                log::error!("certificate not taken over, the one before stays in force: {error}");
            }
        }
    }
}

fn load(files: &TlsConfig) -> Result<Identity, CertificateError> {
    let (chain, _) = read(&files.certificate)?;
    let (key, metadata) = read(&files.key)?;
    if metadata.permissions().mode() & OTHERS_MODE != 0 {
        log::warn!("{} can be read by others than its owner: chmod 600 it", files.key.display());
    }
    identify(&chain, &key).map_err(|source| CertificateError::Identity {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    })
}

fn read(path: &Path) -> Result<(Vec<u8>, Metadata), CertificateError> {
    let failed = |source| CertificateError::Read { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(CertificateError::Large { path: path.to_owned() });
    }
    Ok((std::fs::read(path).map_err(failed)?, metadata))
}

fn stamps(files: &TlsConfig) -> [Stamp; 2] {
    [&files.certificate, &files.key].map(|path| {
        let metadata = std::fs::metadata(path).ok()?;
        let (changed_s, changed_ns) = (metadata.ctime(), metadata.ctime_nsec());
        Some((metadata.dev(), metadata.ino(), changed_s, changed_ns, metadata.len()))
    })
}
