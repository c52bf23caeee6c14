//! Time stamps: Unix milliseconds and the hybrid logical clock.
//!
//! Source of the clock's rules: Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots
//! in Globally Distributed Databases" (2014), section 4. Only the representation and its pure
//! arithmetic live here; nothing here reads a clock.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMs = u64;

/// A hybrid logical clock stamp: 48 bits of Unix milliseconds, then 16 bits of counter.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Hlc(pub u64);

impl Hlc {
    /// The stamp of `unix_ms` with counter zero.
    pub const fn from_unix_ms(unix_ms: UnixMs) -> Self {
        assert!(unix_ms < 1 << 48);
        Self(unix_ms << 16)
    }

    /// The physical part.
    pub const fn unix_ms(self) -> UnixMs {
        self.0 >> 16
    }

    /// The logical part.
    pub const fn counter(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// The stamp of the next local event or send at physical time `now_ms` (paper, figure 5).
    #[must_use]
    pub const fn tick(self, now_ms: UnixMs) -> Self {
        let physical = Self::from_unix_ms(now_ms);
        if physical.0 > self.0 { physical } else { Self(self.0 + 1) }
    }

    /// The stamp after receiving `remote` at physical time `now_ms` (paper, figure 5).
    #[must_use]
    pub const fn receive(self, remote: Self, now_ms: UnixMs) -> Self {
        let latest = if remote.0 > self.0 { remote } else { self };
        latest.tick(now_ms)
    }
}
