//! Holds made, extended and given back.

use claw_common::id::Id;

use super::{may_touch, priced_locally};
use crate::inventory::stored_lines::PricedLines;
use crate::lines::Lines;
use crate::outcome::{HoldState, Missing, Refusal};
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;
use crate::shard::event::Event;
use crate::shard::message::{Part, PartKey};
use crate::shard::notice::Notice;

/// What a hold shall be.
pub(super) struct Wish<'a> {
    pub(super) session: &'a str,
    pub(super) lines: Lines<'a>,
    pub(super) ttl_ms: u64,
    pub(super) entropy: u64,
}

impl Shard {
    pub(super) fn create_hold(&mut self, call: &mut Call<'_>, wish: &Wish<'_>) {
        // Taken for the length of the decision, so that pricing and committing do not share it.
        let mut priced = core::mem::take(&mut self.priced);
        self.create_hold_priced(call, wish, &mut priced);
        self.priced = priced;
    }

    fn create_hold_priced(
        &mut self,
        call: &mut Call<'_>,
        wish: &Wish<'_>,
        priced: &mut PricedLines,
    ) {
        let lines = wish.lines;
        if !self.state.holds.has_room() {
            return self.refuse(call, Refusal::CapacityFull { slab: "holds" });
        }
        priced.start(lines);
        let currency = match priced_locally(&self.state, lines, None, priced) {
            Err(refusal) => return self.refuse(call, refusal),
            Ok(None) if lines.is_empty() => return self.refuse(call, Refusal::Empty),
            Ok(None) => unreachable!("the home of a hold owns its first line"),
            Ok(Some(currency)) => currency,
        };
        let hold = self.new_id(call, wish.entropy);
        let session = wish.session;
        if self.state.placement.others(lines) == 0 {
            let expires_at_ms = call.now_ms + wish.ttl_ms;
            let lines = priced.lines();
            let event = Event::HoldGranted { hold, session, currency, expires_at_ms, lines };
            return self.commit_answered(call, &event, Show::Hold { hold, created: true });
        }
        let ttl_ms = wish.ttl_ms;
        let event = Event::HoldReserving { hold, session, currency, ttl_ms, lines: priced.lines() };
        self.commit(call, &event);
        let key = PartKey { id: hold, part: Part::Hold };
        self.converse(call, key, currency, priced.lines());
    }

    pub(super) fn extend_hold(
        &mut self,
        call: &mut Call<'_>,
        hold: Id,
        session: Option<&str>,
        ttl_ms: u64,
    ) {
        let Some(place) = self.live_hold(call, hold, session) else {
            return self.refuse(call, Refusal::NotFound(Missing::Hold));
        };
        let found = &self.state.holds[place];
        if !found.is_extendable() {
            let state = found.state;
            return self.refuse(call, Refusal::HoldNotActive { state });
        }
        let event = Event::HoldExtended { hold, expires_at_ms: call.now_ms + ttl_ms };
        self.commit_answered(call, &event, Show::Hold { hold, created: false });
    }

    pub(super) fn release_hold(&mut self, call: &mut Call<'_>, hold: Id, session: Option<&str>) {
        let Some(place) = self.live_hold(call, hold, session) else {
            return self.refuse(call, Refusal::NotFound(Missing::Hold));
        };
        let found = &self.state.holds[place];
        let show = Show::Hold { hold, created: false };
        match found.state {
            HoldState::Sold => self.refuse(call, Refusal::HoldSold),
            HoldState::Released | HoldState::Expired => {
                self.commit_answered(call, &Event::CommandUnchanged, show);
            }
            HoldState::Active | HoldState::Waiting if found.pinned_by.is_none() => {
                let session = found.session;
                self.commit_answered(call, &Event::HoldReleased { hold }, show);
                let (session, state) = (session.as_str(), HoldState::Released);
                Self::notify(call, &Notice::Hold { session, hold, state });
                self.undo_hold(call, hold);
            }
            state => self.refuse(call, Refusal::HoldNotActive { state }),
        }
    }

    /// A hold that may be touched, after its time has been looked at: one that is due is expired
    /// here and now, whether or not the tick has come to it.
    pub(crate) fn live_hold(
        &mut self,
        call: &mut Call<'_>,
        hold: Id,
        session: Option<&str>,
    ) -> Option<u32> {
        let place = self.state.holds.find(&hold.0)?;
        let found = &self.state.holds[place];
        let shown = found.state != HoldState::Reserving;
        if !shown || !may_touch(found.session.as_str(), session) {
            return None;
        }
        if found.is_ticking() && found.expires_at_ms <= call.now_ms {
            self.expire_hold(call, place);
        }
        Some(place)
    }

    /// Expires a hold: an event of the node itself, whatever command brought it up.
    pub(crate) fn expire_hold(&mut self, call: &mut Call<'_>, place: u32) {
        let hold = self.state.holds[place].id;
        let claim = core::mem::take(&mut call.claim);
        self.commit(call, &Event::HoldExpired { hold });
        call.claim = claim;
        let found = &self.state.holds[place];
        let session = found.session;
        let notice = Notice::Hold { session: session.as_str(), hold, state: HoldState::Expired };
        Self::notify(call, &notice);
        self.undo_hold(call, hold);
    }
}
