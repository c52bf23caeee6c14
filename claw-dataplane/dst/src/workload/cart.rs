//! Carts: making one, and setting its lines.

use claw_common::id::{Id, ShardId};
use claw_common::money::Money;
use claw_core::command::Command;
use claw_core::outcome::{Missing, Outcome, Refusal};

use super::{Asked, Draw};
use crate::invariants::answers::unfit;
use crate::oracle::Oracle;
use crate::violation::Checked;

#[derive(Debug)]
struct CreateCart {
    session: String,
    home: u64,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every drawer")]
pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    Some(Box::new(CreateCart { session: draw.session.clone(), home: draw.random.number() }))
}

impl Asked for CreateCart {
    fn shard(&self, shards_count: u16) -> ShardId {
        let home = self.home.checked_rem(shards_count.into()).expect("a store has a shard");
        ShardId(u16::try_from(home).expect("below the count of shards"))
    }

    fn command(&self) -> Command<'_> {
        Command::CreateCart { session: &self.session }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        match outcome {
            Outcome::CartCreated { cart } => {
                oracle.carts.insert(*cart, self.session.clone());
                Ok(())
            }
            other => Err(unfit("create cart", other)),
        }
    }
}

#[derive(Debug)]
struct SetCartItem {
    cart: Id,
    asking: Option<String>,
    sku: String,
    quantity: u32,
    price: Option<Money>,
}

pub(super) fn draw_item(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let (cart, session) = draw.known_cart()?;
    let sku = draw.sku();
    let price = draw.oracle.products.get(&sku).and_then(|book| book.price);
    let quantity = u32::try_from(draw.random.between(0, 3)).expect("small");
    Some(Box::new(SetCartItem { cart, asking: draw.asking(&session), sku, quantity, price }))
}

impl Asked for SetCartItem {
    fn shard(&self, _: u16) -> ShardId {
        self.cart.home()
    }

    fn command(&self) -> Command<'_> {
        Command::SetCartItem {
            cart: self.cart,
            session: self.asking.as_deref(),
            sku: &self.sku,
            quantity: self.quantity,
            price: self.price,
        }
    }

    fn settle(&self, outcome: &Outcome<'_>, _: &mut Oracle) -> Checked {
        match outcome {
            Outcome::Cart(view) if view.cart == self.cart => {
                let found = view.lines.iter().find(|line| line.sku == self.sku);
                let quantity = found.map_or(0, |line| line.quantity);
                if quantity == self.quantity {
                    return Ok(());
                }
                Err(unfit("set cart item", outcome))
            }
            // A cart that was idle for long is evicted.
            Outcome::Refused(
                Refusal::NotFound(Missing::Cart) | Refusal::CurrencyMixed | Refusal::LinesAboveMax,
            ) => Ok(()),
            Outcome::Refused(Refusal::UnknownSku { .. }) if self.price.is_none() => Ok(()),
            other => Err(unfit("set cart item", other)),
        }
    }
}
