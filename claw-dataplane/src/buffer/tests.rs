//! The pools alone, without a kernel on the other side.

use super::{Arena, ArenaShape, BufferError, ReceivePool, ReceiveShape};

const SHAPE: ArenaShape = ArenaShape { slots_count: 3, slot_bytes: 8192 };

#[test]
fn slots_do_not_overlap() {
    let (_arena, slots) = Arena::map(SHAPE).unwrap();
    let mut filling: Vec<_> = slots.into_iter().map(super::FreeSlot::fill).collect();
    for (value, slot) in (1_u8..).zip(&mut filling) {
        slot.bytes_mut().fill(value);
    }
    for (value, slot) in (1_u8..).zip(&filling) {
        assert_eq!(slot.bytes().len(), 8192);
        assert!(slot.bytes().iter().all(|byte| *byte == value));
    }
}

#[test]
fn sealed_slot_shows_the_sealed_length_only() {
    let (_arena, mut slots) = Arena::map(SHAPE).unwrap();
    let mut slot = slots.pop().unwrap().fill();
    slot.bytes_mut()[0] = 7;
    let sealed = slot.seal(4096);
    assert_eq!(sealed.bytes().len(), 4096);
    assert_eq!(sealed.bytes()[0], 7);
}

#[test]
fn slots_outlive_their_arena() {
    let (arena, mut slots) = Arena::map(SHAPE).unwrap();
    drop(arena);
    let mut slot = slots.remove(0).fill();
    slot.bytes_mut().fill(9);
    assert_eq!(slot.bytes()[8191], 9);
}

#[test]
#[should_panic(expected = "is_multiple_of")]
fn unaligned_seal_is_our_mistake() {
    let (_arena, mut slots) = Arena::map(SHAPE).unwrap();
    drop(slots.remove(0).fill().seal(100));
}

#[test]
fn impossible_shapes_are_refused() {
    let odd = ArenaShape { slots_count: 1, slot_bytes: 5000 };
    assert!(matches!(Arena::map(odd), Err(BufferError::Shape { .. })));
    let odd = ReceiveShape { buffers_count: 3, ..ReceiveShape::default() };
    assert!(matches!(ReceivePool::map(odd), Err(BufferError::Shape { .. })));
}

#[test]
fn dropped_buffer_is_lent_again() {
    let pool =
        ReceivePool::map(ReceiveShape { buffers_count: 4, buffer_bytes: 64, resume_count: 4 })
            .unwrap();
    assert_eq!(pool.lent_count(), 4);
    let received = ReceivePool::take(&pool, 2, 10);
    assert_eq!(received.len(), 10);
    assert!(!pool.is_replenished());
    drop(received);
    assert!(pool.is_replenished());
}

#[test]
#[ignore = "wrong on purpose: `cargo xtask sanitize` looks whether AddressSanitizer finds it"]
fn canary_reads_behind_its_allocation() {
    let bytes = vec![1_u8; 24].into_boxed_slice();
    // SAFETY: there is none, and that is what the canary is for. No ordinary test run runs it.
    let behind = unsafe { bytes.as_ptr().wrapping_add(24).read_volatile() };
    std::hint::black_box(behind);
}
