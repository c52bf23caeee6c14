//! What can go wrong while memory is taken at boot.
//!
//! Nothing here happens later: a pool that exists never fails.

use std::io;

/// A pool could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    /// The kernel gave no memory.
    #[error(
        "mapping {size_bytes} bytes for {purpose} failed; lower `memory` or free some on this \
         machine"
    )]
    Map {
        /// What the memory was for.
        purpose: &'static str,
        /// How much was asked.
        size_bytes: usize,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The configured sizes cannot work.
    #[error("{purpose}: {reason}")]
    Shape {
        /// What the memory was for.
        purpose: &'static str,
        /// What is wrong with the sizes.
        reason: &'static str,
    },
}
