//! Money and orders agree: what is captured and kept is what is placed, nothing else is held.
//!
//! Looked at when the world rests and every saga has come to its end.

use claw_core::outcome::OrderState;
use claw_core::shard::Shard;

use crate::gateway::Gateway;
use crate::oracle::Oracle;
use crate::violation::{Checked, check};

const NAME: &str = "money captured is orders placed";

/// Whether a saga is under way.
pub(crate) fn under_way(shards: &[&mut Shard]) -> bool {
    shards.iter().any(|shard| shard.sagas_open() > shard.parked_count())
}

/// Compares the gateway's ledger with what shoppers know of their orders.
pub(crate) fn check_all(shards: &[&mut Shard], oracle: &Oracle, gateway: &Gateway) -> Checked {
    for shard in shards {
        check(shard.sagas_open() == 0, NAME, || {
            format!("{} sagas of shard {} never end", shard.sagas_open(), shard.id())
        })?;
    }
    for (order, entry) in gateway.ledger() {
        check(!entry.held, NAME, || format!("order {order} holds money at rest: {entry:?}"))?;
        // Nobody was ever told of it: then it was cancelled before it was placed.
        let state = oracle.orders.get(&order).map(|order| order.state);
        let bought = matches!(state, Some(OrderState::Placed | OrderState::Shipped));
        let kept = entry.captured && !entry.refunded;
        check(kept == bought, NAME, || format!("order {order} is {state:?}: {entry:?}"))?;
    }
    Ok(())
}
