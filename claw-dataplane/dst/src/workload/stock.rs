//! Moving stock: deliveries and removals.

use claw_common::id::{ShardId, shard_of_key};
use claw_core::command::Command;
use claw_core::outcome::{Missing, Outcome, Refusal};

use super::{Asked, Draw};
use crate::invariants::answers::unfit;
use crate::oracle::Oracle;
use crate::violation::Checked;

#[derive(Debug)]
struct MoveStock {
    sku: String,
    delta: i64,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every drawer")]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let sku = draw.sku();
    if draw.random.chance(700) {
        return Some(draw_delivery(draw, &sku));
    }
    let delta = i64::try_from(draw.random.between(1, draw.options.stock_max)).expect("small");
    Some(Box::new(MoveStock { sku, delta: -delta }))
}

pub(super) fn draw_delivery(draw: &mut Draw<'_>, sku: &str) -> Box<dyn Asked> {
    let delta = i64::try_from(draw.random.between(1, draw.options.stock_max)).expect("small");
    Box::new(MoveStock { sku: sku.to_owned(), delta })
}

impl Asked for MoveStock {
    fn shard(&self, shards_count: u16) -> ShardId {
        shard_of_key(&self.sku, shards_count)
    }

    fn command(&self) -> Command<'_> {
        Command::MoveStock { sku: &self.sku, delta: self.delta, reason: "simulated" }
    }

    fn sending(&self, oracle: &mut Oracle) {
        if self.delta > 0 {
            let book = oracle.products.entry(self.sku.clone()).or_default();
            book.received_asked += self.delta.unsigned_abs();
        }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        let units = self.delta.unsigned_abs();
        match outcome {
            Outcome::Product(view) if view.sku == self.sku => {
                let book = oracle.products.entry(self.sku.clone()).or_default();
                if self.delta > 0 {
                    book.received += units;
                } else {
                    book.removed += units;
                }
                oracle.see_product(view)
            }
            Outcome::Refused(Refusal::StockNegative { available, .. })
                if self.delta < 0 && *available < units =>
            {
                Ok(())
            }
            Outcome::Refused(Refusal::NotFound(Missing::Product)) => Ok(()),
            other => Err(unfit("move stock", other)),
        }
    }
}
