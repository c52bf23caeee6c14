//! Lines of those who wait for stock: per SKU, in the order in which they came.
//!
//! ```text
//!   join --> line of its SKU --stock comes back--> offers --(the next tick)--> granted, in order
//! ```
//! What came back goes to the first in line whom it suffices for; one who asks for more than there
//! is is passed over, and keeps his place. Until that has been decided nobody else gets of the SKU:
//! [`WaitingLines::is_offering`].
//!
//! Rebuilt from the holds, so it is in no snapshot. Deliberately knows neither stock nor time.

use std::collections::{BTreeMap, BTreeSet};

use claw_common::id::Sku;

/// A place in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Where its hold is.
    pub place: u32,
    /// Units it waits for.
    pub units: u64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct WaitingLines {
    /// By the record that made the hold.
    lines: BTreeMap<Sku, BTreeMap<u64, Waiter>>,
    offers: BTreeSet<Sku>,
    count: usize,
}

impl WaitingLines {
    /// How many wait.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds one who came with a record.
    pub(crate) fn join(&mut self, sku: &str, came_at: u64, waiter: Waiter) {
        let Some(sku) = Sku::copy(sku) else { return };
        let former = self.lines.entry(sku).or_default().insert(came_at, waiter);
        assert!(former.is_none(), "a record makes one hold");
        self.count += 1;
    }

    /// Takes one out.
    pub(crate) fn leave(&mut self, sku: &str, came_at: u64) {
        let Some(sku) = Sku::copy(sku) else { return };
        let Some(line) = self.lines.get_mut(&sku) else { return };
        if line.remove(&came_at).is_some() {
            self.count -= 1;
        }
        if line.is_empty() {
            self.lines.remove(&sku);
            self.offers.remove(&sku);
        }
    }

    /// Stock of a SKU has changed: so much can be had now. What suffices for nobody in line is no
    /// offer, and everybody else's.
    pub(crate) fn changed(&mut self, sku: &str, available: u64) {
        if let Some(sku) = Sku::copy(sku)
            && self.first(&sku, available).is_some()
        {
            self.offers.insert(sku);
        }
    }

    /// Looks at every line once more.
    pub(crate) fn offer_all(&mut self) {
        self.offers = self.lines.keys().copied().collect();
    }

    /// Whether what there is of a SKU is for those who wait.
    pub(crate) fn is_offering(&self, sku: &str) -> bool {
        !self.offers.is_empty() && Sku::copy(sku).is_some_and(|sku| self.offers.contains(&sku))
    }

    /// Whether there is something to decide.
    pub(crate) fn has_offers(&self) -> bool {
        !self.offers.is_empty()
    }

    /// A SKU whose line is to be looked at.
    pub(crate) fn offered(&self) -> Option<Sku> {
        self.offers.first().copied()
    }

    /// The first in a line for whom so much suffices; nobody: the offer is over.
    pub(crate) fn next(&mut self, sku: &Sku, available: u64) -> Option<Waiter> {
        let next = self.first(sku, available);
        if next.is_none() {
            self.offers.remove(sku);
        }
        next
    }

    fn first(&self, sku: &Sku, available: u64) -> Option<Waiter> {
        let line = self.lines.get(sku).filter(|_| available > 0)?;
        line.values().find(|waiter| waiter.units <= available).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_whom_it_suffices_for_is_next_and_the_others_keep_their_places() {
        let mut lines = WaitingLines::default();
        for (came_at, units) in [(5, 3), (2, 2), (9, 1)] {
            lines.join("clog", came_at, Waiter { place: 0, units });
        }
        let sku = Sku::copy("clog").unwrap();
        lines.changed("mule", 3);
        lines.changed("clog", 0);
        assert!(!lines.has_offers());
        lines.changed("clog", 3);
        assert!(lines.is_offering("clog") && !lines.is_offering("mule"));
        assert_eq!(lines.next(&sku, 3).unwrap().units, 2, "who came first");
        assert_eq!(lines.next(&sku, 1).unwrap().units, 1, "passes over who needs more");
        assert_eq!(lines.offered(), Some(sku));
        assert_eq!(lines.next(&sku, 0), None);
        assert!(!lines.has_offers());
        lines.leave("clog", 9);
        lines.changed("clog", 1);
        assert!(!lines.is_offering("clog"), "it suffices for nobody, so it is everybody's");
        for came_at in [2, 5, 9] {
            lines.leave("clog", came_at);
        }
        lines.offer_all();
        assert!(lines.count() == 0 && !lines.has_offers());
    }
}
