//! What a ring is made of, and what is registered with the kernel once, at boot.
//!
//! Owns the sizes and their reasons. Does not drive anything.

use std::mem;
use std::rc::Rc;

use io_uring::IoUring;

use super::{CoreRing, RingError};
use crate::buffer::{Arena, ReceivePool, ReceiveShape};

/// The one group of provided buffers a ring has.
pub(super) const RECEIVE_GROUP: u16 = 0;
/// Completions per submission place: a burst of receives must not overflow the queue.
const COMPLETIONS_PER_ENTRY: u32 = 4;
/// Cores that a set of the C library has room for.
const CPUS_MAX: usize = 1024;
/// Listening sockets per ring: requests, the wire, and room for tests.
pub(super) const LISTENERS_MAX: usize = 8;
/// Timers per ring. The shards have a timing wheel; the ring's timers only drive it.
pub(super) const TIMERS_MAX: usize = 64;
/// File operations in flight per ring: the log's four, and room for superblocks and flushes.
pub(super) const FILE_OPERATIONS_MAX: usize = 64;
/// Sizes of a ring.
#[derive(Clone, Copy, Debug)]
pub struct RingShape {
    /// The core, as other cores see it in doorbells.
    pub core: u16,
    /// Entries of the submission queue; the completion queue is four times as long.
    pub entries_count: u32,
    /// Connections at once. More are closed as soon as they are accepted.
    pub connections_max: usize,
    /// The receive pool.
    pub receive: ReceiveShape,
}

impl Default for RingShape {
    fn default() -> Self {
        Self {
            core: 0,
            entries_count: 1024,
            connections_max: 16 * 1024,
            receive: ReceiveShape::default(),
        }
    }
}

impl CoreRing {
    /// Pins the log arena for `WRITE_FIXED`. Once per ring; failing is fatal.
    pub fn register_arena(&mut self, arena: &Arena) -> Result<(), RingError> {
        assert!(self.arena.is_none(), "one arena per ring");
        let iovec = arena.memory().iovec();
        // SAFETY: the range is mapped, and the ring keeps the memory alive until it is torn down.
        unsafe { self.uring.0.submitter().register_buffers(&[iovec]) }
            .map_err(|source| RingError::RegisterArena { size_bytes: iovec.iov_len, source })?;
        self.arena = Some(Rc::clone(arena.memory()));
        Ok(())
    }

    /// Keeps the kernel's workers for this ring on other cores: one that flushes on the core of a
    /// spinning thread costs milliseconds.
    pub fn place_workers(&mut self, cores: &[usize]) -> Result<(), RingError> {
        // SAFETY: a set of bits is valid as zeros.
        let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
        for core in cores {
            assert!(*core < CPUS_MAX);
            // SAFETY: the core is below the size of the set.
            unsafe { libc::CPU_SET(*core, &mut set) };
        }
        self.uring.0.submitter().register_iowq_aff(&set).map_err(RingError::PlaceWorkers)
    }
}

pub(super) fn build(shape: RingShape) -> Result<IoUring, RingError> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_cqsize(shape.entries_count.next_power_of_two() * COMPLETIONS_PER_ENTRY)
        .build(shape.entries_count)
        .map_err(RingError::Create)
}

pub(super) fn register_pool(uring: &IoUring, pool: &ReceivePool) -> Result<(), RingError> {
    let address = pool.descriptors_address();
    let count = pool.shape().buffers_count;
    // SAFETY: the ring's owner keeps the pool until the ring is gone.
    unsafe { uring.submitter().register_buf_ring_with_flags(address, count, RECEIVE_GROUP, 0) }
        .map_err(RingError::RegisterReceivePool)
}
