//! What records, commands and ends to come will read, asked of memory before they are applied.
//!
//! A large store waits for memory: each step touches a few lines in tables far larger than the
//! caches, one after the other. Asked for together, the waits overlap. Changes nothing, and may
//! guess: what was asked for in vain costs its time.

use claw_common::id::Id;
use claw_common::time::UnixMs;

use super::Shard;
use super::event::EventKind;
use super::replay::Replayed;
use crate::command::{Command, CommandKey, Request};
use crate::log::{EXPECTED_COUNT, Records};

/// An id at the front of an event.
const ID_BYTES: usize = 16;
/// Ends to come whose holds are asked for.
const HOLD_AHEAD: usize = 6;
/// Ends to come whose holds are there by now, and say what else is needed.
const HELD_AHEAD: usize = 3;
/// Ends to come whose places in the indices are there by now.
const FOUND_AHEAD: usize = 1;

impl Shard {
    /// Asks for what the next [`EXPECTED_COUNT`] records need.
    pub fn expect(&self, records: &Records<'_>) {
        let next = || records.clone().take(EXPECTED_COUNT);
        let mut grants_count = 0;
        for record in next() {
            let replayed = Replayed::from(&record);
            if !replayed.answer.is_empty() {
                self.state.window.prefetch(&replayed.identity);
            }
            if let Some((kind, hold)) = hold_of(&replayed) {
                grants_count += usize::from(kind == EventKind::HoldGranted);
                self.state.holds.prefetch_index(hold);
            }
        }
        self.state.holds.prefetch_victims(grants_count);
        for record in next() {
            let Some((kind, hold)) = hold_of(&Replayed::from(&record)) else { continue };
            if kind != EventKind::HoldGranted
                && let Some(place) = self.state.holds.prefetch_value(hold)
            {
                self.state.hold_timers.prefetch(place);
            }
        }
    }
}

impl Shard {
    /// Asks for where the search for a command and for a product begins: of a hold to come, whose
    /// SKU nobody has judged.
    pub fn expect_hold(&self, identity: &CommandKey, sku: &[u8]) {
        self.state.window.prefetch(identity);
        self.state.products.prefetch(sku);
    }

    /// Asks for a product, some time after [`Shard::expect_hold`].
    pub fn expect_product(&self, sku: &[u8]) {
        self.state.products.prefetch_value(sku);
    }

    /// Asks for what the look-ups that begin a decision read: their waits overlap.
    pub(super) fn expect_request(&self, request: &Request<'_>, now_ms: UnixMs) {
        let state = &self.state;
        state.window.prefetch(&request.identity);
        state.window.prefetch_oldest();
        let Command::CreateHold { lines, .. } = request.command else { return };
        if let Some(line) = lines.iter().next() {
            state.products.prefetch(line.sku.as_bytes());
        }
        // As `new_id` will look for it.
        let hold = Id::version_7(now_ms, request.entropy, self.config.shard);
        state.carts.prefetch_index(&hold.0);
        state.holds.prefetch_index(&hold.0);
        state.orders.prefetch_index(&hold.0);
        state.hold_timers.prefetch(state.holds.prefetch_insert());
    }

    /// Asks for what a decision goes on with, once its look-ups have waited for the indices.
    pub(super) fn expect_values(&self, request: &Request<'_>) {
        if let Command::CreateHold { lines, .. } = request.command
            && let Some(line) = lines.iter().next()
        {
            self.state.products.prefetch_value(line.sku.as_bytes());
        }
    }

    /// Asks for what the ends of the next holds that are due will read.
    pub(super) fn expect_ends(&self) {
        let state = &self.state;
        if let Some(place) = state.hold_timers.due_after(HOLD_AHEAD) {
            state.holds.prefetch_place(place);
            state.hold_timers.prefetch(place);
        }
        if let Some(place) = state.hold_timers.due_after(HELD_AHEAD) {
            let hold = &state.holds[place];
            state.holds.prefetch_index(&hold.id.0);
            if let Some(line) = hold.lines.lines().iter().next() {
                state.products.prefetch(line.sku.as_bytes());
            }
        }
        if let Some(place) = state.hold_timers.due_after(FOUND_AHEAD)
            && let Some(line) = state.holds[place].lines.lines().iter().next()
        {
            state.products.prefetch_value(line.sku.as_bytes());
        }
    }
}

/// The hold that an event is about, where it is about one.
fn hold_of<'a>(record: &Replayed<'a>) -> Option<(EventKind, &'a [u8])> {
    let kind = EventKind::from_code(record.kind)?;
    let holds = matches!(
        kind,
        EventKind::HoldGranted
            | EventKind::HoldExtended
            | EventKind::HoldReleased
            | EventKind::HoldExpired
    );
    Some((kind, record.event.get(..ID_BYTES)?)).filter(|_| holds)
}
