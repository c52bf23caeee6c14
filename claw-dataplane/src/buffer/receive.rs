//! The receive pool: buffers the kernel picks from by itself when bytes arrive.
//!
//! Owns the buffers and the ring of descriptors through which they are lent to the kernel. A
//! buffer comes back as a [`ReceivedBuffer`] and returns to the kernel when that is dropped, so
//! holding one is backpressure: no buffers left ends the multishot receives, the TCP windows
//! close, and receiving starts again once [`ReceivePool::is_replenished`].
//!
//! Invariant: each buffer is either with the kernel or in exactly one `ReceivedBuffer`.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;
use memmap2::{MmapOptions, MmapRaw};

use super::BufferError;

const PURPOSE: &str = "the receive pool";
/// The kernel's bound on a ring of provided buffers.
const BUFFERS_COUNT_MAX: u16 = 1 << 15;

/// Sizes of a [`ReceivePool`].
#[derive(Clone, Copy, Debug)]
pub struct ReceiveShape {
    /// How many buffers; a power of two.
    pub buffers_count: u16,
    /// Size of each.
    pub buffer_bytes: u32,
    /// Receiving that ended for want of buffers resumes when this many are with the kernel.
    pub resume_count: u16,
}

impl Default for ReceiveShape {
    /// 8 MiB per core: 1024 x 8 KiB, resumed at an eighth.
    fn default() -> Self {
        Self { buffers_count: 1024, buffer_bytes: 8 * 1024, resume_count: 128 }
    }
}

/// The receive buffers of one core.
#[derive(Debug)]
pub struct ReceivePool {
    descriptors: MmapRaw,
    buffers: MmapRaw,
    shape: ReceiveShape,
    /// Next descriptor to write; the kernel sees it once it is stored to the shared tail.
    tail: Cell<u16>,
    /// Buffers that are with the kernel.
    lent_count: Cell<u16>,
}

impl ReceivePool {
    /// Maps and touches the memory, and lends every buffer.
    pub fn map(shape: ReceiveShape) -> Result<Rc<Self>, BufferError> {
        check_shape(shape)?;
        let count = usize::from(shape.buffers_count);
        let pool = Self {
            descriptors: map_zeroed(count * size_of::<BufRingEntry>())?,
            buffers: map_zeroed(count * buffer_size(shape))?,
            shape,
            tail: Cell::new(0),
            lent_count: Cell::new(0),
        };
        for index in 0..shape.buffers_count {
            pool.lend(index);
        }
        Ok(Rc::new(pool))
    }

    /// The sizes it was made with.
    pub fn shape(&self) -> ReceiveShape {
        self.shape
    }

    /// Buffers the kernel can still fill.
    pub fn lent_count(&self) -> u16 {
        self.lent_count.get()
    }

    /// Whether enough buffers are back for receiving to start again.
    pub fn is_replenished(&self) -> bool {
        self.lent_count.get() >= self.shape.resume_count
    }

    /// Where the kernel finds the descriptors.
    pub(crate) fn descriptors_address(&self) -> u64 {
        self.descriptors.as_ptr() as u64
    }

    /// Takes over a buffer that a completion names.
    ///
    /// The ring calls this once for each completion that carries a buffer; that makes the result
    /// the only owner.
    pub(crate) fn take(pool: &Rc<Self>, index: u16, length_bytes: u32) -> ReceivedBuffer {
        assert!(index < pool.shape.buffers_count);
        assert!(length_bytes <= pool.shape.buffer_bytes);
        pool.lent_count.set(pool.lent_count.get() - 1);
        ReceivedBuffer { pool: Rc::clone(pool), index, length_bytes }
    }

    fn buffer_start(&self, index: u16) -> *mut u8 {
        assert!(index < self.shape.buffers_count);
        let offset_bytes = usize::from(index) * buffer_size(self.shape);
        // SAFETY: the index is below the count, so the result lies inside the mapping.
        unsafe { self.buffers.as_mut_ptr().add(offset_bytes) }
    }

    fn lend(&self, index: u16) {
        let tail = self.tail.get();
        let position = usize::from(tail & (self.shape.buffers_count - 1));
        let base: *mut BufRingEntry = self.descriptors.as_mut_ptr().cast();
        // SAFETY: `position` is below the count of descriptors that the mapping holds.
        let entry = unsafe { base.add(position) };
        // SAFETY: the kernel reads descriptors up to the tail only and this one is beyond it; the
        // mapping is page-aligned and zeroed, which is a valid descriptor; one thread owns it.
        let entry = unsafe { &mut *entry };
        entry.set_addr(self.buffer_start(index) as u64);
        entry.set_len(self.shape.buffer_bytes);
        entry.set_bid(index);
        self.tail.set(tail.wrapping_add(1));
        self.lent_count.set(self.lent_count.get() + 1);
        // SAFETY: `base` is the first descriptor, as the function asks.
        let shared_tail = unsafe { BufRingEntry::tail(base) };
        // SAFETY: the tail is a mapped, aligned u16 that the kernel reads with acquire; it is only
        // ever touched through this atomic on our side.
        let shared_tail = unsafe { AtomicU16::from_ptr(shared_tail.cast_mut()) };
        shared_tail.store(self.tail.get(), Ordering::Release);
    }
}

fn buffer_size(shape: ReceiveShape) -> usize {
    usize::try_from(shape.buffer_bytes).expect("a 32-bit size fits the address space")
}

fn check_shape(shape: ReceiveShape) -> Result<(), BufferError> {
    let reason = if !shape.buffers_count.is_power_of_two() {
        "the count of buffers must be a power of two"
    } else if shape.buffers_count > BUFFERS_COUNT_MAX {
        "at most 32768 buffers are possible"
    } else if shape.buffer_bytes == 0 {
        "a buffer must not be empty"
    } else if shape.resume_count == 0 || shape.resume_count > shape.buffers_count {
        "receiving must resume between one buffer and all of them"
    } else {
        return Ok(());
    };
    Err(BufferError::Shape { purpose: PURPOSE, reason })
}

fn map_zeroed(size_bytes: usize) -> Result<MmapRaw, BufferError> {
    let mut map = MmapOptions::new()
        .len(size_bytes)
        .map_anon()
        .map_err(|source| BufferError::Map { purpose: PURPOSE, size_bytes, source })?;
    map.fill(0);
    Ok(MmapRaw::from(map))
}

/// Bytes that arrived. Dropping it lends the buffer to the kernel again.
#[derive(Debug)]
pub struct ReceivedBuffer {
    pool: Rc<ReceivePool>,
    index: u16,
    length_bytes: u32,
}

impl Deref for ReceivedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let length = usize::try_from(self.length_bytes).expect("a 32-bit size fits");
        // SAFETY: the kernel gave this buffer back and does not write it again before `lend`, which
        // only `drop` calls; the range is mapped and lives as long as `self.pool`.
        unsafe { slice::from_raw_parts(self.pool.buffer_start(self.index), length) }
    }
}

/// The bytes may be overwritten, to be decrypted in place, say.
impl DerefMut for ReceivedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        let length = usize::try_from(self.length_bytes).expect("a 32-bit size fits");
        // SAFETY: as for `deref`; and each buffer is in exactly one `ReceivedBuffer`, borrowed
        // mutably here, so nobody else reads or writes the range meanwhile.
        unsafe { slice::from_raw_parts_mut(self.pool.buffer_start(self.index), length) }
    }
}

impl Drop for ReceivedBuffer {
    fn drop(&mut self) {
        self.pool.lend(self.index);
    }
}
