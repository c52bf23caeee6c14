//! Memory-mapped pools: the memory that the kernel reads and writes on our behalf.
//!
//! Two pools per core, both mapped, touched and handed to the kernel once at boot:
//!
//! ```text
//!  Arena        | slot 0 | slot 1 | ...      blocks of the log, written with WRITE_FIXED
//!                 Free -> Filling -> InFlight -> Free      (a type each, so no state can be wrong)
//!
//!  ReceivePool  | 8 KiB | 8 KiB | ...        filled by multishot receive
//!                 Kernel -> ReceivedBuffer -> (drop) -> Kernel
//! ```
//!
//! Invariants: a byte is reachable through at most one owner; memory the kernel may still touch is
//! not reachable at all; memory never touched since boot does not exist (a first touch costs up to
//! ten microseconds a page).
//!
//! Beside them [`LargePages`], the binary's allocator, for everything large that is not a pool.
//!
//! Deliberately absent: growth. A pool that is empty is backpressure, not a reason to allocate.

mod arena;
mod error;
mod large_pages;
mod receive;
#[cfg(test)]
mod tests;

pub(crate) use arena::ArenaMemory;
pub use arena::{Arena, ArenaShape, FillingSlot, FreeSlot, InFlightSlot};
pub use error::BufferError;
pub use large_pages::{LARGE_BYTES_MIN, LargePages, populate};
pub use receive::{ReceivePool, ReceiveShape, ReceivedBuffer};
