//! At rest nothing is left half done: every order has ended or is bought, every hold is live or has
//! ended, and once all holds have had their time, nothing is reserved any more.

use claw_common::time::UnixMs;
use claw_core::command::Command;
use claw_core::outcome::{HoldState, Missing, OrderState, Outcome, Refusal};
use claw_core::shard::Shard;

use crate::ask::ask;
use crate::oracle::Oracle;
use crate::violation::{Checked, Violation, check};

const NAME: &str = "nothing is stuck";

/// Looks at every hold and order that the oracle knows, and tells it.
pub(crate) fn look(shards: &mut [&mut Shard], oracle: &mut Oracle, now_ms: UnixMs) -> Checked {
    let holds: Vec<_> = oracle.holds.iter().map(|(id, hold)| (*id, hold.session.clone())).collect();
    for (id, session) in holds {
        let shard = &mut *shards[usize::from(id.home().0)];
        let bytes = ask(shard, Command::ReadHold { hold: id, session: None }, now_ms);
        match super::outcome(&bytes)? {
            Outcome::Hold(view) => {
                check(view.state != HoldState::Reserving, NAME, || format!("hold {id}: {view:?}"))?;
                oracle.see_hold(&view, &session)?;
            }
            // Evicted, which only an ended one can be.
            Outcome::Refused(Refusal::NotFound(Missing::Hold)) => {
                oracle.holds.remove(&id);
            }
            other => return Err(Violation::new(NAME, format!("hold {id}: {other:?}"))),
        }
    }
    for id in oracle.orders.keys().copied().collect::<Vec<_>>() {
        let shard = &mut *shards[usize::from(id.home().0)];
        let bytes = ask(shard, Command::ReadOrder { order: id, session: None }, now_ms);
        match super::outcome(&bytes)? {
            Outcome::Order(view) => {
                check(!is_open(view.state), NAME, || format!("order {id} is {:?}", view.state))?;
                oracle.see_order(&view)?;
            }
            Outcome::Refused(Refusal::NotFound(Missing::Order)) => evicted(oracle, id)?,
            other => return Err(Violation::new(NAME, format!("order {id}: {other:?}"))),
        }
    }
    Ok(())
}

/// Evicted orders were shipped or refunded, which their shoppers know, or cancelled.
fn evicted(oracle: &mut Oracle, id: claw_common::id::Id) -> Checked {
    let Some(order) = oracle.orders.get_mut(&id) else { return Ok(()) };
    check(order.state != OrderState::Placed, NAME, || format!("order {id} is placed and gone"))?;
    if is_open(order.state) {
        order.state = OrderState::Cancelled;
    }
    Ok(())
}

/// Once every hold has had its time: nothing is reserved.
pub(crate) fn check_nothing_held(oracle: &Oracle) -> Checked {
    let live = oracle.holds.iter().find(|(_, hold)| hold.state == HoldState::Active);
    check(live.is_none(), NAME, || format!("{live:?} outlives its time"))
}

/// Whether something is still to happen to an order by itself.
const fn is_open(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::Reserving
            | OrderState::Authorizing
            | OrderState::RequiresAction
            | OrderState::Confirming
            | OrderState::Capturing
    )
}
