//! A hold ends once, in one way.
//!
//! Followed in the events: granted, then released, expired or sold. A hold is sold when its order
//! is confirmed, and given back when its order is cancelled before that.

use std::collections::BTreeMap;

use claw_common::id::Id;
use claw_core::shard::event::Event;

use super::Fact;
use crate::violation::{Checked, check};

const NAME: &str = "a hold ends once";

/// How a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Reserving,
    Waiting,
    Active,
    Ended(&'static str),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    holds: BTreeMap<Id, Life>,
    /// Orders under way that were made from a hold.
    pinned: BTreeMap<Id, Id>,
}

impl Terminal {
    pub(super) fn record(&mut self, fact: &Fact<'_>) -> Checked {
        match fact.event {
            Event::HoldReserving { hold, .. } => self.step(hold, &[None], Life::Reserving),
            Event::HoldGranted { hold, .. } => {
                let before = [None, Some(Life::Reserving), Some(Life::Waiting)];
                self.step(hold, &before, Life::Active)
            }
            Event::HoldWaiting { hold, .. } => self.step(hold, &[None], Life::Waiting),
            Event::HoldRefused { hold, .. } => {
                self.step(hold, &[Some(Life::Reserving)], Life::Ended("refused"))
            }
            Event::HoldExtended { hold, .. } => {
                self.step(hold, &[Some(Life::Active)], Life::Active)
            }
            Event::HoldReleased { hold } => self.end_own(hold, "released"),
            Event::HoldExpired { hold } => self.end_own(hold, "expired"),
            Event::OrderCreated(created) => {
                if let Some(hold) = created.hold {
                    self.pinned.insert(created.order, hold);
                }
                Ok(())
            }
            Event::OrderConfirming { order, .. } => self.end_pinned(order, "sold"),
            Event::OrderCancelled { order, .. } => self.end_pinned(order, "released"),
            _ => Ok(()),
        }
    }

    fn end_pinned(&mut self, order: Id, way: &'static str) -> Checked {
        match self.pinned.remove(&order) {
            Some(hold) => self.end(hold, way),
            None => Ok(()),
        }
    }

    /// One that waits may end too.
    fn end_own(&mut self, hold: Id, way: &'static str) -> Checked {
        self.step(hold, &[Some(Life::Active), Some(Life::Waiting)], Life::Ended(way))
    }

    fn end(&mut self, hold: Id, way: &'static str) -> Checked {
        self.step(hold, &[Some(Life::Active)], Life::Ended(way))
    }

    fn step(&mut self, hold: Id, from: &[Option<Life>], to: Life) -> Checked {
        let former = self.holds.insert(hold, to);
        check(from.contains(&former), NAME, || format!("hold {hold}: {former:?}, then {to:?}"))
    }
}
