//! Checking out: from a hold, a cart or lines, with and without a coupon, waiting or not.

use claw_common::id::{Id, ShardId};
use claw_core::command::{Basket, Command};
use claw_core::outcome::{HoldState, Missing, Outcome, Refusal};

use super::{Asked, Draw, lines_of, shard_of_lines};
use crate::invariants::{answers::unfit, oversell, pricing};
use crate::oracle::{Oracle, OrderShadow, units_of};
use crate::violation::Checked;

#[derive(Debug)]
enum Bought {
    Hold(Id),
    Cart(Id),
    Items(Vec<u8>),
}

#[derive(Debug)]
struct Checkout {
    session: String,
    basket: Bought,
    coupon: Option<String>,
    wait_until_ms: u64,
    ttl_ms: u64,
    is_paid: bool,
}

pub(super) fn draw(draw: &mut Draw<'_>) -> Option<Box<dyn Asked>> {
    let (session, basket) = match draw.random.between(0, 3) {
        0 | 1 => {
            let (hold, session) = draw.known_hold()?;
            (session, Bought::Hold(hold))
        }
        2 => {
            let (cart, session) = draw.known_cart()?;
            (session, Bought::Cart(cart))
        }
        _ => (draw.session.clone(), Bought::Items(draw.lines())),
    };
    Some(Box::new(Checkout {
        session,
        basket,
        coupon: if draw.random.chance(400) { Some(draw.coupon()) } else { None },
        // Long past or far ahead: answered at once, or when it is decided.
        wait_until_ms: if draw.random.chance(500) { 0 } else { 4_000_000_000_000 },
        ttl_ms: if draw.random.chance(500) { draw.ttl_ms() } else { 60_000 },
        is_paid: draw.random.chance(draw.options.paid_permille),
    }))
}

impl Asked for Checkout {
    fn shard(&self, shards_count: u16) -> ShardId {
        match &self.basket {
            Bought::Hold(id) | Bought::Cart(id) => id.home(),
            Bought::Items(lines) => shard_of_lines(lines, shards_count),
        }
    }

    fn command(&self) -> Command<'_> {
        Command::Checkout {
            session: &self.session,
            own_session_only: true,
            basket: match &self.basket {
                Bought::Hold(hold) => Basket::Hold(*hold),
                Bought::Cart(cart) => Basket::Cart(*cart),
                Bought::Items(lines) => Basket::Items(lines_of(lines)),
            },
            coupon: self.coupon.as_deref(),
            ship_to: "",
            region: "",
            wait_until_ms: self.wait_until_ms,
            ttl_ms: self.ttl_ms,
            payment: self.is_paid.then_some("pm_1"),
        }
    }

    fn settle(&self, outcome: &Outcome<'_>, oracle: &mut Oracle) -> Checked {
        match outcome {
            Outcome::Order(view) => {
                oracle.orders.entry(view.order).or_insert_with(|| OrderShadow {
                    session: self.session.clone(),
                    units: units_of(view.lines),
                    state: view.state,
                    coupon: self.coupon.clone(),
                    cancel_asked: false,
                });
                oracle.see_order(view)?;
                if let Bought::Hold(hold) = &self.basket
                    && let Some(hold) = oracle.holds.get(hold)
                    // Of one that waited when it was last seen the price is not known.
                    && hold.state != HoldState::Waiting
                {
                    pricing::check_fixed(view, &hold.priced)?;
                }
                oversell::check_all(oracle)
            }
            Outcome::Refused(
                Refusal::NotFound(Missing::Hold | Missing::Cart | Missing::Coupon)
                | Refusal::UnknownSku { .. }
                | Refusal::CurrencyMixed
                | Refusal::Empty
                | Refusal::HoldSold
                | Refusal::HoldNotActive { .. }
                | Refusal::SoldOut { .. },
            ) => Ok(()),
            other => Err(unfit("checkout", other)),
        }
    }
}
