//! The holds of a whole frame, asked of memory before the first of them is decided.
//!
//! A command by itself waits for its product and for its place among the remembered ones. Those of
//! a frame are known together, so their waits overlap: first all searches begin, then products are
//! asked for where those have led. Judges nothing and changes nothing; what is asked for in vain
//! costs its time.

use claw_common::id::{ShardId, shard_of_key};
use claw_common::text::read_text;
use claw_core::protocol::{CommandView, Frame};
use claw_core::shard::Shard;

use super::Session;

/// Asks the shards of this core, as `shard` finds them, for what the holds of a frame will read.
pub fn expect_holds<'s>(
    frame: &Frame<'_>,
    session: &Session,
    shards_count: u16,
    shard: impl Fn(ShardId) -> Option<&'s Shard>,
) {
    let owner = |sku: &[u8]| {
        let sku = if shards_count == 1 { None } else { read_text(sku) };
        shard(sku.map_or(ShardId(0), |sku| shard_of_key(sku, shards_count)))
    };
    let holds = || {
        let commands = frame.commands().enumerate();
        commands
            .filter_map(|(place, command)| Some((place, CommandView::first_sku_of_hold(command)?)))
    };
    for (place, sku) in holds() {
        if let Some(shard) = owner(sku) {
            shard.expect_hold(&session.identity(place), sku);
        }
    }
    for (_, sku) in holds() {
        if let Some(shard) = owner(sku) {
            shard.expect_product(sku);
        }
    }
}
