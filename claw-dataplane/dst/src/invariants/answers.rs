//! An answer fits its question; a repeated command gets the first answer again, byte for byte.
//!
//! A checkout is the exception that the interface makes: its repetition gives the same order as it
//! is now.

use claw_core::outcome::{Missing, Outcome, Refusal};

use crate::violation::{Checked, Violation, check};

const FITS: &str = "an answer fits its question";
const REPEATS: &str = "a repeated command gets the first answer";

/// The violation of an answer that no such question has.
pub(crate) fn unfit(question: &str, outcome: &Outcome<'_>) -> Violation {
    Violation::new(FITS, format!("{question}: {outcome:?}"))
}

/// Whether an answer speaks of the moment only and is not remembered.
pub(crate) fn momentary(outcome: &Outcome<'_>) -> bool {
    matches!(
        outcome,
        Outcome::Refused(
            Refusal::WindowFull
                | Refusal::CapacityFull { .. }
                | Refusal::StillDeciding
                | Refusal::NotFound(Missing::Cart | Missing::Hold | Missing::Order)
        )
    )
}

/// Compares the answer to a repeated command with the first one.
pub(crate) fn check_repeated(question: &str, first: &[u8], again: &[u8]) -> Checked {
    let (first_view, again_view) = (super::outcome(first)?, super::outcome(again)?);
    let same = match (&first_view, &again_view) {
        (_, again) if momentary(again) => true,
        (Outcome::Order(first), Outcome::Order(again)) => first.order == again.order,
        _ => first == again,
    };
    check(same, REPEATS, || format!("{question}: {first_view:?}, then {again_view:?}"))
}
