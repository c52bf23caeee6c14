//! What can go wrong on the device side of the log.
//!
//! Every variant that can happen while serving means that durability cannot be promised any more:
//! the node stops with exit code 3 and this message. Nothing here is retried.

use std::io;
use std::path::PathBuf;

use super::device::DeviceAddress;
use crate::buffer::BufferError;
use crate::ring::RingError;

/// The log could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Memory for blocks is missing.
    #[error("taking memory for the log failed")]
    Buffer(#[from] BufferError),
    /// An operation on the store's folder failed.
    #[error("{attempt} {path} failed")]
    File {
        /// What was tried, as a verb.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Another process has the store.
    #[error("the log in {path} is in use by another process; stop it first")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A measurement at start did not finish.
    #[error("probing the device {url} failed")]
    Probe {
        /// Which device.
        url: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The ring is broken.
    #[error("the core ring cannot carry the log")]
    Ring(#[from] RingError),
    /// A file has not the size of a segment.
    #[error(
        "the segment {path} has {found_bytes} bytes and should have {expected_bytes}; was \
         `segment_bytes` changed after the store was made?"
    )]
    SegmentSize {
        /// The file.
        path: PathBuf,
        /// Its size.
        found_bytes: u64,
        /// The configured size.
        expected_bytes: u64,
    },
    /// The device refused a block.
    #[error(
        "writing block {sequence} of stream {stream} at {address} failed; nothing after it is \
         durable"
    )]
    WriteFailed {
        /// The stream.
        stream: u16,
        /// The block's place in it.
        sequence: u64,
        /// Where it was to go.
        address: DeviceAddress,
        /// The device's answer.
        #[source]
        source: io::Error,
    },
    /// The device took a part of a block.
    #[error(
        "writing block {sequence} of stream {stream} at {address} stopped after \
         {written_bytes} of {size_bytes} bytes; is the device full?"
    )]
    WriteShort {
        /// The stream.
        stream: u16,
        /// The block's place in it.
        sequence: u64,
        /// Where it was to go.
        address: DeviceAddress,
        /// What was taken.
        written_bytes: usize,
        /// What was to be written.
        size_bytes: usize,
    },
}

impl LogError {
    /// Turns a failed call into an error that says what was attempted.
    pub(super) fn file(
        attempt: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { attempt, path, source }
    }
}
