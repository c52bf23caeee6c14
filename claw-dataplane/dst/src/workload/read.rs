//! Reads: what an answer shows must fit what is known; a stranger sees nothing.

use claw_common::id::{Id, ShardId, shard_of_key};
use claw_core::command::Command;
use claw_core::outcome::{Missing, Outcome, Refusal};

use super::{Asked, Draw};
use crate::invariants::{answers::unfit, coupons};
use crate::oracle::Oracle;
use crate::violation::Checked;

const STRANGER: &str = "stranger";

#[derive(Debug)]
enum Read {
    Cart { id: Id, asking: Option<String> },
    Coupon { code: String, known: bool },
    Hold { id: Id, owner: String, asking: Option<String> },
    Order { id: Id, asking: Option<String> },
    Product { sku: String, known: bool },
}

pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let stranger = draw.random.chance(50);
    let kind = draw.random.between(0, 4);
    let asking = |draw: &mut Draw<'_>, owner: &str| {
        if stranger { Some(STRANGER.to_owned()) } else { draw.asking(owner) }
    };
    let read = match kind {
        0 => {
            let sku = draw.sku();
            let known = draw.oracle.products.get(&sku).is_some_and(|book| book.price.is_some());
            Read::Product { sku, known }
        }
        1 => {
            let code = draw.coupon();
            Read::Coupon { known: draw.oracle.coupons.contains_key(&code), code }
        }
        2 => {
            let (id, owner) = draw.known_cart()?;
            Read::Cart { id, asking: asking(draw, &owner) }
        }
        3 => {
            let (id, owner) = draw.known_hold()?;
            Read::Hold { id, asking: asking(draw, &owner), owner }
        }
        _ => {
            let (id, owner) = draw.known_order()?;
            Read::Order { id, asking: asking(draw, &owner) }
        }
    };
    Some(Box::new(read))
}

impl Read {
    fn asking(&self) -> Option<&str> {
        match self {
            Self::Cart { asking, .. } | Self::Hold { asking, .. } | Self::Order { asking, .. } => {
                asking.as_deref()
            }
            Self::Coupon { .. } | Self::Product { .. } => None,
        }
    }
}

impl Asked for Read {
    fn shard(&self, shards_count: u16) -> ShardId {
        match self {
            Self::Cart { id, .. } | Self::Hold { id, .. } | Self::Order { id, .. } => id.home(),
            Self::Coupon { code: key, .. } | Self::Product { sku: key, .. } => {
                shard_of_key(key, shards_count)
            }
        }
    }

    fn command(&self) -> Command<'_> {
        let session = self.asking();
        match self {
            Self::Cart { id, .. } => Command::ReadCart { cart: *id, session },
            Self::Coupon { code, .. } => Command::ReadCoupon { code },
            Self::Hold { id, .. } => Command::ReadHold { hold: *id, session },
            Self::Order { id, .. } => Command::ReadOrder { order: *id, session },
            Self::Product { sku, .. } => Command::ReadProduct { sku },
        }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        let stranger = self.asking() == Some(STRANGER);
        match (self, outcome) {
            (_, Outcome::Refused(Refusal::NotFound(_))) if stranger => Ok(()),
            (_, outcome) if stranger => Err(unfit("read of a stranger", outcome)),
            (Self::Cart { id, .. }, Outcome::Cart(view)) if view.cart == *id => Ok(()),
            (Self::Coupon { code, .. }, Outcome::Coupon(view)) if view.code == code => {
                coupons::check_view(view)
            }
            (Self::Hold { id, owner, .. }, Outcome::Hold(view)) if view.hold == *id => {
                oracle.see_hold(view, owner)
            }
            (Self::Order { id, .. }, Outcome::Order(view)) if view.order == *id => {
                oracle.see_order(view)
            }
            // Not there yet when it was asked; or ended long ago, and evicted.
            (
                Self::Coupon { known: false, .. },
                Outcome::Refused(Refusal::NotFound(Missing::Coupon)),
            )
            | (
                Self::Product { known: false, .. },
                Outcome::Refused(Refusal::NotFound(Missing::Product)),
            )
            | (Self::Cart { .. }, Outcome::Refused(Refusal::NotFound(Missing::Cart)))
            | (Self::Hold { .. }, Outcome::Refused(Refusal::NotFound(Missing::Hold)))
            | (Self::Order { .. }, Outcome::Refused(Refusal::NotFound(Missing::Order))) => Ok(()),
            (Self::Product { sku, .. }, Outcome::Product(view)) if view.sku == sku => {
                oracle.see_product(view)
            }
            (_, outcome) => Err(unfit("read", outcome)),
        }
    }
}
