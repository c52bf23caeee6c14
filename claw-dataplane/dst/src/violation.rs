//! What a broken invariant says.

use core::fmt;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which, as in the table of `invariants`.
    pub invariant: &'static str,
    /// What was seen.
    pub detail: String,
}

/// Whether an invariant holds.
pub(crate) type Checked = Result<(), Violation>;

impl Violation {
    pub(crate) fn new(invariant: &'static str, detail: impl Into<String>) -> Self {
        Self { invariant, detail: detail.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.detail)
    }
}

/// Fails with `detail` unless `holds`.
pub(crate) fn check(
    holds: bool,
    invariant: &'static str,
    detail: impl FnOnce() -> String,
) -> Checked {
    if holds { Ok(()) } else { Err(Violation::new(invariant, detail())) }
}
