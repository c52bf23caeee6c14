//! A hold expires exactly: never before its time, and nothing else happens to it after.
//!
//! In log time: whatever the clock did, the record's own time decides.

use std::collections::BTreeMap;

use claw_common::id::Id;
use claw_common::time::UnixMs;
use claw_core::shard::event::Event;

use super::Fact;
use crate::violation::{Checked, check};

const NAME: &str = "a hold expires exactly";

/// When each active hold ends.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    ends: BTreeMap<Id, UnixMs>,
}

impl Expiry {
    pub(super) fn record(&mut self, fact: &Fact<'_>) -> Checked {
        match fact.event {
            Event::HoldGranted { hold, expires_at_ms, .. }
            | Event::HoldWaiting { hold, until_ms: expires_at_ms, .. } => {
                self.ends.insert(hold, expires_at_ms);
                Ok(())
            }
            Event::HoldExtended { hold, expires_at_ms } => {
                self.in_time(hold, fact)?;
                self.ends.insert(hold, expires_at_ms);
                Ok(())
            }
            Event::HoldReleased { hold } => {
                self.in_time(hold, fact)?;
                self.ends.remove(&hold);
                Ok(())
            }
            Event::OrderCreated(created) => {
                let Some(hold) = created.hold else { return Ok(()) };
                self.in_time(hold, fact)?;
                // Pinned: its order decides about it from here on.
                self.ends.remove(&hold);
                Ok(())
            }
            Event::HoldExpired { hold } => {
                let end = self.ends.remove(&hold);
                check(end.is_some_and(|end| fact.now_ms >= end), NAME, || {
                    format!("hold {hold} expired at {}, its end was {end:?}", fact.now_ms)
                })
            }
            _ => Ok(()),
        }
    }

    fn in_time(&self, hold: Id, fact: &Fact<'_>) -> Checked {
        let end = self.ends.get(&hold).copied();
        check(end.is_some_and(|end| fact.now_ms < end), NAME, || {
            format!("{:?} of hold {hold} at {}, its end was {end:?}", fact.event, fact.now_ms)
        })
    }
}
