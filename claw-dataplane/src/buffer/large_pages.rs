//! The allocator of the `claw` binary: whatever is large lies in huge pages when there are any.
//!
//! The tables of a shard (slabs, indices, remembered answers) are taken once at boot, are hundreds
//! of megabytes, and are looked up in random order: in pages of 4 KiB nearly every look-up misses
//! the TLB as well as the cache, and every page costs a fault when it is first touched. `claw-core`
//! allocates them the ordinary way and must not know of pages, so the allocator does: from
//! [`LARGE_BYTES_MIN`] on each allocation is its own anonymous map with `MADV_HUGEPAGE`.
//!
//! Which path an allocation took follows from its layout alone. Everything smaller is the system
//! allocator's. Advice that the kernel does not take is no error: the memory is as good, only
//! slower.
//!
//! A map has no memory until it is touched, and the first touch of a huge page waits until the
//! kernel has found one and cleared its two mebibytes: milliseconds, in which nobody is answered.
//! [`populate`] touches what there is from a thread that nobody waits for. For it the first
//! [`MAPS_MAX`] maps are remembered; those beyond are touched by whoever uses them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// From here on an allocation is mapped by itself.
pub const LARGE_BYTES_MIN: usize = 8 << 20;
/// A huge page: lengths are multiples of it, and the kernel then aligns the map to it too.
const HUGE_PAGE_BYTES: usize = 2 << 20;
/// Alignment that every map has.
const PAGE_BYTES: usize = 4096;
/// Maps that are remembered: a node of 32 shards has not more.
const MAPS_MAX: usize = 512;

/// A map, from the moment that its bytes are not zero.
struct Map {
    start: AtomicUsize,
    bytes: AtomicUsize,
}

static MAPS: [Map; MAPS_MAX] =
    [const { Map { start: AtomicUsize::new(0), bytes: AtomicUsize::new(0) } }; MAPS_MAX];

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct LargePages;

// SAFETY: both paths give memory of at least the layout's size and alignment, and the path that
// frees is chosen by the same layout as the one that took it.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if large(layout) {
            return map(layout.size());
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if large(layout) {
            // A fresh map is zero.
            return map(layout.size());
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if large(layout) {
            forget(pointer.addr());
            // SAFETY: mapped by `map` with the same size, and not used any more.
            let unmapped = unsafe { libc::munmap(pointer.cast(), map_bytes(layout.size())) };
            assert_eq!(unmapped, 0, "a whole map is given back");
            return;
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size does not overflow when rounded up to the
        // alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if !large(layout) && !large(wanted) {
            // SAFETY: the caller's promise.
            return unsafe { System.realloc(pointer, layout, size) };
        }
        // SAFETY: the size is not zero, by the caller's promise.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both hold that many bytes, and they are two allocations.
            unsafe { ptr::copy_nonoverlapping(pointer, moved, layout.size().min(size)) };
            // SAFETY: the caller's promise.
            unsafe { self.dealloc(pointer, layout) };
        }
        moved
    }
}

const fn large(layout: Layout) -> bool {
    layout.size() >= LARGE_BYTES_MIN && layout.align() <= PAGE_BYTES
}

/// Cannot overflow: a layout is at most `isize::MAX` bytes.
const fn map_bytes(size: usize) -> usize {
    size.next_multiple_of(HUGE_PAGE_BYTES)
}

fn map(size: usize) -> *mut u8 {
    let length = map_bytes(size);
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: an anonymous map at no given place.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, access, kind, -1, 0) };
    if start == libc::MAP_FAILED {
        return ptr::null_mut();
    }
    // Miri has no notion of advice.
    if !cfg!(miri) {
        // SAFETY: the map was just made with this length. Refused advice changes nothing.
        unsafe { libc::madvise(start, length, libc::MADV_HUGEPAGE) };
    }
    remember(start.addr(), length);
    start.cast()
}

fn remember(start: usize, bytes: usize) {
    let free = |map: &&Map| {
        map.start.compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    };
    if let Some(map) = MAPS.iter().find(free) {
        map.bytes.store(bytes, Ordering::Release);
    }
}

fn forget(start: usize) {
    if let Some(map) = MAPS.iter().find(|map| map.start.load(Ordering::Acquire) == start) {
        map.bytes.store(0, Ordering::Release);
        map.start.store(0, Ordering::Release);
    }
}

