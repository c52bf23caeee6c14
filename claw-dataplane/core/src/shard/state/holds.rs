//! Events of holds, taken in.

use claw_common::id::Id;

use super::{Facts, State, hold_units, session_of};
use crate::inventory::counter::Counter;
use crate::inventory::hold::Hold;
use crate::inventory::stored_lines::StoredLines;
use crate::inventory::waiting::Waiter;
use crate::outcome::HoldState;
use crate::shard::error::ApplyError;
use crate::shard::event::Event;

impl State {
    pub(super) fn apply_hold(&mut self, facts: &Facts<'_>) -> Result<(), ApplyError> {
        match *facts.event {
            Event::HoldReserving { hold, session, currency, ttl_ms, lines } => {
                self.change_stock(lines, hold_units)?;
                self.commands.insert(hold, facts.identity);
                let session = session_of(session)?;
                let lines = StoredLines::new(lines);
                let state = HoldState::Reserving;
                self.insert_hold(Hold {
                    id: hold,
                    session,
                    state,
                    currency,
                    claimed_at: facts.sequence,
                    changed_at: facts.sequence,
                    expires_at_ms: ttl_ms,
                    waited_ttl_ms: 0,
                    pinned_by: None,
                    pending: 0,
                    lines,
                })?;
                Ok(())
            }
            Event::HoldGranted { .. } => self.grant_hold(facts),
            Event::HoldWaiting { .. } => self.join_line(facts),
            Event::HoldExtended { hold, expires_at_ms } => {
                let place = self.hold_in(hold, HoldState::Active)?;
                self.holds[place].expires_at_ms = expires_at_ms;
                self.holds[place].changed_at = facts.sequence;
                self.hold_timers.set(place, expires_at_ms, hold);
                Ok(())
            }
            Event::HoldReleased { hold } => {
                self.end_hold(hold, HoldState::Released, facts.sequence)
            }
            Event::HoldExpired { hold } => self.end_hold(hold, HoldState::Expired, facts.sequence),
            Event::HoldRefused { hold, asked } => {
                let place = self.hold_in(hold, HoldState::Reserving)?;
                self.commands.remove(&hold);
                self.release_hold_lines(place)?;
                let ended = &mut self.holds[place];
                ended.state = HoldState::Released;
                ended.expires_at_ms = facts.now_ms;
                ended.pending = asked;
                ended.changed_at = facts.sequence;
                self.queue_hold(place);
                Ok(())
            }
            _ => Err(ApplyError::contradiction("not an event of a hold")),
        }
    }

    fn grant_hold(&mut self, facts: &Facts<'_>) -> Result<(), ApplyError> {
        let Event::HoldGranted { hold, session, currency, expires_at_ms, lines } = *facts.event
        else {
            return Err(ApplyError::contradiction("not a grant"));
        };
        let place = if let Some(place) = self.holds.find(&hold.0) {
            match self.holds[place].state {
                HoldState::Reserving => {
                    self.commands.remove(&hold);
                }
                HoldState::Waiting => {
                    self.change_stock(lines, hold_units)?;
                    self.leave_line(place);
                    // From here on its stock is its own.
                    self.holds[place].claimed_at = facts.sequence;
                }
                _ => return Err(ApplyError::contradiction("the hold is granted already")),
            }
            place
        } else {
            self.change_stock(lines, hold_units)?;
            self.insert_hold(Hold {
                id: hold,
                session: session_of(session)?,
                state: HoldState::Reserving,
                currency,
                claimed_at: facts.sequence,
                changed_at: facts.sequence,
                expires_at_ms,
                waited_ttl_ms: 0,
                pinned_by: None,
                pending: 0,
                lines: StoredLines::new(lines),
            })?
        };
        let granted = &mut self.holds[place];
        if granted.lines.lines() != lines {
            granted.lines = StoredLines::new(lines);
        }
        granted.state = HoldState::Active;
        granted.changed_at = facts.sequence;
        granted.expires_at_ms = expires_at_ms;
        self.hold_timers.set(place, expires_at_ms, hold);
        Ok(())
    }

    fn join_line(&mut self, facts: &Facts<'_>) -> Result<(), ApplyError> {
        let Event::HoldWaiting { hold, session, currency, ttl_ms, until_ms, lines } = *facts.event
        else {
            return Err(ApplyError::contradiction("not a place in line"));
        };
        let place = self.insert_hold(Hold {
            id: hold,
            session: session_of(session)?,
            state: HoldState::Waiting,
            currency,
            claimed_at: facts.sequence,
            changed_at: facts.sequence,
            expires_at_ms: until_ms,
            waited_ttl_ms: ttl_ms,
            pinned_by: None,
            pending: 0,
            lines: StoredLines::new(lines),
        })?;
        self.enter_line(place);
        self.hold_timers.set(place, until_ms, hold);
        Ok(())
    }

    /// Puts a waiting hold into its line.
    pub(super) fn enter_line(&mut self, place: u32) {
        let hold = &self.holds[place];
        for line in hold.lines.lines().iter() {
            let waiter = Waiter { place, units: line.quantity.into() };
            self.waiting.join(line.sku, hold.claimed_at, waiter);
        }
    }

    fn leave_line(&mut self, place: u32) {
        let hold = &self.holds[place];
        for line in hold.lines.lines().iter() {
            self.waiting.leave(line.sku, hold.claimed_at);
        }
    }

    fn end_hold(&mut self, hold: Id, state: HoldState, sequence: u64) -> Result<(), ApplyError> {
        let waits = self.holds.get(&hold.0).is_some_and(|hold| hold.state == HoldState::Waiting);
        let place = if waits {
            let place = self.hold_in(hold, HoldState::Waiting)?;
            self.leave_line(place);
            place
        } else {
            let place = self.hold_in(hold, HoldState::Active)?;
            self.release_hold_lines(place)?;
            place
        };
        self.hold_timers.cancel(place);
        let ended = &mut self.holds[place];
        ended.state = state;
        ended.changed_at = sequence;
        ended.pending = if waits { 0 } else { self.placement.others(ended.lines.lines()) };
        self.queue_hold(place);
        Ok(())
    }

    fn release_hold_lines(&mut self, place: u32) -> Result<(), ApplyError> {
        let Self { holds, products, placement, waiting, .. } = self;
        let lines = holds[place].lines.lines();
        super::return_stock((products, waiting), placement.local(lines), Counter::release)
    }

    fn insert_hold(&mut self, hold: Hold) -> Result<u32, ApplyError> {
        if let Some(victim) = self.holds.victim() {
            self.holds.remove(victim);
        }
        self.holds.insert(hold).ok_or(ApplyError::CapacityFull { slab: "holds" })
    }

    /// Lets an ended hold be evicted, unless a shard must still give stock back or an order may
    /// have to.
    pub(super) fn queue_hold(&mut self, place: u32) {
        let hold = &self.holds[place];
        let several_shards = self.placement.others(hold.lines.lines()) != 0;
        if hold.pending == 0 && !(hold.pinned_by.is_some() && several_shards) {
            self.holds.queue(place);
        }
    }

    pub(super) fn hold_in(&self, hold: Id, state: HoldState) -> Result<u32, ApplyError> {
        let place = self.holds.find(&hold.0);
        let place = place.ok_or(ApplyError::contradiction("the hold does not exist"))?;
        if self.holds[place].state == state {
            return Ok(place);
        }
        Err(ApplyError::contradiction("the hold's state does not allow it"))
    }
}
