//! How long to wait before the next connection: longer each time, never at the same moment as all
//! others.
//!
//! Pure: randomness comes in, a duration goes out, the shell waits.

use std::time::Duration;

/// First wait, at most.
const WAIT_MS_FIRST: u64 = 20;
/// Longest wait.
const WAIT_MS_MAX: u64 = 2_000;

/// Waits that double from 20 ms to 2 s; each is drawn between a half of it and all of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It went well: the next wait is the first one again.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Another failure: how long to wait. `entropy` is any random number.
    pub fn next_wait(&mut self, entropy: u64) -> Duration {
        let doublings = self.failures.min(WAIT_MS_MAX.ilog2());
        self.failures = self.failures.saturating_add(1);
        let most = (WAIT_MS_FIRST << doublings).min(WAIT_MS_MAX);
        Duration::from_millis(most / 2 + entropy % (most / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_bound_and_begin_again_after_a_success() {
        let mut backoff = Backoff::default();
        let mut least = 0;
        for failure in 0..100_u64 {
            let wait = backoff.next_wait(failure * 0x9e37_79b9);
            let bound = (WAIT_MS_FIRST << failure.min(11)).min(WAIT_MS_MAX);
            let ms = u64::try_from(wait.as_millis()).unwrap();
            assert!((bound / 2..=bound).contains(&ms), "{failure}: {ms} of {bound}");
            least = least.max(ms);
        }
        assert!(least >= WAIT_MS_MAX / 2);
        backoff.reset();
        assert!(backoff.next_wait(u64::MAX) <= Duration::from_millis(WAIT_MS_FIRST));
    }
}
