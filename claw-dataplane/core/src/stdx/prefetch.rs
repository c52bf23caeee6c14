//! Asking memory for what will be read soon.
//!
//! A hint to the processor, which changes nothing but time: what is asked for early is there when
//! it is read, and several waits overlap where they would follow one another. Elsewhere than on
//! x86-64 nothing is asked.

/// What the processor fetches at once.
const LINE_BYTES: usize = 64;

/// Asks for all cache lines of `value`, and waits for none.
#[inline]
pub fn prefetch<T>(value: &T) {
    let start = core::ptr::from_ref(value).cast::<i8>();
    for offset in (0..size_of::<T>()).step_by(LINE_BYTES) {
        prefetch_line(start.wrapping_add(offset));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn prefetch_line(line: *const i8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: the instruction is part of SSE, which every x86-64 processor has; it reads nothing
    // that the program could see, and does not fault whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn prefetch_line(_line: *const i8) {}
