//! In steady state a command and its answer take no memory on the client.
//!
//! Counts with the allocator of this test program, for each thread apart; the scripted node's own
//! memory is not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::*;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted<T>(act: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATIONS.get();
    let result = act();
    (result, ALLOCATIONS.get() - before)
}

#[test]
fn commands_and_answers_take_no_memory_once_warm() {
    let (kept, taken) = counted(|| Box::new(1));
    assert_eq!((*kept, taken), (1, 1), "the allocator counts");
    // An ed25519 key in signed mode hashes and signs; even that takes no memory.
    for (identity, mut node) in pairs() {
        let mut machine = open(identity, &mut node);
        let mut total = 0;
        for round in 0..200 {
            let ((), pushing) = counted(|| {
                for sku in ["A", "B", "C", "D"] {
                    push(&mut machine, sku).unwrap();
                }
                machine.flush();
            });
            node.take(machine.transmit());
            let asked: Vec<u64> = node.commands.drain(..).map(|command| command.0).collect();
            node.answer(&asked);
            let answered = std::mem::take(&mut node.out);
            let (count, taking) = counted(|| {
                machine.transmitted(machine.transmit().len());
                deliver(&mut machine, &answered).unwrap();
                let mut count = 0;
                while let Some(answer) = machine.next_answer().unwrap() {
                    count += usize::from(answer.status == 201);
                }
                count
            });
            assert_eq!(count, 4);
            if round >= 100 {
                total += pushing + taking;
            }
        }
        assert_eq!(total, 0);
    }
}