/// Gives every large allocation of this process its memory, a huge page at a time, as long as
/// `goes_on` says so; how many bytes were looked after. Kernels before 5.14 cannot, and the rest
/// stays as it was. What is allocated and freed meanwhile may be left out.
pub fn populate(mut goes_on: impl FnMut() -> bool) -> usize {
    let mut populated_bytes = 0;
    for map in &MAPS {
        let (start, bytes) = (map.start.load(Ordering::Acquire), map.bytes.load(Ordering::Acquire));
        for offset in (0..bytes).step_by(HUGE_PAGE_BYTES) {
            if !goes_on() {
                return populated_bytes;
            }
            let page = ptr::without_provenance_mut(start + offset);
            // SAFETY: populating changes no byte of a map. Should this one be gone by now, the
            // kernel says so, or populates what lies there instead.
            let result = unsafe { libc::madvise(page, HUGE_PAGE_BYTES, libc::MADV_POPULATE_WRITE) };
            if result != 0 {
                break;
            }
            populated_bytes += HUGE_PAGE_BYTES;
        }
    }
    populated_bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 16).unwrap()
    }

    /// Whether the byte at `offset` is `value`.
    fn holds(memory: *mut u8, offset: usize, value: u8) -> bool {
        // SAFETY: the tests ask within what they took.
        let place = unsafe { memory.add(offset) };
        // SAFETY: likewise, and it was written or zeroed.
        (unsafe { place.read() }) == value
    }

    #[test]
    fn large_memory_is_zero_aligned_and_writable_to_the_end() {
        let layout = layout(LARGE_BYTES_MIN + 1);
        // SAFETY: the size is not zero.
        let memory = unsafe { LargePages.alloc_zeroed(layout) };
        assert!(!memory.is_null());
        assert_eq!(memory.addr() % PAGE_BYTES, 0);
        assert!(holds(memory, 0, 0));
        assert!(holds(memory, LARGE_BYTES_MIN, 0));
        // SAFETY: within the allocation.
        unsafe { memory.write_bytes(7, layout.size()) };
        assert!(holds(memory, LARGE_BYTES_MIN, 7));
        // SAFETY: taken above with this layout.
        unsafe { LargePages.dealloc(memory, layout) };
    }

    #[test]
    #[cfg_attr(miri, ignore = "has no notion of advice")]
    fn populated_memory_is_there_and_as_it_was() {
        let layout = layout(4 * LARGE_BYTES_MIN);
        // SAFETY: the size is not zero.
        let memory = unsafe { LargePages.alloc_zeroed(layout) };
        // SAFETY: within the allocation.
        unsafe { memory.write_bytes(9, 1) };
        assert_eq!(populate(|| false), 0);
        assert!(populate(|| true) >= layout.size());
        assert_eq!(resident_pages(memory, layout.size()), layout.size() / PAGE_BYTES);
        assert!(holds(memory, 0, 9) && holds(memory, layout.size() - 1, 0));
        // SAFETY: taken above with this layout.
        unsafe { LargePages.dealloc(memory, layout) };
    }

    /// Pages of a map that have memory (mincore(2)).
    fn resident_pages(memory: *mut u8, bytes: usize) -> usize {
        let mut pages = vec![0_u8; bytes / PAGE_BYTES];
        // SAFETY: a whole map, and a byte for each of its pages.
        let result = unsafe { libc::mincore(memory.cast(), bytes, pages.as_mut_ptr()) };
        assert_eq!(result, 0);
        pages.iter().filter(|page| **page & 1 == 1).count()
    }

    #[test]
    fn contents_survive_growing_into_large_pages_and_shrinking_out_of_them() {
        let small = layout(4096);
        let large = layout(2 * LARGE_BYTES_MIN);
        // SAFETY: the size is not zero.
        let memory = unsafe { LargePages.alloc(small) };
        // SAFETY: within the allocation.
        unsafe { memory.write_bytes(5, small.size()) };
        // SAFETY: taken above with this layout; the new size is in bounds.
        let memory = unsafe { LargePages.realloc(memory, small, large.size()) };
        assert!(holds(memory, 4095, 5));
        // SAFETY: taken above with this layout; the new size is in bounds.
        let memory = unsafe { LargePages.realloc(memory, large, small.size()) };
        assert!(holds(memory, 4095, 5));
        // SAFETY: taken above with this layout.
        unsafe { LargePages.dealloc(memory, small) };
    }
}
