//! What can go wrong with a ring itself, as opposed to one operation on it.
//!
//! The result of one operation is a completion; an error here means that the ring cannot carry
//! anything any more, so the node stops.

use std::io;

use crate::buffer::BufferError;

/// A ring could not be made or driven.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The executor that hosts the ring could not wait for its eventfd.
    #[error("waiting for the eventfd of the core ring failed")]
    Await(#[source] io::Error),
    /// Memory for the ring's pools is missing.
    #[error("taking memory for the core ring failed")]
    Buffer(#[from] BufferError),
    /// The kernel refused the ring.
    #[error("creating the core ring failed; Linux 6.1 or newer with io_uring allowed is needed")]
    Create(#[source] io::Error),
    /// The kernel refused to take or give entries.
    #[error("entering the core ring failed")]
    Enter(#[source] io::Error),
    /// An eventfd could not be made.
    #[error("creating an eventfd for the core ring failed; raise the limit on open files")]
    EventFd(#[source] io::Error),
    /// A listening socket could not be made.
    #[error("listening on {address} failed")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel refused a placement of its workers.
    #[error("placing the workers of the core ring on other cores failed")]
    PlaceWorkers(#[source] io::Error),
    /// The log arena could not be registered.
    #[error(
        "registering {size_bytes} bytes of log buffers with io_uring failed; raise the \
         memlock limit (LimitMEMLOCK=infinity, or ulimit -l)"
    )]
    RegisterArena {
        /// How much was to be pinned.
        size_bytes: usize,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The eventfd could not be registered.
    #[error("registering the eventfd of the core ring failed")]
    RegisterEventFd(#[source] io::Error),
    /// The receive pool could not be registered.
    #[error(
        "registering the receive buffers with io_uring failed; raise the memlock limit \
         (LimitMEMLOCK=infinity, or ulimit -l)"
    )]
    RegisterReceivePool(#[source] io::Error),
    /// A socket for connecting could not be made.
    #[error("opening a socket failed; raise the limit on open files")]
    Socket(#[source] io::Error),
    /// Every place of a bounded table is taken.
    #[error("the core ring already has {count_max} {purpose}")]
    TableFull {
        /// What the table holds.
        purpose: &'static str,
        /// Its bound.
        count_max: usize,
    },
}
