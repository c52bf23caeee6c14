//! Delays between attempts: doubled up to a bound, with jitter from a seed that is given.
//!
//! Half of each delay is fixed and half is drawn ("equal jitter", Brooker, "Exponential Backoff And
//! Jitter", AWS Architecture Blog, 2015), so that orders refused together do not come back
//! together. The draw is a hash: the same attempt of the same order waits as long in every run.

use claw_common::limits::{SAGA_RETRY_DELAY_MS_MAX, SAGA_RETRY_DELAY_MS_MIN};

/// How long to wait after the attempt with this number (from 0), milliseconds.
pub fn delay_ms(attempt: u16, seed: u64) -> u64 {
    let doubled = SAGA_RETRY_DELAY_MS_MIN.checked_shl(attempt.into()).unwrap_or(u64::MAX);
    // Shifted out on the left: longer than any bound.
    let grown = if attempt >= 32 { u64::MAX } else { doubled };
    let half = grown.min(SAGA_RETRY_DELAY_MS_MAX) / 2;
    half + scatter(seed ^ u64::from(attempt)) % (half + 1)
}

/// The output function of `SplitMix64` (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014, figure 19).
const fn scatter(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_bound_and_never_beyond() {
        for attempt in 0..80 {
            for seed in 0..100 {
                let delay_ms = delay_ms(attempt, seed);
                let whole = SAGA_RETRY_DELAY_MS_MIN.saturating_mul(1 << attempt.min(30));
                let whole = whole.min(SAGA_RETRY_DELAY_MS_MAX);
                assert!((whole / 2..=whole).contains(&delay_ms), "{attempt}: {delay_ms}");
            }
        }
    }

    #[test]
    fn one_order_waits_alike_in_every_run_and_two_do_not_wait_together() {
        assert_eq!(delay_ms(5, 7), delay_ms(5, 7));
        let distinct: std::collections::BTreeSet<_> = (0..100).map(|s| delay_ms(8, s)).collect();
        assert!(distinct.len() > 90, "{distinct:?}");
    }
}
