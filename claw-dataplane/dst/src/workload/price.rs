//! Changing a price.

use claw_common::id::{ShardId, shard_of_key};
use claw_common::money::Money;
use claw_core::command::Command;
use claw_core::outcome::{Missing, Outcome, Refusal};

use super::{Asked, Draw};
use crate::invariants::answers::unfit;
use crate::oracle::Oracle;
use crate::violation::Checked;

#[derive(Debug)]
struct ChangePrice {
    sku: String,
    price: Money,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every drawer")]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    Some(Box::new(ChangePrice { sku: draw.sku(), price: draw.price() }))
}

impl Asked for ChangePrice {
    fn shard(&self, shards_count: u16) -> ShardId {
        shard_of_key(&self.sku, shards_count)
    }

    fn command(&self) -> Command<'_> {
        Command::ChangePrice { sku: &self.sku, price: self.price }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        match outcome {
            Outcome::Product(view) if view.sku == self.sku && view.price == self.price => {
                oracle.see_product(view)
            }
            Outcome::Refused(Refusal::NotFound(Missing::Product) | Refusal::CurrencyMixed) => {
                Ok(())
            }
            other => Err(unfit("change price", other)),
        }
    }
}
