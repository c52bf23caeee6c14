//! Problem documents: those of ingest and the refusals of the core.
//!
//! A drop that sells out answers almost everybody with a refusal, so the core's are written
//! straight to JSON like any other answer.

use claw_core::outcome::{Missing, Refusal};

use super::text::{write_number, write_text};
use super::views::{hold_state_name, order_state_name};
use crate::ingest::problem::{Member, Problem, ProblemKind};

/// Writes ingest's own problem.
pub fn write_problem(out: &mut Vec<u8>, problem: &Problem) {
    debug_assert!(
        problem.kind.has_members(&problem.members),
        "not as ProblemKind::members says: {problem:?}"
    );
    open(out, problem.kind, &problem.detail);
    for (name, value) in &problem.members {
        match value {
            Member::Number(number) => number_member(out, name, *number),
            Member::Text(text) => text_member(out, name, text),
        }
    }
    out.push(b'}');
}

/// Writes a refusal of the core.
pub fn write_refusal(out: &mut Vec<u8>, refusal: &Refusal<'_>) {
    open(out, kind_of(refusal), detail_of(refusal));
    match *refusal {
        Refusal::SoldOut { sku, requested, available } => {
            text_member(out, "sku", sku);
            number_member(out, "requested", requested);
            number_member(out, "available", available);
        }
        Refusal::StockNegative { sku, available } => {
            text_member(out, "sku", sku);
            number_member(out, "available", available);
        }
        Refusal::UnknownSku { sku } => text_member(out, "sku", sku),
        Refusal::CapacityFull { slab } => text_member(out, "slab", slab),
        Refusal::VersionMismatch { version } => number_member(out, "version", version),
        Refusal::CouponUsesBelowUsed { uses } => number_member(out, "uses", uses),
        Refusal::HoldNotActive { state } => text_member(out, "state", hold_state_name(state)),
        Refusal::OrderState { state } => text_member(out, "state", order_state_name(state)),
        Refusal::PaymentRequired { total } => {
            number_member(out, "total", u64::try_from(total).unwrap_or_default());
        }
        Refusal::WindowFull
        | Refusal::StillDeciding
        | Refusal::IdempotencyMismatch
        | Refusal::NotFound(_)
        | Refusal::CurrencyMixed
        | Refusal::Empty
        | Refusal::LinesAboveMax
        | Refusal::SagaState
        | Refusal::HoldSold => {}
    }
    out.push(b'}');
}

/// The name and status of a refusal.
pub const fn kind_of(refusal: &Refusal<'_>) -> ProblemKind {
    match refusal {
        Refusal::WindowFull => ProblemKind::Overloaded,
        Refusal::CapacityFull { .. } => ProblemKind::CapacityFull,
        Refusal::StillDeciding => ProblemKind::StillDeciding,
        Refusal::IdempotencyMismatch => ProblemKind::IdempotencyMismatch,
        Refusal::NotFound(_) => ProblemKind::NotFound,
        Refusal::VersionMismatch { .. } => ProblemKind::VersionMismatch,
        Refusal::UnknownSku { .. } => ProblemKind::UnknownSku,
        Refusal::CurrencyMixed => ProblemKind::CurrencyMixed,
        Refusal::Empty => ProblemKind::Empty,
        Refusal::LinesAboveMax => ProblemKind::LinesAboveMax,
        Refusal::StockNegative { .. } => ProblemKind::StockNegative,
        Refusal::CouponUsesBelowUsed { .. } => ProblemKind::CouponUses,
        Refusal::SoldOut { .. } => ProblemKind::SoldOut,
        Refusal::HoldSold => ProblemKind::HoldSold,
        Refusal::HoldNotActive { .. } => ProblemKind::HoldNotActive,
        Refusal::OrderState { .. } => ProblemKind::OrderState,
        Refusal::PaymentRequired { .. } => ProblemKind::PaymentRequired,
        Refusal::SagaState => ProblemKind::SagaState,
    }
}

pub(super) const fn detail_of(refusal: &Refusal<'_>) -> &'static str {
    match refusal {
        Refusal::WindowFull => "too many commands to remember: retry with the same key",
        Refusal::CapacityFull { .. } => "raise `memory` in store.toml, or retry later",
        Refusal::StillDeciding => "retry with the same key and body",
        Refusal::IdempotencyMismatch => "send another request with another Idempotency-Key",
        Refusal::NotFound(Missing::Product) => "there is no such product",
        Refusal::NotFound(Missing::Coupon) => "there is no such coupon",
        Refusal::NotFound(Missing::Cart) => "there is no such cart",
        Refusal::NotFound(Missing::Hold) => "there is no such hold",
        Refusal::NotFound(Missing::Order) => "there is no such order",
        Refusal::VersionMismatch { .. } => "read the product again and repeat with its version",
        Refusal::UnknownSku { .. } => "put the product before it is held",
        Refusal::CurrencyMixed => "all lines and the coupon of an order have one currency",
        Refusal::Empty => "put something in before checking out",
        Refusal::LinesAboveMax => "a cart or order has at most 32 different SKUs",
        Refusal::StockNegative { .. } => "only what is available can be removed",
        Refusal::CouponUsesBelowUsed { .. } => "uses_max cannot fall below the uses made",
        Refusal::SoldOut { .. } => "less is available than was asked for; nothing was reserved",
        Refusal::HoldSold => "cancel its order instead",
        Refusal::HoldNotActive { .. } => "make a new hold",
        Refusal::OrderState { .. } => "read the order for the state it is in",
        Refusal::PaymentRequired { .. } => "send `payment` with the gateway's token",
        Refusal::SagaState => "only what is parked is retried, only what is under way is parked",
    }
}

fn open(out: &mut Vec<u8>, kind: ProblemKind, detail: &str) {
    out.extend_from_slice(b"{\"type\":\"urn:openclaw:problem:");
    out.extend_from_slice(kind.name().as_bytes());
    out.extend_from_slice(b"\",\"title\":\"");
    out.extend_from_slice(kind.title().as_bytes());
    out.extend_from_slice(b"\",\"status\":");
    write_number(out, u64::from(kind.status()));
    text_member(out, "detail", detail);
}

fn text_member(out: &mut Vec<u8>, name: &str, value: &str) {
    name_member(out, name);
    write_text(out, value);
}

fn number_member(out: &mut Vec<u8>, name: &str, value: u64) {
    name_member(out, name);
    write_number(out, value);
}

fn name_member(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}
