//! What holds of every saga, whatever its table: run over all of them against parties that do what
//! they are told, refuse at any step, cannot be reached, or are told twice.

use std::collections::BTreeSet;

use super::catalog::checkout;
use super::{Action, Course, Progress, SagaKind, Signal, Way};
use crate::codec::{Reader, Writer};
use crate::payment::PaymentStep;
use claw_common::limits::SAGA_ATTEMPTS_MAX;

/// The parties: what was done and not undone. Doing or undoing twice is doing it once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Parties {
    done: BTreeSet<&'static str>,
}

impl Parties {
    fn act(&mut self, progress: &Progress, action: Action) {
        let saga = progress.saga.saga();
        if progress.course == Course::Unwinding {
            let undone = saga.steps.iter().find(|step| step.undo == Some(action)).unwrap();
            self.done.remove(undone.name);
        } else {
            let done = saga.steps.iter().find(|step| step.action == action).unwrap();
            self.done.insert(done.name);
        }
    }
}

/// Runs to the end; `crash` forgets everything but the progress's bytes after every event.
fn run(mut progress: Progress, parties: &mut Parties, crash: bool) -> Progress {
    for _ in 0..100 {
        let Some(action) = progress.todo() else { return progress };
        parties.act(&progress, action);
        if crash {
            // Nobody remembers that it was done: it is done again.
            progress = reread(&progress);
            assert_eq!(progress.todo(), Some(action), "a crash changes nothing");
            parties.act(&progress, action);
        }
        assert!(progress.take(Signal::Done));
        progress = reread(&progress);
    }
    panic!("no end: {progress:?}");
}

fn reread(progress: &Progress) -> Progress {
    let mut bytes = [0; 32];
    let mut writer = Writer::new(&mut bytes);
    crate::codec::Encode::encode(progress, &mut writer);
    let written = writer.written();
    let mut reader = Reader::new(&bytes[..written]);
    let read = Progress::read(&mut reader).unwrap();
    reader.finish().unwrap();
    assert_eq!(read, *progress);
    read
}

/// Every place a saga can come to going forward, with what was done until there.
fn places(kind: SagaKind) -> Vec<(Progress, Parties)> {
    let (mut progress, mut parties) = (Progress::start(kind), Parties::default());
    let mut places = vec![];
    while let Some(action) = progress.todo() {
        places.push((progress, parties.clone()));
        parties.act(&progress, action);
        progress.take(Signal::Done);
    }
    places
}

fn is_before_pivot(progress: &Progress) -> bool {
    let steps = progress.saga.saga().steps;
    let pivot = steps.iter().position(|step| step.way == Way::Pivot).unwrap();
    usize::from(progress.at) <= pivot
}

#[test]
fn every_saga_ends_with_every_step_done_with_and_without_crashes() {
    for kind in SagaKind::ALL {
        for crash in [false, true] {
            let mut parties = Parties::default();
            let progress = run(Progress::start(kind), &mut parties, crash);
            assert_eq!(progress.course, Course::Done);
            let all: BTreeSet<_> = kind.saga().steps.iter().map(|step| step.name).collect();
            assert_eq!(parties.done, all);
        }
    }
}

#[test]
fn refusal_at_any_step_up_to_the_pivot_undoes_everything_that_can_be() {
    for kind in SagaKind::ALL {
        for crash in [false, true] {
            for (mut progress, mut parties) in places(kind) {
                let before_pivot = is_before_pivot(&progress);
                assert!(progress.take(Signal::Refused));
                if !before_pivot {
                    assert!(progress.parked && progress.todo().is_none(), "only forward");
                    continue;
                }
                let progress = run(progress, &mut parties, crash);
                assert_eq!(progress.course, Course::Undone);
                assert!(left(kind, &parties).is_empty(), "{parties:?}");
            }
        }
    }
}

/// What was done, can be undone and is not.
fn left(kind: SagaKind, parties: &Parties) -> Vec<&'static str> {
    let steps = kind.saga().steps.iter().filter(|step| step.undo.is_some());
    steps.map(|step| step.name).filter(|name| parties.done.contains(name)).collect()
}

