//! Stopping the whole node when the world cannot be trusted any more.
//!
//! A panic would stop one core and leave its siblings serving half a store, so every such stop goes
//! through [`fatal`]: one line on standard error and a stable exit code. Nothing acknowledged is
//! lost by it: what was acknowledged is durable, what was not is recovered or cut at the next
//! start.

use std::io::Write as _;

/// Exit code of a node that could no longer promise durability.
pub const EXIT_NOT_DURABLE: i32 = 3;

/// Why a node stops at once.
#[derive(Debug, thiserror::Error)]
pub enum FatalReason {
    /// A log write or flush failed or came back short.
    #[error(
        "log write failed: {0}; every acknowledged command is durable, nothing else was answered"
    )]
    LogWrite(String),
    /// The device or the store could not be read or prepared while serving.
    #[error("log device failed: {0}")]
    LogDevice(String),
    /// The core's ring failed.
    #[error("io_uring failed: {0}")]
    Ring(String),
    /// Replaying the durable log gave another state than the live one.
    #[error("replay differs from the live state: {0}; stop serving and keep the data directory")]
    Diverged(String),
    /// What was signed could not be kept, or not be signed on.
    #[error("checkpoints: {0}")]
    Proofs(String),
    /// A core's thread ended although nobody asked it to.
    #[error("a core stopped by itself: {0}")]
    CoreLost(String),
}

/// Says why and ends the process with [`EXIT_NOT_DURABLE`].
#[expect(clippy::exit, reason = "the one place that may: a panic would stop one core only")]
pub fn fatal(reason: &FatalReason) -> ! {
    // Standard error may be gone; there is nobody left to tell.
    drop(writeln!(std::io::stderr().lock(), "claw: fatal: {reason}"));
    std::process::exit(EXIT_NOT_DURABLE);
}
