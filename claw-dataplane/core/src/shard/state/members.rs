//! Events of reservations across shards, taken in: the member's side, and what the home is owed.

use claw_common::id::{ShardId, Sku};

use super::{State, hold_units};
use crate::inventory::counter::Counter;
use crate::inventory::member::{Member, Phase, Reserved, key_bytes};
use crate::inventory::stored_lines::{StoredLines, bit};
use crate::shard::error::ApplyError;
use crate::shard::event::Event;
use crate::shard::message::{Part, PartKey, Sold};

impl State {
    /// Whether one more reservation may be held for another shard. A quarter of the slots is kept
    /// for those that have ended: what was undone has to stay known until its home has heard of it,
    /// however many are held, or a repeated `Undo` would give back twice.
    pub(crate) fn may_hold_for_others(&self) -> bool {
        let capacity = self.members.capacity();
        self.members.kept_count() < capacity - capacity.div_ceil(4)
    }

    pub(super) fn apply_member(&mut self, event: &Event<'_>) -> Result<(), ApplyError> {
        match *event {
            Event::MemberHeld { key, home, lines } => {
                self.change_stock(lines, hold_units)?;
                let reserved = Reserved::Lines(StoredLines::new(lines));
                self.insert_member(Member::new(key, home, Phase::Held, reserved))
            }
            Event::MemberCouponHeld { key, home, code, discount } => {
                let code = code_of(code)?;
                self.change_coupon(&code, |uses| uses.hold(1).is_ok())?;
                let reserved = Reserved::Coupon { code, discount };
                self.insert_member(Member::new(key, home, Phase::Held, reserved))
            }
            Event::MemberSettled { key } => {
                let place = self.member(key, Phase::Held)?;
                self.change_member(place, Counter::settle)?;
                self.members[place].phase = Phase::Settled;
                self.members.queue(place);
                Ok(())
            }
            Event::MemberUndone { key, home, sold } => self.undo_member(key, home, &sold),
            Event::MemberAcknowledged { key, member, .. } => self.acknowledge(key, member),
            _ => Err(ApplyError::contradiction("not an event of a reservation")),
        }
    }

    fn undo_member(
        &mut self,
        key: PartKey,
        home: ShardId,
        sold: &Sold<'_>,
    ) -> Result<(), ApplyError> {
        let Some(place) = self.members.find(&key_bytes(key)) else {
            self.change_stock(sold.lines, Counter::give_back)?;
            if !sold.code.is_empty() {
                let code = code_of(sold.code)?;
                self.change_coupon(&code, |uses| uses.give_back(1))?;
            }
            // Known from here on: a second `Undo` would give back a second time. There is no room
            // only in a store that was given less memory than it had.
            if self.members.has_room() {
                let undone = Member::new(key, home, Phase::Undone, Reserved::Nothing);
                self.insert_member(undone)?;
                if let Some(place) = self.members.find(&key_bytes(key)) {
                    self.members.queue(place);
                }
            }
            return Ok(());
        };
        match self.members[place].phase {
            Phase::Held => self.change_member(place, Counter::release)?,
            Phase::Settled => self.change_member(place, Counter::give_back)?,
            Phase::Undone => return Err(ApplyError::contradiction("undone already")),
        }
        let member = &mut self.members[place];
        member.phase = Phase::Undone;
        member.reserved = Reserved::Nothing;
        self.members.queue(place);
        Ok(())
    }

    fn change_member(
        &mut self,
        place: u32,
        change: fn(&mut Counter, u64) -> bool,
    ) -> Result<(), ApplyError> {
        let Self { members, products, placement, waiting, .. } = self;
        match &members[place].reserved {
            Reserved::Nothing => Ok(()),
            Reserved::Lines(lines) => {
                let lines = placement.local(lines.lines());
                super::return_stock((products, waiting), lines, change)
            }
            Reserved::Coupon { code, .. } => {
                let code = *code;
                self.change_coupon(&code, |uses| change(uses, 1))
            }
        }
    }

    fn insert_member(&mut self, member: Member) -> Result<(), ApplyError> {
        if let Some(victim) = self.members.victim() {
            self.members.remove(victim);
        }
        let place = self.members.insert(member);
        place.map(|_| ()).ok_or(ApplyError::CapacityFull { slab: "holds" })
    }

    fn member(&self, key: PartKey, phase: Phase) -> Result<u32, ApplyError> {
        let place = self.members.find(&key_bytes(key));
        let place = place.ok_or(ApplyError::contradiction("the reservation does not exist"))?;
        if self.members[place].phase == phase {
            return Ok(place);
        }
        Err(ApplyError::contradiction("the reservation's phase does not allow it"))
    }

    fn acknowledge(&mut self, key: PartKey, member: ShardId) -> Result<(), ApplyError> {
        let order = match key.part {
            Part::Order | Part::Coupon => Some(key.id),
            Part::Hold => {
                let place = self.holds.find(&key.id.0);
                let place = place.ok_or(ApplyError::contradiction("the hold does not exist"))?;
                if self.holds[place].pinned_by.is_none() {
                    self.holds[place].pending &= !bit(member);
                    self.queue_hold(place);
                }
                self.holds[place].pinned_by
            }
        };
        let Some(order) = order else { return Ok(()) };
        let place = self.order(order)?;
        if key.part == Part::Coupon {
            self.orders[place].coupon_pending = false;
        } else {
            self.orders[place].pending &= !bit(member);
        }
        self.queue_order(place);
        Ok(())
    }
}

fn code_of(code: &str) -> Result<Sku, ApplyError> {
    Sku::copy(code).ok_or(ApplyError::contradiction("a code is too long"))
}
