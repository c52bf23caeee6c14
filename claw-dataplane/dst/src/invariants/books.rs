//! At rest, the books are those of the acknowledged answers: nothing lost, nothing counted twice.
//!
//! Every command was repeated until it was answered, so what shoppers know is everything there is.
//! For each product: received and removed are the sums of the acknowledged movements, sold is what
//! the acknowledged orders hold, held is what the live holds hold. For each coupon: its uses.

use claw_common::id::shard_of_key;
use claw_common::time::UnixMs;
use claw_core::command::Command;
use claw_core::outcome::{Missing, Outcome, Refusal};
use claw_core::shard::Shard;

use super::coupons;
use crate::ask::ask;
use crate::oracle::Oracle;
use crate::violation::{Checked, Violation, check};

const NAME: &str = "the books are the acknowledged ones";

/// Compares all books; the oracle must have looked at holds and orders just before.
pub(crate) fn check_all(shards: &mut [&mut Shard], oracle: &Oracle, now_ms: UnixMs) -> Checked {
    let count = u16::try_from(shards.len()).expect("few");
    let (sold, held) = (oracle.units_sold(), oracle.units_held());
    for (sku, book) in &oracle.products {
        let shard = &mut *shards[usize::from(shard_of_key(sku, count).0)];
        let bytes = ask(shard, Command::ReadProduct { sku }, now_ms);
        let units = |sums: &std::collections::BTreeMap<String, u64>| sums.get(sku).copied();
        let known =
            [book.received, book.removed, units(&sold).unwrap_or(0), units(&held).unwrap_or(0)];
        let node = match super::outcome(&bytes)? {
            Outcome::Product(view) => [view.received, view.removed, view.sold, view.held],
            Outcome::Refused(Refusal::NotFound(Missing::Product)) => [0; 4],
            other => return Err(Violation::new(NAME, format!("{sku}: {other:?}"))),
        };
        check(known == node, NAME, || {
            format!("{sku}: received, removed, sold, held are {node:?}, acknowledged {known:?}")
        })?;
    }
    for code in oracle.coupons.keys() {
        let shard = &mut *shards[usize::from(shard_of_key(code, count).0)];
        let bytes = ask(shard, Command::ReadCoupon { code }, now_ms);
        match super::outcome(&bytes)? {
            Outcome::Coupon(view) => coupons::check_at_rest(&view, oracle)?,
            other => return Err(Violation::new(NAME, format!("{code}: {other:?}"))),
        }
    }
    Ok(())
}
