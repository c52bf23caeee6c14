//! How often a thread asks for memory, counted in tests.
//!
//! The allocator of the test program: the system's, and a number for each thread. What it shows is
//! that a hold over the wire takes none, once the buffers have their sizes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// See the module.
pub(crate) struct Counting;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no number any more.
        COUNT.try_with(|count| count.set(count.get() + 1)).ok();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Allocations of this thread that `work` makes.
fn count(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn steady_holds_over_the_wire_allocate_nothing_in_any_stage() {
    use super::{BATCH_COUNT, Fill, Pipeline as _, Stage, WARM_COUNT, wire};

    assert_eq!(count(|| drop(vec![1_u8; 10])), 1, "allocations are counted");
    let counted = 64 * BATCH_COUNT;
    for stage in Stage::ALL {
        let mut holds = wire::WireHolds::new(WARM_COUNT + counted, stage, (Fill::HOT, 1)).unwrap();
        holds.serve(WARM_COUNT);
        assert_eq!(count(|| holds.serve(counted)), 0, "{stage:?}");
    }
}
