//! The bounded counter: units that can be received, removed, held and used, never below nothing.
//!
//! ```text
//!   received - removed = available + held + used
//! ```
//! Stock of a product and uses of a coupon are both such counters (`used` is *sold* for stock, net
//! of returns). Every change is checked before it is made; the equation holds after each.

use crate::codec::{CodecError, Encode, Reader, Writer};

/// Why units could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// Units there were.
    pub available: u64,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    received: u64,
    removed: u64,
    held: u64,
    used: u64,
}

impl Counter {
    /// Units ever received.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Units ever removed other than by use.
    pub const fn removed(&self) -> u64 {
        self.removed
    }

    /// Units held.
    pub const fn held(&self) -> u64 {
        self.held
    }

    /// Units used or sold, net of returns.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// Units that can be held or removed.
    #[inline]
    pub const fn available(&self) -> u64 {
        self.received - self.removed - self.held - self.used
    }

    /// Takes units in.
    pub fn receive(&mut self, units: u64) {
        self.received += units;
        self.check();
    }

    /// Takes available units out.
    pub fn remove(&mut self, units: u64) -> Result<(), Shortfall> {
        self.require(units)?;
        self.removed += units;
        self.check();
        Ok(())
    }

    /// Holds available units.
    #[inline]
    pub fn hold(&mut self, units: u64) -> Result<(), Shortfall> {
        self.require(units)?;
        self.held += units;
        self.check();
        Ok(())
    }

    /// Gives held units back; false when fewer are held.
    #[must_use]
    pub fn release(&mut self, units: u64) -> bool {
        let Some(held) = self.held.checked_sub(units) else { return false };
        self.held = held;
        self.check();
        true
    }

    /// Uses held units; false when fewer are held.
    #[must_use]
    pub fn settle(&mut self, units: u64) -> bool {
        let Some(held) = self.held.checked_sub(units) else { return false };
        self.held = held;
        self.used += units;
        self.check();
        true
    }

    /// Takes used units back; false when fewer are used.
    #[must_use]
    pub fn give_back(&mut self, units: u64) -> bool {
        let Some(used) = self.used.checked_sub(units) else { return false };
        self.used = used;
        self.check();
        true
    }

    /// Sets how many units there are in all, at least those held and used.
    pub fn resize(&mut self, total: u64) -> Result<(), Shortfall> {
        let taken = self.held + self.used;
        if total < taken {
            return Err(Shortfall { available: self.available() });
        }
        self.received = total;
        self.removed = 0;
        self.check();
        Ok(())
    }

    /// Whether the equation holds and nothing is negative.
    pub fn conserves(&self) -> bool {
        let there = self.received.checked_sub(self.removed);
        let taken = self.held.checked_add(self.used);
        matches!((there, taken), (Some(there), Some(taken)) if taken <= there)
    }

    #[inline]
    fn require(&self, units: u64) -> Result<(), Shortfall> {
        let available = self.available();
        if units <= available { Ok(()) } else { Err(Shortfall { available }) }
    }

    #[inline]
    fn check(&self) {
        assert!(self.conserves(), "nothing is negative and nothing is lost: {self:?}");
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let counter =
            Self { received: r.u64()?, removed: r.u64()?, held: r.u64()?, used: r.u64()? };
        if counter.conserves() { Ok(counter) } else { Err(r.invalid("counter")) }
    }
}

impl Encode for Counter {
    fn encode(&self, writer: &mut Writer<'_>) {
        for number in [self.received, self.removed, self.held, self.used] {
            writer.u64(number);
        }
    }
}
