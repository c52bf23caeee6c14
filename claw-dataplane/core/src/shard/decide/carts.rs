//! Carts made and changed.

use claw_common::limits::LINES_MAX;

use super::may_touch;
use crate::command::Command;
use crate::outcome::{Missing, Refusal};
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;
use crate::shard::event::Event;
use crate::shard::notice::Notice;

impl Shard {
    pub(super) fn create_cart(&mut self, call: &mut Call<'_>, session: &str, entropy: u64) {
        if !self.state.carts.has_room() {
            return self.refuse(call, Refusal::CapacityFull { slab: "carts" });
        }
        let cart = self.new_id(call, entropy);
        self.commit_answered(call, &Event::CartCreated { cart, session }, Show::CartCreated(cart));
    }

    pub(super) fn set_cart_item(&mut self, call: &mut Call<'_>, command: &Command<'_>) {
        let Command::SetCartItem { cart, session, sku, quantity, price } = *command else {
            unreachable!("asked by decide");
        };
        let found = self.state.carts.get(&cart.0);
        let Some(found) = found.filter(|found| may_touch(found.session.as_str(), session)) else {
            return self.refuse(call, Refusal::NotFound(Missing::Cart));
        };
        let there = found.contains(sku);
        if quantity == 0 && !there {
            return self.commit_answered(call, &Event::CommandUnchanged, Show::Cart(cart));
        }
        let count = found.lines.lines().count();
        let Some(price) = price.or_else(|| removed_price(quantity, found.currency)) else {
            return self.refuse(call, Refusal::UnknownSku { sku });
        };
        let others = count > usize::from(there);
        if quantity > 0 && others && found.currency.is_some_and(|own| own != price.currency) {
            return self.refuse(call, Refusal::CurrencyMixed);
        }
        if quantity > 0 && !there && count == LINES_MAX {
            return self.refuse(call, Refusal::LinesAboveMax);
        }
        let event = Event::CartChanged { cart, sku, quantity, price };
        self.commit_answered(call, &event, Show::Cart(cart));
        if let Some(session) = self.state.carts.get(&cart.0).map(|changed| changed.session) {
            Self::notify(call, &Notice::Cart { session: session.as_str(), cart });
        }
    }
}

/// A line may be removed also when its product is not known any more: its price means nothing.
fn removed_price(
    quantity: u32,
    currency: Option<claw_common::money::Currency>,
) -> Option<claw_common::money::Money> {
    let currency = currency.filter(|_| quantity == 0)?;
    Some(claw_common::money::Money { amount: 0, currency })
}
