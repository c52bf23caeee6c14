//! The core ring: one `io_uring` per core that carries every byte of requests, answers and log.
//!
//! Owns the ring, the sockets, the receive pool and every operation in flight. Knows nothing of an
//! executor: [`CoreRing`] is driven by whoever calls it, and two hosts are at hand.
//!
//! ```text
//!            host (glommio task, or a bare thread)
//!              |  turn: submit what is queued, reap what is done
//!              v
//!  node <-- pop() -- CoreRing -- submissions --> kernel
//!              ^        |  ^ completions
//!              |        |  +--- eventfd: wakes the host when it sleeps
//!              |        +------ doorbell (MSG_RING) to another core's ring
//!              +--------------- bell (flag, eventfd): any thread, through a `RingWaker`
//! ```
//!
//! Invariants:
//! - One thread: a ring is made, driven and dropped on one thread (`SINGLE_ISSUER`).
//! - Whatever the kernel may still touch is owned by the ring until the completion says otherwise,
//!   through a drop as well.
//! - User data is a type (`user_data`); no completion can be taken for another.
//! - A host never waits with entries unsubmitted ([`CoreRing::prepare_park`]).
//! - At most one send per connection is in flight.
//!
//! Deliberately absent: protocols (see `ingest`), the order of log writes (see `log`), policy on
//! who may connect.

mod accept;
mod bell;
mod completion;
mod connection;
mod core_ring;
mod doorbell;
mod error;
mod host;
mod listener;
mod metrics;
mod network;
mod parking;
mod setup;
mod storage;
mod table;
mod tear_down;
#[cfg(test)]
mod tests;
mod user_data;

pub use completion::{Completion, ConnectionId, ListenerId, PostSource, ReceiveEnd, TimerId};
pub use core_ring::CoreRing;
pub use doorbell::{RingAddress, RingWaker};
pub use error::RingError;
pub use host::{GLOMMIO_IO_MEMORY_BYTES, GlommioHost, GlommioHostShape, HostNudger, HostSignal};
pub use listener::{ClaimedAddress, backlog_count_max};
pub use metrics::RingMetrics;
pub use setup::RingShape;
pub use storage::{SyncRequest, WriteDurability, WriteRequest};
