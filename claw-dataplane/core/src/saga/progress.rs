//! Where a saga stands, and how a signal moves it.

use claw_common::limits::SAGA_ATTEMPTS_MAX;
use claw_common::time::UnixMs;

use super::table::{Action, SagaKind, Step, Way};
use crate::codec::{CodecError, Encode, Reader, Writer};
use crate::command::flag;

/// Where a saga goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Course {
    /// From step to step.
    Forward = 1,
    /// Back: what was done is being undone.
    Unwinding = 2,
    /// Every step is done.
    Done = 3,
    /// Everything is undone.
    Undone = 4,
}

impl Course {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Forward, Self::Unwinding, Self::Done, Self::Undone];

    /// The name people see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Unwinding => "unwinding",
            Self::Done => "done",
            Self::Undone => "undone",
        }
    }
}

/// What became of what was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It is done.
    Done,
    /// It is refused, for good.
    Refused,
    /// Nobody could say; it is to be tried again at this time.
    Unavailable {
        /// When.
        retry_at_ms: UnixMs,
    },
    /// Somebody has to act first; it is to be asked again at this time. Counts no attempt.
    Waiting {
        /// When.
        retry_at_ms: UnixMs,
    },
    /// Nobody waits for it any more; what it did, if anything, is to be undone too.
    GivenUp,
    /// Leave it alone.
    Park,
    /// Try again, from the first attempt.
    Retry,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which saga.
    pub saga: SagaKind,
    /// Where it goes.
    pub course: Course,
    /// The step it is at, going forward; the one it turned around at, afterwards.
    pub at: u8,
    /// A bit per step that is still to be undone.
    pub owed: u16,
    /// Whether it waits for somebody to retry it.
    pub parked: bool,
    /// Attempts of what is to be done that came to nothing.
    pub attempt: u16,
    /// When to try again; 0: now.
    pub due_ms: UnixMs,
}

impl Progress {
    /// At the first step.
    pub const fn start(saga: SagaKind) -> Self {
        let course = Course::Forward;
        Self { saga, course, at: 0, owed: 0, parked: false, attempt: 0, due_ms: 0 }
    }

    /// What is to be done now or when it is due: nothing when it has ended or is parked.
    pub fn todo(&self) -> Option<Action> {
        match self.course {
            _ if self.parked => None,
            Course::Forward => Some(self.step(self.at).action),
            Course::Unwinding => self.last_owed().and_then(|at| self.step(at).undo),
            Course::Done | Course::Undone => None,
        }
    }