#[test]
fn step_given_up_may_have_been_done_and_is_undone_too() {
    for kind in SagaKind::ALL {
        for (mut progress, mut parties) in places(kind) {
            let step = &kind.saga().steps[usize::from(progress.at)];
            let action = progress.todo().unwrap();
            parties.act(&progress, action);
            let can_turn = is_before_pivot(&progress) && step.way != Way::Pivot;
            assert_eq!(progress.take(Signal::GivenUp), can_turn, "{}", step.name);
            if can_turn {
                let progress = run(progress, &mut parties, false);
                assert_eq!(progress.course, Course::Undone);
                assert!(left(kind, &parties).is_empty(), "{parties:?}");
            }
        }
    }
}

#[test]
fn unwinding_again_is_clean() {
    for (mut progress, mut parties) in places(SagaKind::Checkout) {
        if !is_before_pivot(&progress) {
            continue;
        }
        progress.take(Signal::Refused);
        let mut again = parties.clone();
        run(progress, &mut parties, false);
        run(progress, &mut again, false);
        let once = again.clone();
        run(progress, &mut again, true);
        assert_eq!((&once, &parties), (&again, &again));
    }
}

#[test]
fn attempts_are_bounded_and_an_unknown_pivot_is_parked_and_not_undone() {
    for kind in SagaKind::ALL {
        for (start, _) in places(kind) {
            let mut progress = start;
            for attempt in 1..=SAGA_ATTEMPTS_MAX {
                assert!(progress.take(Signal::Unavailable { retry_at_ms: attempt.into() }));
            }
            let step = &kind.saga().steps[usize::from(start.at)];
            let turned = step.way == Way::Compensatable;
            assert_eq!(progress.parked, !turned, "{}", step.name);
            assert_eq!(turned, progress.course != Course::Forward);
            if progress.parked {
                assert!(!progress.take(Signal::Done), "parked: nothing was asked");
                assert!(progress.take(Signal::Retry));
                assert_eq!(progress, start, "from the first attempt");
            }
        }
    }
}

#[test]
fn undo_that_keeps_failing_is_parked_and_can_be_retried() {
    let mut progress = Progress::start(SagaKind::Checkout);
    assert!(progress.reach(checkout::CAPTURE));
    assert!(progress.take(Signal::Refused));
    progress.undo_here();
    assert_eq!(progress.todo(), Some(Action::Pay(PaymentStep::Void)));
    assert!(progress.take(Signal::Refused));
    assert!(progress.parked && progress.todo().is_none());
    assert!(!progress.take(Signal::Park), "parked already");
    assert!(progress.take(Signal::Retry));
    assert_eq!(progress.todo(), Some(Action::Pay(PaymentStep::Void)));
    assert!(progress.take(Signal::Done));
    assert_eq!(progress.course, Course::Undone);
}

#[test]
fn waiting_for_somebody_counts_no_attempt() {
    let mut progress = Progress::start(SagaKind::Checkout);
    assert!(progress.reach(checkout::AUTHORIZE));
    for at in 1..1000 {
        assert!(progress.take(Signal::Waiting { retry_at_ms: at }));
        assert_eq!((progress.due_ms, progress.attempt, progress.parked), (at, 0, false));
    }
}

#[test]
fn ended_sagas_hear_nothing() {
    let mut progress = Progress::start(SagaKind::Refund);
    progress.finish();
    for signal in [Signal::Done, Signal::Refused, Signal::GivenUp, Signal::Park, Signal::Retry] {
        assert!(!progress.take(signal));
    }
    assert!(progress.is_over());
}

#[test]
fn table_of_the_checkout_is_the_one_that_was_reviewed() {
    let rows = checkout::SAGA.steps.iter().map(|step| {
        let undo = step.undo.map_or("-", Action::name);
        format!("{} / {} / {undo} / {:?}\n", step.name, step.action.name(), step.way)
    });
    let expected = "\
reserve / reserve / release / Compensatable
price / price / - / Compensatable
coupon / hold coupon / return coupon / Compensatable
score / score / - / Compensatable
authorize / authorize / void / Compensatable
confirm / confirm / give back / Compensatable
capture / capture / - / Pivot
place / place / - / Retriable
";
    assert_eq!(rows.collect::<String>(), expected);
    assert_eq!(checkout::SAGA.steps[usize::from(checkout::AUTHORIZE)].name, "authorize");
    assert_eq!(checkout::SAGA.steps[usize::from(checkout::CONFIRM)].name, "confirm");
    assert_eq!(checkout::SAGA.steps[usize::from(checkout::CAPTURE)].name, "capture");
    assert_eq!(checkout::SAGA.steps[usize::from(checkout::PLACE)].name, "place");
}
