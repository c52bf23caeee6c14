//! The arena: one anonymous map per core, cut into slots that hold one block of the log each.
//!
//! Owns the memory that is registered with the ring. A slot's state is its type, and each slot
//! exists once, so a block cannot be changed while the device reads it:
//!
//! ```text
//!  FreeSlot --fill()--> FillingSlot --seal(length)--> InFlightSlot --completion--> FreeSlot
//! ```
//!
//! Why anonymous: a shared file mapping cannot be registered with `io_uring`.
//! Does not clear slots between uses: whoever fills a block pads it.

use std::io;
use std::rc::Rc;
use std::slice;

use claw_common::limits::{BLOCK_ALIGN_BYTES, BLOCK_BYTES_MAX};
use memmap2::{Advice, MmapOptions, MmapRaw};

use super::BufferError;

const PURPOSE: &str = "the log arena";
/// Slots that an arena has unless told otherwise: four in flight, and room for the shards of one
/// core to fill the next ones.
const SLOTS_COUNT_DEFAULT: usize = 16;

/// Sizes of an [`Arena`].
#[derive(Clone, Copy, Debug)]
pub struct ArenaShape {
    /// How many blocks can be filling or in flight at once.
    pub slots_count: usize,
    /// Largest block, a multiple of [`BLOCK_ALIGN_BYTES`].
    pub slot_bytes: usize,
}

impl Default for ArenaShape {
    fn default() -> Self {
        Self { slots_count: SLOTS_COUNT_DEFAULT, slot_bytes: BLOCK_BYTES_MAX }
    }
}

/// The mapping itself, kept alive by every slot and by the ring it is registered with.
#[derive(Debug)]
pub(crate) struct ArenaMemory {
    map: MmapRaw,
}

impl ArenaMemory {
    /// The whole map, to be registered as one buffer.
    pub(crate) fn iovec(&self) -> libc::iovec {
        libc::iovec { iov_base: self.map.as_mut_ptr().cast(), iov_len: self.map.len() }
    }
}

/// The log arena of one core.
#[derive(Debug)]
pub struct Arena {
    memory: Rc<ArenaMemory>,
    shape: ArenaShape,
}

impl Arena {
    /// Maps and touches the memory; hands out every slot, once.
    pub fn map(shape: ArenaShape) -> Result<(Self, Vec<FreeSlot>), BufferError> {
        check_shape(shape)?;
        let size_bytes = shape.slots_count * shape.slot_bytes;
        let map_failed =
            |source: io::Error| BufferError::Map { purpose: PURPOSE, size_bytes, source };
        let mut map = MmapOptions::new().len(size_bytes).map_anon().map_err(map_failed)?;
        // Miri has no notion of advice.
        if !cfg!(miri)
            && let Err(error) = map.advise(Advice::HugePage)
        {
            log::debug!("the log arena uses small pages: {error}");
        }
        map.fill(0);
        let memory = Rc::new(ArenaMemory { map: MmapRaw::from(map) });
        let slots = (0..shape.slots_count)
            .map(|index| {
                FreeSlot(Slot {
                    memory: Rc::clone(&memory),
                    offset_bytes: index * shape.slot_bytes,
                    size_bytes: shape.slot_bytes,
                })
            })
            .collect();
        Ok((Self { memory, shape }, slots))
    }

    /// The sizes it was made with.
    pub fn shape(&self) -> ArenaShape {
        self.shape
    }

    pub(crate) fn memory(&self) -> &Rc<ArenaMemory> {
        &self.memory
    }
}

fn check_shape(shape: ArenaShape) -> Result<(), BufferError> {
    let reason = if shape.slots_count == 0 {
        "at least one slot is needed"
    } else if shape.slot_bytes == 0 || !shape.slot_bytes.is_multiple_of(BLOCK_ALIGN_BYTES) {
        "a slot must be a multiple of 4096 bytes"
    } else if shape.slot_bytes > BLOCK_BYTES_MAX {
        "a slot must not be larger than the largest block"
    } else {
        return Ok(());
    };
    Err(BufferError::Shape { purpose: PURPOSE, reason })
}

/// One slot's place in the map. Exists once per slot: it is moved between the states, never copied.
#[derive(Debug)]
struct Slot {
    memory: Rc<ArenaMemory>,
    offset_bytes: usize,
    size_bytes: usize,
}

impl Slot {
    fn start(&self) -> *mut u8 {
        assert!(self.offset_bytes + self.size_bytes <= self.memory.map.len());
        // SAFETY: the assertion above keeps the result inside the one mapping.
        unsafe { self.memory.map.as_mut_ptr().add(self.offset_bytes) }
    }
}

/// A slot nobody uses.
#[derive(Debug)]
pub struct FreeSlot(Slot);

impl FreeSlot {
    /// Starts a block. The bytes are whatever the last block left.
    pub fn fill(self) -> FillingSlot {
        FillingSlot(self.0)
    }
}

/// A slot in which a block is being built.
#[derive(Debug)]
pub struct FillingSlot(Slot);

impl FillingSlot {
    /// The bytes of the slot.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: this is the only `Slot` for the range, the kernel does not know of it in this
        // state, the range is mapped, was written at boot, and lives as long as `self.0.memory`.
        unsafe { slice::from_raw_parts(self.0.start(), self.0.size_bytes) }
    }

    /// The bytes of the slot, to build a block in.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` makes this the only reference.
        unsafe { slice::from_raw_parts_mut(self.0.start(), self.0.size_bytes) }
    }

    /// Ends the block: its first `length_bytes` are to be written and cannot change any more.
    pub fn seal(self, length_bytes: usize) -> InFlightSlot {
        assert!(length_bytes > 0);
        assert!(length_bytes.is_multiple_of(BLOCK_ALIGN_BYTES));
        assert!(length_bytes <= self.0.size_bytes);
        InFlightSlot { slot: self.0, length_bytes }
    }

    /// Gives the slot back without writing it.
    pub fn abandon(self) -> FreeSlot {
        FreeSlot(self.0)
    }
}

/// A slot whose block the device may be reading.
#[derive(Debug)]
pub struct InFlightSlot {
    slot: Slot,
    length_bytes: usize,
}

impl InFlightSlot {
    /// The block. Reading beside the device is harmless: neither side writes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: no mutable reference exists in this state and the kernel only reads; the range is
        // mapped, was written at boot, and lives as long as `self.slot.memory`.
        unsafe { slice::from_raw_parts(self.slot.start(), self.length_bytes) }
    }

    /// The only way back. For whoever owns the write, once the kernel has answered.
    pub(crate) fn complete(self) -> FreeSlot {
        FreeSlot(self.slot)
    }

    /// Whether the slot lies in the memory that a ring has registered.
    pub(crate) fn lies_in(&self, memory: &Rc<ArenaMemory>) -> bool {
        Rc::ptr_eq(&self.slot.memory, memory)
    }
}
