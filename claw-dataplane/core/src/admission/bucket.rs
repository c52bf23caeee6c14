//! Token buckets, one per key or session, in a table of fixed size.
//!
//! A bucket keeps the time at which it will be full again instead of a count of tokens (the generic
//! cell rate algorithm): one number, no refilling, exact in microseconds.

use crate::stdx::{Keyed, KeyedSlab};

/// How often, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests per second in the long run.
    pub per_second: u32,
    /// Requests at once after a rest.
    pub burst: u32,
}

/// Longest name of a bucket, bytes: a key's number or a session.
const NAME_BYTES_MAX: usize = claw_common::limits::SESSION_BYTES_MAX;

#[derive(Clone, Debug)]
struct Bucket {
    name: claw_common::id::Text<NAME_BYTES_MAX>,
    full_at_us: u64,
}

impl Keyed for Bucket {
    fn key(&self) -> &[u8] {
        self.name.as_bytes()
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Buckets {
    slab: KeyedSlab<Bucket>,
    /// Time one request costs.
    cost_us: u64,
    /// How far ahead of now a bucket's time may run.
    burst_us: u64,
}

impl Buckets {
    /// A table of `capacity` buckets with one rate.
    pub fn new(capacity: u32, rate: Rate) -> Self {
        assert!(capacity > 0, "a table has a bucket");
        assert!(rate.per_second > 0, "a rate of nothing admits nothing");
        assert!(rate.burst > 0, "a burst of nothing admits nothing");
        let cost_us = (1_000_000 / u64::from(rate.per_second)).max(1);
        let burst_us = cost_us * u64::from(rate.burst);
        Self { slab: KeyedSlab::with_capacity(capacity), cost_us, burst_us }
    }

    /// Admits one request of `name`, or says in how many milliseconds to ask again.
    pub fn admit(&mut self, name: &str, now_us: u64) -> Result<(), u64> {
        let place = self.bucket(name, now_us);
        let bucket = &mut self.slab[place];
        let full_at_us = bucket.full_at_us.max(now_us) + self.cost_us;
        if full_at_us > now_us + self.burst_us {
            return Err((full_at_us - now_us - self.burst_us).div_ceil(1_000).max(1));
        }
        bucket.full_at_us = full_at_us;
        self.slab.queue(place);
        Ok(())
    }

    fn bucket(&mut self, name: &str, now_us: u64) -> u32 {
        if let Some(place) = self.slab.find(name.as_bytes()) {
            return place;
        }
        if let Some(victim) = self.slab.victim() {
            self.slab.remove(victim);
        }
        let name = claw_common::id::Text::copy(name).expect("names are sessions");
        let place = self.slab.insert(Bucket { name, full_at_us: now_us });
        let place = place.expect("a victim made room: every bucket is queued");
        self.slab.queue(place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_passes_then_the_rate_holds() {
        let mut buckets = Buckets::new(2, Rate { per_second: 10, burst: 3 });
        let admitted = (0..10).filter(|_| buckets.admit("a", 0).is_ok()).count();
        assert_eq!(admitted, 3);
        assert_eq!(buckets.admit("a", 0), Err(100));
        assert_eq!(buckets.admit("b", 0), Ok(()));
        assert_eq!(buckets.admit("a", 99_999), Err(1));
        assert_eq!(buckets.admit("a", 100_000), Ok(()));
        assert_eq!(buckets.admit("a", 100_000), Err(100));
    }

    #[test]
    fn bucket_longest_unused_makes_room() {
        let mut buckets = Buckets::new(2, Rate { per_second: 1, burst: 1 });
        for name in ["a", "b", "c"] {
            assert_eq!(buckets.admit(name, 0), Ok(()));
        }
        assert!(buckets.admit("c", 0).is_err());
        assert_eq!(buckets.admit("a", 0), Ok(()), "it was forgotten, which forgives");
    }
}
