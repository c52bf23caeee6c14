//! Answers: a header, and an outcome or a problem.
//!
//! An outcome is the encoding of `claw-core::outcome`, which the log remembers too; its version is
//! said in the welcome and its bytes are written down in `claw-dataplane/docs/wire.md`. Every "no",
//! the core's included, is a problem with the name it has over HTTP.

use core::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Version of the outcomes in answers.
pub const OUTCOME_VERSION: u16 = 1;
/// Answer kind: the body is an outcome.
pub const ANSWER_OUTCOME: u8 = 1;
/// Answer kind: the body is a problem.
pub const ANSWER_PROBLEM: u8 = 2;
/// Member kind: a number of 8 bytes.
pub const MEMBER_NUMBER: u8 = 1;
/// Member kind: UTF-8 text.
pub const MEMBER_TEXT: u8 = 2;

/// The header of every answer.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct AnswerHeader {
    /// The whole answer, bytes, this header included; the next one follows at once.
    pub length_bytes: U32,
    /// [`ANSWER_OUTCOME`] or [`ANSWER_PROBLEM`].
    pub kind: u8,
    /// Zero.
    pub reserved: u8,
    /// Status of the same answer over HTTP.
    pub status: U16,
    /// Sequence of the command.
    pub sequence: U64,
    /// Shard that decided; zero where none did.
    pub shard: U16,
    /// Zero.
    pub reserved_tail: [u8; 6],
    /// Place in that shard's log; 0 where none did.
    pub position: U64,
}

/// A problem; name, detail and members follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct ProblemHeader {
    /// [`problem_code`] of its name.
    pub code: U16,
    /// Its name: the last part of the `type` over HTTP.
    pub name_bytes: u8,
    /// [`MemberHeader`]s.
    pub members_count: u8,
    /// What happened and what to do.
    pub detail_bytes: U16,
    /// Seconds after which a retry is worth it; 0 where none is.
    pub retry_after_s: U16,
}

/// A further member of a problem; its name and its value follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct MemberHeader {
    /// [`MEMBER_NUMBER`] or [`MEMBER_TEXT`].
    pub kind: u8,
    /// Its name.
    pub name_bytes: u8,
    /// Its value.
    pub value_bytes: U16,
}

const _: () = {
    assert!(size_of::<AnswerHeader>() == 32);
    assert!(offset_of!(AnswerHeader, kind) == 4);
    assert!(offset_of!(AnswerHeader, status) == 6);
    assert!(offset_of!(AnswerHeader, sequence) == 8);
    assert!(offset_of!(AnswerHeader, shard) == 16);
    assert!(offset_of!(AnswerHeader, position) == 24);
    assert!(size_of::<ProblemHeader>() == 8);
    assert!(offset_of!(ProblemHeader, name_bytes) == 2);
    assert!(offset_of!(ProblemHeader, members_count) == 3);
    assert!(offset_of!(ProblemHeader, detail_bytes) == 4);
    assert!(offset_of!(ProblemHeader, retry_after_s) == 6);
    assert!(size_of::<MemberHeader>() == 4);
    assert!(offset_of!(MemberHeader, name_bytes) == 1);
    assert!(offset_of!(MemberHeader, value_bytes) == 2);
};

/// Names with a number: the first has 1. New ones are added at the end; a problem that is not here
/// has the number 0 and is known by its name.
pub const PROBLEM_NAMES: &[&str] = &[
    "malformed",
    "unsigned",
    "bad-signature",
    "signature-expired",
    "unknown-key",
    "revoked-key",
    "forbidden",
    "not-found",
    "unknown-sku",
    "request-timeout",
    "stock-negative",
    "coupon-uses",
    "sold-out",
    "hold-sold",
    "hold-not-active",
    "order-state",
    "version-mismatch",
    "body-too-large",
    "schema",
    "idempotency-mismatch",
    "currency-mixed",
    "empty",
    "lines-above-max",
    "rate-limited",
    "internal",
    "overloaded",
    "capacity-full",
    "still-deciding",
    "behind",
    "not-ready",
    "frame-sequence",
    "credits-exceeded",
    "version-unknown",
];

/// The number of a problem's name; 0 when it has none.
pub fn problem_code(name: &str) -> u16 {
    let place = PROBLEM_NAMES.iter().position(|known| *known == name);
    place.and_then(|place| u16::try_from(place + 1).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::problem_code;

    #[test]
    fn problem_numbers_never_change() {
        for (name, code) in [("malformed", 1), ("sold-out", 13), ("version-unknown", 33), ("?", 0)]
        {
            assert_eq!(problem_code(name), code, "{name}");
        }
    }
}
