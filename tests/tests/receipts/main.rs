//! Receipts, checkpoints and the full audit, from outside.
//!
//! `altered` has every way to alter a receipt, `audit` every way to damage or forge a store,
//! `independent` the same checks made by a few lines of Python that share nothing with us.

#![expect(clippy::unwrap_used, reason = "tests: whatever fails fails them")]

mod altered;
mod audit;
mod independent;
mod route;
mod shop;
