//! received - removed = available + held + sold, and nothing negative: for every product of a
//! shard, after everything that the shard does.
//!
//! Read twice: as shoppers see it, and by the shard's own audit, which also counts each held unit
//! on the side of its owner.

use claw_common::time::UnixMs;
use claw_core::codec::Reader;
use claw_core::command::Command;
use claw_core::outcome::{Outcome, ProductView};
use claw_core::shard::Shard;

use crate::ask::ask;
use crate::violation::{Checked, Violation, check};

const NAME: &str = "stock is conserved";
/// More than any world has.
const PRODUCTS_MAX: u16 = 100;

/// Checks all products of a shard.
pub(crate) fn check_shard(shard: &mut Shard, now_ms: UnixMs) -> Checked {
    let command = Command::ListProducts { after: "", limit: PRODUCTS_MAX };
    let bytes = ask(shard, command, now_ms);
    let Outcome::Products { count, views, more } = super::outcome(&bytes)? else {
        return Err(Violation::new(NAME, "the list of products is none"));
    };
    check(!more, NAME, || "the list of products is longer than the world's".to_owned())?;
    let totals = shard.audit();
    check(totals.balances(), NAME, || format!("shard {}: {totals:?}", shard.id()))?;
    let mut reader = Reader::new(views);
    for _ in 0..count {
        let view = ProductView::decode_whole(&mut reader)
            .map_err(|error| Violation::new("answers decode", error.to_string()))?;
        check_product(&view)?;
    }
    Ok(())
}

/// Checks one product as an answer shows it.
pub(crate) fn check_product(view: &ProductView<'_>) -> Checked {
    let there = view.received.checked_sub(view.removed);
    let bound = view.held.checked_add(view.sold);
    let holds = there.zip(bound).is_some_and(|(there, bound)| bound <= there);
    check(holds, NAME, || {
        let ProductView { sku, received, removed, held, sold, .. } = view;
        format!("{sku}: received {received} removed {removed} held {held} sold {sold}")
    })
}
