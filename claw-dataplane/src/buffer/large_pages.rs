//! The allocator of the `claw` binary: whatever is large lies in huge pages when there are any.
//!
//! The tables of a shard (slabs, indices, remembered answers) are taken once at boot, are hundreds
//! of megabytes, and are looked up in random order: in pages of 4 KiB nearly every look-up misses
//! the TLB as well as the cache, and every page costs a fault when it is first touched. `claw-core`
//! allocates them the ordinary way and must not know of pages, so the allocator does: from
//! [`LARGE_BYTES_MIN`] on each allocation is its own anonymous map with `MADV_HUGEPAGE`.
//!
//! Which path an allocation took follows from its layout alone, so nothing is remembered about it.
//! Everything smaller is the system allocator's. Advice that the kernel does not take is no error:
//! the memory is as good, only slower.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

/// From here on an allocation is mapped by itself.
pub const LARGE_BYTES_MIN: usize = 8 << 20;
/// A huge page: lengths are multiples of it, and the kernel then aligns the map to it too.
const HUGE_PAGE_BYTES: usize = 2 << 20;
/// Alignment that every map has.
const PAGE_BYTES: usize = 4096;

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
    // SAFETY: the map was just made with this length. Refused advice changes nothing.
    unsafe { libc::madvise(start, length, libc::MADV_HUGEPAGE) };
    start.cast()
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
