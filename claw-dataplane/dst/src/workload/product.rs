//! Describing a product.

use claw_common::id::{ShardId, shard_of_key};
use claw_common::money::Money;
use claw_core::command::Command;
use claw_core::outcome::{Outcome, Refusal};

use super::{Asked, Draw};
use crate::invariants::answers::unfit;
use crate::oracle::Oracle;
use crate::violation::Checked;

#[derive(Debug)]
struct PutProduct {
    sku: String,
    name: String,
    price: Money,
    version_expected: Option<u64>,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every drawer")]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let sku = draw.sku();
    Some(draw_new(draw, &sku))
}

pub(super) fn draw_new(draw: &mut Draw<'_>, sku: &str) -> Box<dyn Asked> {
    let guarded = draw.oracle.products.contains_key(sku) && draw.random.chance(300);
    Box::new(PutProduct {
        sku: sku.to_owned(),
        name: format!("Product {sku} of step {}", draw.step),
        price: draw.price(),
        version_expected: guarded.then(|| draw.random.between(1, 4)),
    })
}

impl Asked for PutProduct {
    fn shard(&self, shards_count: u16) -> ShardId {
        shard_of_key(&self.sku, shards_count)
    }

    fn command(&self) -> Command<'_> {
        Command::PutProduct {
            sku: &self.sku,
            name: &self.name,
            price: self.price,
            attributes: "",
            version_expected: self.version_expected,
        }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        match outcome {
            Outcome::Product(view) if view.sku == self.sku && view.name == self.name => {
                oracle.see_product(view)
            }
            Outcome::Refused(Refusal::VersionMismatch { .. })
                if self.version_expected.is_some() =>
            {
                Ok(())
            }
            other => Err(unfit("put product", other)),
        }
    }
}
