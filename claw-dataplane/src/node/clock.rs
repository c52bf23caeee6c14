//! The node's clock: UTC anchored to the monotonic clock.
//!
//! The core gets time as input; this is where it comes from. The system's UTC may jump (an
//! operator, a bad time server); holds must not expire because of it. So UTC is read once, carried
//! on by the monotonic clock, and compared now and then: small drift is followed by slewing, a jump
//! beyond [`JUMP_MS_MAX`] stops expiry and raises an alarm until the clocks agree again. Does not
//! decide what expires.

use claw_common::time::UnixMs;

/// A difference above this is a jump, not drift.
pub const JUMP_MS_MAX: u64 = 1_000;
/// Followed per comparison, so that a second of drift is gone after a quarter of an hour.
const SLEW_MS_PER_COMPARISON: u64 = 1;

/// What a comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockHealth {
    /// Within the bound.
    Agreed,
    /// Beyond it: expiry is stopped.
    Jumped {
        /// How far the system's UTC is from ours, milliseconds; positive when it is ahead.
        by_ms: i64,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Clock {
    anchor_utc_ms: UnixMs,
    anchor_monotonic_ns: u64,
    floor_ms: UnixMs,
    health: ClockHealth,
}

impl Clock {
    /// Anchored now.
    pub fn start() -> Self {
        Self::anchored(read_utc_ms(), read_monotonic_ns())
    }

    fn anchored(anchor_utc_ms: UnixMs, anchor_monotonic_ns: u64) -> Self {
        Self { anchor_utc_ms, anchor_monotonic_ns, floor_ms: 0, health: ClockHealth::Agreed }
    }

    /// The time now; never decreases.
    pub fn now_ms(&mut self) -> UnixMs {
        self.at(read_monotonic_ns())
    }

    fn at(&mut self, monotonic_ns: u64) -> UnixMs {
        let passed_ms = monotonic_ns.saturating_sub(self.anchor_monotonic_ns) / 1_000_000;
        self.floor_ms = self.floor_ms.max(self.anchor_utc_ms + passed_ms);
        self.floor_ms
    }

    /// Compared and read: for threads that ask seldom.
    pub fn compared_now_ms(&mut self) -> UnixMs {
        self.compare();
        self.now_ms()
    }

    /// Compares with the system's UTC; call about once a second.
    pub fn compare(&mut self) -> ClockHealth {
        self.compare_with(read_utc_ms(), read_monotonic_ns())
    }

    fn compare_with(&mut self, utc_ms: UnixMs, monotonic_ns: u64) -> ClockHealth {
        let ours = self.at(monotonic_ns);
        let difference = utc_ms.abs_diff(ours);
        let ahead = utc_ms > ours;
        self.health = if difference > JUMP_MS_MAX {
            let by_ms = i64::try_from(difference).unwrap_or(i64::MAX);
            ClockHealth::Jumped { by_ms: if ahead { by_ms } else { -by_ms } }
        } else {
            if difference > 0 {
                let step = SLEW_MS_PER_COMPARISON;
                self.anchor_utc_ms =
                    if ahead { self.anchor_utc_ms + step } else { self.anchor_utc_ms - step };
            }
            ClockHealth::Agreed
        };
        self.health
    }

    /// Whether holds may expire by this clock.
    pub fn trusted(&self) -> bool {
        self.health == ClockHealth::Agreed
    }
}

fn read(clock: libc::clockid_t) -> (u64, u64) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec; both clocks exist on every Linux.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(result, 0, "clock_gettime of a clock every Linux has");
    (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// The system's UTC, milliseconds.
pub fn read_utc_ms() -> UnixMs {
    let (seconds, nanoseconds) = read(libc::CLOCK_REALTIME);
    seconds * 1_000 + nanoseconds / 1_000_000
}

/// The monotonic clock, nanoseconds.
pub fn read_monotonic_ns() -> u64 {
    let (seconds, nanoseconds) = read(libc::CLOCK_MONOTONIC);
    seconds * 1_000_000_000 + nanoseconds
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_jump_is_noticed_and_never_followed() {
        let mut clock = Clock::anchored(1_000_000, 0);
        assert_eq!(clock.at(SECOND_NS), 1_001_000);
        assert_eq!(
            clock.compare_with(9_000_000, SECOND_NS),
            ClockHealth::Jumped { by_ms: 7_999_000 }
        );
        assert!(!clock.trusted());
        assert_eq!(clock.at(2 * SECOND_NS), 1_002_000);
        assert_eq!(clock.compare_with(1_002_000, 2 * SECOND_NS), ClockHealth::Agreed);
        assert!(clock.trusted());
    }

    #[test]
    fn drift_is_slewed_and_time_never_goes_back() {
        let mut clock = Clock::anchored(1_000_000, 0);
        let before = clock.at(SECOND_NS);
        assert_eq!(clock.compare_with(1_000_500, SECOND_NS), ClockHealth::Agreed);
        assert!(clock.at(SECOND_NS) >= before);
        for second in 2..600 {
            let utc = 1_000_000 + second * 1_000 - 500;
            clock.compare_with(utc, second * SECOND_NS);
        }
        let at = clock.at(600 * SECOND_NS);
        assert!((1_599_500..=1_599_501).contains(&at), "{at}");
    }
}
