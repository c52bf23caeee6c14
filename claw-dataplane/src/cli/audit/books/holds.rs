//! What events do to holds, and to what is reserved for other shards' holds and orders.

use claw_common::id::Id;
use claw_core::lines::Lines;
use claw_core::shard::message::PartKey;

use super::{Books, HoldBook, HoldEnd, MemberBook, Move, OwnedLines, Phase, owned};

impl Books {
    pub(super) fn begin_hold(&mut self, hold: Id, lines: Lines<'_>, end: HoldEnd) {
        let lines = owned(lines);
        self.move_lines(&lines, Move::Hold);
        let home = self.place.0;
        if self.holds.insert(hold, HoldBook { home, end, lines }).is_some() {
            self.find(format_args!("begins hold {hold} a second time"));
        }
    }

    pub(super) fn grant_hold(&mut self, hold: Id, lines: Lines<'_>) {
        match self.holds.get_mut(&hold) {
            None => self.begin_hold(hold, lines, HoldEnd::Active),
            Some(book) if book.end == HoldEnd::Reserving => book.end = HoldEnd::Active,
            Some(book) if book.end == HoldEnd::Waiting => {
                book.end = HoldEnd::Active;
                self.move_lines(&owned(lines), Move::Hold);
            }
            Some(book) => {
                let end = book.end;
                self.find(format_args!("grants hold {hold}, which is {end:?}"));
            }
        }
    }

    pub(super) fn join_line(&mut self, hold: Id, lines: Lines<'_>) {
        // Nothing is reserved yet.
        let book = HoldBook { home: self.place.0, end: HoldEnd::Waiting, lines: owned(lines) };
        if self.holds.insert(hold, book).is_some() {
            self.find(format_args!("begins hold {hold} a second time"));
        }
    }

    /// Changes a hold's state; `None` with a finding when it does not allow it.
    pub(super) fn step_hold(
        &mut self,
        hold: Id,
        before: HoldEnd,
        after: HoldEnd,
    ) -> Option<OwnedLines> {
        match self.holds.get_mut(&hold) {
            Some(book) if book.end == before => {
                book.end = after;
                Some(book.lines.clone())
            }
            Some(book) => {
                let end = book.end;
                self.find(format_args!("makes hold {hold} {after:?}, which is {end:?}"));
                None
            }
            None => {
                self.find(format_args!("makes hold {hold} {after:?}, which does not exist"));
                None
            }
        }
    }

    pub(super) fn end_hold(&mut self, hold: Id, end: HoldEnd) {
        if self.holds.get(&hold).is_some_and(|book| book.end == HoldEnd::Waiting) {
            self.step_hold(hold, HoldEnd::Waiting, end);
        } else if let Some(lines) = self.step_hold(hold, HoldEnd::Active, end) {
            self.move_lines(&lines, Move::Release);
        }
    }

    pub(super) fn refuse_hold(&mut self, hold: Id) {
        if let Some(lines) = self.step_hold(hold, HoldEnd::Reserving, HoldEnd::Released) {
            self.move_lines(&lines, Move::Release);
        }
    }

    pub(super) fn begin_member(&mut self, key: PartKey, book: MemberBook) {
        if self.members.insert((self.place.0, key), book).is_some() {
            self.find(format_args!("reserves for {} a second time", key.id));
        }
    }

    pub(super) fn settle_member(&mut self, key: PartKey) {
        match self.members.get_mut(&(self.place.0, key)) {
            Some(book) if book.phase == Phase::Held => {
                book.phase = Phase::Settled;
                let (lines, coupon) = (book.lines.clone(), book.coupon.clone());
                self.move_lines(&lines, Move::Settle);
                if let Some(code) = coupon {
                    self.use_coupon(&code, Move::Settle);
                }
            }
            _ => self.find(format_args!("sells to {} what is not reserved for it", key.id)),
        }
    }

    pub(super) fn undo_member(&mut self, key: PartKey) {
        let undone = MemberBook { phase: Phase::Undone, lines: Vec::new(), coupon: None };
        let Some(book) = self.members.insert((self.place.0, key), undone) else { return };
        let back = match book.phase {
            Phase::Held => Move::Release,
            Phase::Settled => Move::GiveBack,
            Phase::Undone => {
                self.find(format_args!("takes back from {} a second time", key.id));
                return;
            }
        };
        self.move_lines(&book.lines, back);
        if let Some(code) = book.coupon {
            self.use_coupon(&code, back);
        }
    }
}