    /// The step that is to be done or undone, for people.
    pub fn step_name(&self) -> &'static str {
        self.step(self.last_owed().unwrap_or(self.at)).name
    }

    /// What has become of the step at this place, for people.
    pub fn step_state(&self, place: usize) -> &'static str {
        let at = usize::from(self.at);
        let undoes = self.saga.saga().steps[place].undo.is_some();
        match self.course {
            Course::Done => "done",
            Course::Forward if place < at => "done",
            Course::Forward if place > at => "to come",
            Course::Forward if self.parked => "parked",
            Course::Forward => "under way",
            _ if self.owed & (1 << place) != 0 && self.parked => "parked",
            _ if self.owed & (1 << place) != 0 => "to be undone",
            _ if place <= at && undoes => "undone",
            _ if place < at => "done",
            _ => "not done",
        }
    }

    /// Whether it has ended.
    pub const fn is_over(&self) -> bool {
        matches!(self.course, Course::Done | Course::Undone)
    }

    /// Goes forward to a step: those before it are done, or were not needed. False where that would
    /// be a way back.
    pub(crate) fn reach(&mut self, step: u8) -> bool {
        let ahead = self.course == Course::Forward && self.at <= step;
        if ahead {
            self.at = step;
            self.begin_anew();
        }
        ahead
    }

    /// Ends it: every step is done.
    pub(crate) fn finish(&mut self) {
        self.course = Course::Done;
        self.begin_anew();
    }

    /// What the shard undoes, it undid in the event that turned the saga around.
    pub(crate) fn undo_here(&mut self) {
        for at in 0..self.count() {
            if self.step(at).undo.is_some_and(Action::is_done_here) {
                self.owed &= !(1 << at);
            }
        }
        self.end_when_undone();
    }

    /// Moves by a signal; false when it says nothing to a saga that stands where this one does.
    pub fn take(&mut self, signal: Signal) -> bool {
        match signal {
            Signal::Park if self.todo().is_some() => self.parked = true,
            Signal::Retry if self.parked => self.begin_anew(),
            Signal::Park | Signal::Retry => return false,
            _ if self.todo().is_none() => return false,
            Signal::Done => self.done(),
            Signal::Refused => self.refused(),
            Signal::GivenUp => return self.give_up(),
            Signal::Waiting { retry_at_ms } => self.due_ms = retry_at_ms,
            Signal::Unavailable { retry_at_ms } => self.unavailable(retry_at_ms),
        }
        true
    }

    fn done(&mut self) {
        self.begin_anew();
        match self.course {
            Course::Forward if self.at + 1 == self.count() => self.course = Course::Done,
            Course::Forward => self.at += 1,
            _ => {
                if let Some(at) = self.last_owed() {
                    self.owed &= !(1 << at);
                }
                self.end_when_undone();
            }
        }
    }

    fn refused(&mut self) {
        let can_turn = self.course == Course::Forward && self.may_turn_around();
        if can_turn { self.turn_around_before(self.at) } else { self.parked = true }
    }

    fn unavailable(&mut self, retry_at_ms: UnixMs) {
        self.attempt = self.attempt.saturating_add(1);
        self.due_ms = retry_at_ms;
        // The result of a pivot that nobody knows is not guessed: it may have been done.
        let is_pivot = self.step(self.at).way == Way::Pivot;
        if self.attempt >= SAGA_ATTEMPTS_MAX && (is_pivot || !self.give_up()) {
            self.parked = true;
        }
    }

    /// Turns around; the step under way may have done something, so it is undone as well.
    fn give_up(&mut self) -> bool {
        let can_turn = self.course == Course::Forward
            && self.may_turn_around()
            && self.step(self.at).way != Way::Pivot;
        if can_turn {
            self.turn_around_before(self.at + 1);
        }
        can_turn
    }

    fn turn_around_before(&mut self, end: u8) {
        self.begin_anew();
        self.course = Course::Unwinding;
        self.owed = 0;
        for at in 0..end {
            if self.step(at).undo.is_some() {
                self.owed |= 1 << at;
            }
        }
        self.end_when_undone();
    }

    /// Whether the pivot, if there is one, still lies ahead or is under way.
    fn may_turn_around(&self) -> bool {
        let steps = self.saga.saga().steps;
        let pivot = steps.iter().position(|step| step.way == Way::Pivot);
        pivot.is_none_or(|pivot| usize::from(self.at) <= pivot)
    }

    fn end_when_undone(&mut self) {
        if self.course == Course::Unwinding && self.owed == 0 {
            self.course = Course::Undone;
        }
    }

    fn begin_anew(&mut self) {
        (self.parked, self.attempt, self.due_ms) = (false, 0, 0);
    }

    fn last_owed(&self) -> Option<u8> {
        (0..self.count()).rev().find(|at| self.owed & (1 << at) != 0)
    }

    fn step(&self, at: u8) -> &'static Step {
        &self.saga.saga().steps[usize::from(at)]
    }

    fn count(&self) -> u8 {
        u8::try_from(self.saga.saga().steps.len()).expect("16 at most")
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (saga, course) = (r.u8()?, r.u8()?);
        let saga = SagaKind::ALL.into_iter().find(|kind| *kind as u8 == saga);
        let course = Course::ALL.into_iter().find(|kind| *kind as u8 == course);
        let (Some(saga), Some(course)) = (saga, course) else { return Err(r.invalid("saga")) };
        let at = r.u8()?;
        if usize::from(at) >= saga.saga().steps.len() {
            return Err(r.invalid("saga"));
        }
        let (owed, parked) = (r.u16()?, flag(r)?);
        Ok(Self { saga, course, at, owed, parked, attempt: r.u16()?, due_ms: r.milliseconds()? })
    }
}

impl Encode for Progress {
    fn encode(&self, w: &mut Writer<'_>) {
        w.u8(self.saga as u8);
        w.u8(self.course as u8);
        w.u8(self.at);
        w.u16(self.owed);
        w.u8(u8::from(self.parked));
        w.u16(self.attempt);
        w.u64(self.due_ms);
    }
}
