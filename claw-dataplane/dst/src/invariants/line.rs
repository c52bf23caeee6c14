//! A line is served in order: nobody is granted while one who came before and asks for no more
//! still waits.
//!
//! Followed in the events of each SKU, which are all of one shard.

use std::collections::BTreeMap;

use claw_common::id::Id;
use claw_core::lines::Lines;
use claw_core::shard::event::Event;

use super::Fact;
use crate::violation::{Checked, check};

const NAME: &str = "a line is served in order";

/// One who waits: since which record, for what, and for how many.
#[derive(Clone, Debug)]
struct Place {
    came_at: u64,
    sku: String,
    units: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Line {
    places: BTreeMap<Id, Place>,
}

impl Line {
    pub(super) fn record(&mut self, fact: &Fact<'_>) -> Checked {
        match fact.event {
            Event::HoldWaiting { hold, lines, .. } => {
                let place = place(fact.sequence, lines);
                self.places.extend(place.map(|place| (hold, place)));
                Ok(())
            }
            Event::HoldGranted { hold, lines, .. } => {
                let former = self.places.remove(&hold);
                // One who did not wait gets what those who do cannot use.
                let granted = former.or_else(|| place(fact.sequence, lines));
                granted.map_or(Ok(()), |granted| self.check(hold, &granted))
            }
            Event::HoldReleased { hold } | Event::HoldExpired { hold } => {
                self.places.remove(&hold);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check(&self, hold: Id, granted: &Place) -> Checked {
        let before = self.places.iter().find(|(_, other)| {
            other.sku == granted.sku
                && other.units <= granted.units
                && other.came_at < granted.came_at
        });
        check(before.is_none(), NAME, || format!("{hold}, {granted:?}, went before {before:?}"))
    }
}

fn place(came_at: u64, lines: Lines<'_>) -> Option<Place> {
    let line = lines.iter().next().filter(|_| lines.count() == 1)?;
    Some(Place { came_at, sku: line.sku.to_owned(), units: line.quantity })
}
