//! Problems as the wire protocol carries them: the same names, details and members as over HTTP.

use claw_common::wire::{MEMBER_NUMBER, MEMBER_TEXT, MemberHeader, ProblemHeader, problem_code};
use claw_core::outcome::Refusal;
use zerocopy::IntoBytes as _;
use zerocopy::little_endian::U16;

use super::RETRY_AFTER_S;
use super::refusal::{detail_of, kind_of};
use super::views::{hold_state_name, order_state_name};
use crate::ingest::problem::{Member, Problem, ProblemKind};

/// Longest text of a problem, bytes: what is longer is cut.
const TEXT_BYTES_MAX: usize = 1024;

/// Appends ingest's own problem.
pub fn write_problem(out: &mut Vec<u8>, problem: &Problem) {
    let members = problem.members.iter().take(usize::from(u8::MAX));
    let count = u8::try_from(members.len()).expect("just bounded");
    open(out, problem.kind, (&problem.detail, problem.retry_after_s), count);
    for (name, value) in members {
        match value {
            Member::Number(number) => write_number(out, name, *number),
            Member::Text(text) => write_text(out, name, text),
        }
    }
}

/// Appends a refusal of the core.
pub fn write_refusal(out: &mut Vec<u8>, refusal: &Refusal<'_>) {
    let kind = kind_of(refusal);
    let retry_after_s = (kind.status() == 503).then_some(RETRY_AFTER_S);
    let start = out.len();
    open(out, kind, (detail_of(refusal), retry_after_s), 0);
    let count = match *refusal {
        Refusal::SoldOut { sku, requested, available } => {
            write_text(out, "sku", sku);
            write_number(out, "requested", requested);
            write_number(out, "available", available);
            3
        }
        Refusal::StockNegative { sku, available } => {
            write_text(out, "sku", sku);
            write_number(out, "available", available);
            2
        }
        Refusal::UnknownSku { sku } => one(|| write_text(out, "sku", sku)),
        Refusal::CapacityFull { slab } => one(|| write_text(out, "slab", slab)),
        Refusal::VersionMismatch { version } => one(|| write_number(out, "version", version)),
        Refusal::CouponUsesBelowUsed { uses } => one(|| write_number(out, "uses", uses)),
        Refusal::HoldNotActive { state } => {
            one(|| write_text(out, "state", hold_state_name(state)))
        }
        Refusal::OrderState { state } => one(|| write_text(out, "state", order_state_name(state))),
        Refusal::PaymentRequired { total } => {
            one(|| write_number(out, "total", u64::try_from(total).unwrap_or_default()))
        }
        Refusal::WindowFull
        | Refusal::StillDeciding
        | Refusal::IdempotencyMismatch
        | Refusal::NotFound(_)
        | Refusal::CurrencyMixed
        | Refusal::Empty
        | Refusal::LinesAboveMax
        | Refusal::SagaState
        | Refusal::HoldSold => 0,
    };
    out[start + std::mem::offset_of!(ProblemHeader, members_count)] = count;
}

fn one(write: impl FnOnce()) -> u8 {
    write();
    1
}

fn open(out: &mut Vec<u8>, kind: ProblemKind, said: (&str, Option<u32>), members_count: u8) {
    let (detail, retry_after_s) = (clip(said.0), said.1.unwrap_or(0));
    let name = kind.name();
    let header = ProblemHeader {
        code: U16::new(problem_code(name)),
        name_bytes: u8::try_from(name.len()).expect("names are short"),
        members_count,
        detail_bytes: length(detail),
        retry_after_s: U16::new(u16::try_from(retry_after_s).unwrap_or(u16::MAX)),
    };
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(detail.as_bytes());
}

fn write_number(out: &mut Vec<u8>, name: &str, value: u64) {
    write_member(out, (MEMBER_NUMBER, name), &value.to_le_bytes());
}

fn write_text(out: &mut Vec<u8>, name: &str, value: &str) {
    write_member(out, (MEMBER_TEXT, name), clip(value).as_bytes());
}

fn write_member(out: &mut Vec<u8>, named: (u8, &str), value: &[u8]) {
    let (kind, name) = named;
    let header = MemberHeader {
        kind,
        name_bytes: u8::try_from(name.len()).expect("names are short"),
        value_bytes: U16::new(u16::try_from(value.len()).expect("clipped")),
    };
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(value);
}

fn length(text: &str) -> U16 {
    U16::new(u16::try_from(text.len()).expect("clipped"))
}

/// The front of a text that is longer than a problem may carry.
fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX.min(text.len()))]
}
