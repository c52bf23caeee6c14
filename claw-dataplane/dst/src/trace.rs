//! The trace: one line per event, one symbol per fact.
//!
//! ```text
//!  > request decided   < answer arrived   ~ message between shards   T time passed
//!  # block sealed      = block durable    m mark                     u superblock written
//!  s snapshot          f segments freed   x block cut                c clock disturbed
//!  ! crash             ^ start            ? retry                    " sent again
//!  . given up          $ part of the plot
//! ```
//! The last lines are kept for the report of a failure, per thread, so that a panic's report has
//! them as well. The fold of all lines is the world's fingerprint: the same seed must give the
//! same.

use core::cell::RefCell;
use core::fmt;
use std::collections::{BTreeMap, VecDeque};

const LINES_KEPT: usize = 40;

thread_local! {
    static TAIL: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
}

/// Where lines go as they happen.
pub type Sink = fn(&str);

/// The last lines of this thread's world, oldest first.
pub fn tail() -> Vec<String> {
    TAIL.with_borrow(|tail| tail.iter().cloned().collect())
}

/// Takes lines.
#[derive(Debug)]
pub(crate) struct Trace {
    sink: Option<Sink>,
    fold: u64,
    counts: BTreeMap<char, u64>,
}

impl Trace {
    /// A fresh trace; forgets the thread's former one.
    pub(crate) fn new(sink: Option<Sink>) -> Self {
        TAIL.with_borrow_mut(VecDeque::clear);
        Self { sink, fold: 0xcbf2_9ce4_8422_2325, counts: BTreeMap::new() }
    }

    /// One fact at `now_us`.
    pub(crate) fn line(&mut self, now_us: u64, symbol: char, fact: fmt::Arguments<'_>) {
        let line = format!("{:>10}.{:03} {symbol} {fact}", now_us / 1000, now_us % 1000);
        for byte in line.bytes() {
            self.fold = (self.fold ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        *self.counts.entry(symbol).or_default() += 1;
        if let Some(sink) = self.sink {
            sink(&line);
        }
        TAIL.with_borrow_mut(|tail| {
            if tail.len() == LINES_KEPT {
                tail.pop_front();
            }
            tail.push_back(line);
        });
    }

    /// Fold of everything so far.
    pub(crate) const fn fold(&self) -> u64 {
        self.fold
    }

    /// Lines so far, by symbol.
    pub(crate) const fn counts(&self) -> &BTreeMap<char, u64> {
        &self.counts
    }
}
