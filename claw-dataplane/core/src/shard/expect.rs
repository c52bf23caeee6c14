//! What records to come will read, asked of memory before they are applied.
//!
//! A replay of millions of records waits for memory: each touches a few lines in tables far larger
//! than the caches, one after the other. Asked for together, the waits overlap. Changes nothing,
//! and may guess: what was asked for in vain costs its time.

use super::Shard;
use super::event::EventKind;
use super::replay::Replayed;
use crate::log::{EXPECTED_COUNT, Records};

/// An id at the front of an event.
const ID_BYTES: usize = 16;

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
