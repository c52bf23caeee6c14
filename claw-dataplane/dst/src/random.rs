//! Chance from a seed, split by purpose.
//!
//! Each purpose draws from a stream of its own, so that one more fault does not change what the
//! shoppers ask for. The generator gives the same numbers on every machine and in every version.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of chance is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Clock = 1,
    Device = 2,
    Node = 3,
    Options = 4,
    Workload = 5,
    Vault = 6,
}

/// One stream of chance.
#[derive(Clone, Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        source.set_stream(purpose as u64);
        Self(source)
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From `low` up to and including `high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high);
        self.0.random_range(low..=high)
    }

    /// Below `count`.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    /// True `permille` times in a thousand.
    pub(crate) fn chance(&mut self, permille: u16) -> bool {
        self.0.random_range(0..1000) < permille
    }

    /// One of `items`, none of nothing.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.index(items.len())) }
    }
}
