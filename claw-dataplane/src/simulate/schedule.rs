//! When things are due: pauses of shoppers, and the arrivals of an open loop.
//!
//! Owns two queues over nanoseconds since the start of the run. Arrivals come from their own
//! seeded generator and never look at answers: a slow node does not slow them down, so latency
//! counted from an arrival cannot hide waiting (no coordinated omission). Pure.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Exp};

/// Nanoseconds since the start of the run.
pub type RunNs = u64;

/// Shoppers that pause, earliest first.
#[derive(Debug)]
pub struct Pauses {
    heap: BinaryHeap<Reverse<(RunNs, u32)>>,
}

impl Pauses {
    /// Room for every shopper: each pauses at most once at a time.
    pub fn new(users_count: usize) -> Self {
        Self { heap: BinaryHeap::with_capacity(users_count) }
    }

    /// `user` is ready at `due_ns`.
    pub fn push(&mut self, due_ns: RunNs, user: u32) {
        self.heap.push(Reverse((due_ns, user)));
    }

    /// When the next one is ready.
    pub fn next_ns(&self) -> Option<RunNs> {
        self.heap.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    /// The next one that is ready at `now_ns`, with the time it was due.
    pub fn pop_due(&mut self, now_ns: RunNs) -> Option<(RunNs, u32)> {
        if self.next_ns()? > now_ns {
            return None;
        }
        self.heap.pop().map(|Reverse(due)| due)
    }
}

/// Poisson arrivals at a fixed mean rate.
#[derive(Debug)]
pub struct Arrivals {
    rng: SmallRng,
    gap_ns: Exp<f64>,
    next: f64,
}

impl Arrivals {
    /// `rate` a second, above 0.
    pub fn new(seed: u64, rate: u32) -> Self {
        assert!(rate > 0, "an open loop has a rate");
        let gap_ns = Exp::new(f64::from(rate) / 1e9).expect("a rate above 0 has a mean gap");
        let mut arrivals = Self { rng: SmallRng::seed_from_u64(!seed), gap_ns, next: 0.0 };
        arrivals.next = arrivals.gap_ns.sample(&mut arrivals.rng);
        arrivals
    }

    /// When the next one comes.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sums of positive gaps; a run of a day is far below 2^53 ns"
    )]
    pub const fn next_ns(&self) -> RunNs {
        self.next as RunNs
    }

    /// The next arrival when it is due at `now_ns`.
    pub fn pop_due(&mut self, now_ns: RunNs) -> Option<RunNs> {
        let due_ns = self.next_ns();
        if due_ns > now_ns {
            return None;
        }
        self.next += self.gap_ns.sample(&mut self.rng);
        Some(due_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_end_in_order_and_never_early() {
        let mut pauses = Pauses::new(3);
        pauses.push(30, 1);
        pauses.push(10, 2);
        pauses.push(20, 3);
        assert_eq!(pauses.pop_due(9), None);
        assert_eq!(pauses.pop_due(20), Some((10, 2)));
        assert_eq!(pauses.pop_due(20), Some((20, 3)));
        assert_eq!(pauses.pop_due(20), None);
        assert_eq!(pauses.next_ns(), Some(30));
    }

    #[test]
    fn arrivals_keep_their_rate_whatever_happens_to_answers() {
        let mut arrivals = Arrivals::new(7, 10_000);
        let mut count = 0;
        let mut last_ns = 0;
        while let Some(due_ns) = arrivals.pop_due(10_000_000_000) {
            assert!(due_ns >= last_ns);
            last_ns = due_ns;
            count += 1;
        }
        assert!((98_000..102_000).contains(&count), "{count} in ten seconds");
    }

    #[test]
    fn same_seed_gives_the_same_arrivals() {
        let times = |seed| {
            let mut arrivals = Arrivals::new(seed, 100);
            std::iter::from_fn(move || arrivals.pop_due(1_000_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(times(1), times(1));
        assert_ne!(times(1), times(2));
    }
}
