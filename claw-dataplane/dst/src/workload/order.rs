//! Taking an order a step on: cancel, ship, refund.

use claw_common::id::{Id, ShardId};
use claw_core::command::{Command, OrderStep};
use claw_core::outcome::{Missing, OrderState, Outcome, Refusal};

use super::{Asked, Draw};
use crate::invariants::answers::unfit;
use crate::oracle::Oracle;
use crate::violation::Checked;

#[derive(Debug)]
struct AdvanceOrder {
    order: Id,
    asking: Option<String>,
    step: OrderStep,
}

pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let (order, owner) = draw.known_order()?;
    let step = match draw.random.between(0, 2) {
        0 => OrderStep::Cancel,
        1 => OrderStep::Ship,
        _ => OrderStep::Refund,
    };
    Some(Box::new(AdvanceOrder { order, asking: draw.asking(&owner), step }))
}

impl Asked for AdvanceOrder {
    fn shard(&self, _: u16) -> ShardId {
        self.order.home()
    }

    fn command(&self) -> Command<'_> {
        let session = self.asking.as_deref();
        Command::AdvanceOrder { order: self.order, session, step: self.step }
    }

    fn sending(&self, oracle: &mut Oracle) {
        if let Some(order) = oracle.orders.get_mut(&self.order) {
            order.cancel_asked |= self.step == OrderStep::Cancel;
        }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        let reached = match self.step {
            OrderStep::Cancel => OrderState::Cancelled,
            OrderStep::Ship => OrderState::Shipped,
            OrderStep::Refund => OrderState::Refunded,
        };
        match outcome {
            Outcome::Order(view) if view.order == self.order && view.state == reached => {
                oracle.see_order(view)
            }
            Outcome::Refused(Refusal::OrderState { .. } | Refusal::NotFound(Missing::Order)) => {
                Ok(())
            }
            other => Err(unfit("advance order", other)),
        }
    }
}
