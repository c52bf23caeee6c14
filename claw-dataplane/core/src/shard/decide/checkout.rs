//! Checkouts: an order is made from a hold, a cart or lines.
//!
//! What is known here is refused here (an unknown SKU, mixed currencies, nothing to buy). What
//! turns out on the way, a shortfall included, is an order that was cancelled with its reason,
//! wherever the line lives: so one shard and several answer alike. (A line that another shard does
//! not know, or prices in another currency, is *not available* in this order: `sold-out`.)

use claw_common::id::Id;
use claw_common::money::Currency;
use claw_common::time::UnixMs;

use super::{Patience, may_touch, priced_locally};
use crate::checkout::order::subtotal;
use crate::command::{Basket, Command, Request};
use crate::inventory::stored_lines::{PricedLines, StoredLines};
use crate::lines::Lines;
use crate::outcome::{CancelReason, HoldState, Missing, OrderState, Refusal};
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::{Call, Claim};
use crate::shard::event::{Event, OrderCreated};
use crate::shard::message::{Part, PartKey};
use crate::shard::saga::Cancelling;

/// What the basket came to.
struct Purchase {
    hold: Option<Id>,
    cart: Option<Id>,
    currency: Currency,
    lines: StoredLines,
    /// Lines of this shard are reserved with the order's first event.
    held: bool,
    /// They fall short.
    short: bool,
}

impl Shard {
    pub(super) fn check_out(&mut self, call: &mut Call<'_>, request: &Request<'_>) {
        if !self.state.orders.has_room() {
            return self.refuse(call, Refusal::CapacityFull { slab: "orders" });
        }
        let mut priced = core::mem::take(&mut self.priced);
        let purchase = self.purchase(call, &request.command, &mut priced);
        self.priced = priced;
        let purchase = purchase.and_then(|purchase| {
            self.check_payment(call, &request.command, &purchase).map(|()| purchase)
        });
        match purchase {
            Ok(purchase) => self.begin_order(call, request, &purchase),
            Err(refusal) => self.refuse(call, refusal),
        }
    }

    /// What costs something needs a means of payment. Where other shards have a say in what it
    /// costs, that may turn out later.
    fn check_payment<'a>(
        &self,
        call: &Call<'_>,
        command: &Command<'_>,
        purchase: &Purchase,
    ) -> Result<(), Refusal<'a>> {
        let Command::Checkout { coupon, payment, .. } = *command else {
            unreachable!("asked by decide");
        };
        if payment != Some("") {
            return Ok(());
        }
        let subtotal = subtotal(purchase.lines.lines());
        let ours = coupon.is_none_or(|code| self.state.placement.owns(code));
        let (currency, now_ms) = (purchase.currency, call.now_ms);
        let terms = crate::coupon::Purchase { currency, subtotal, now_ms };
        // A coupon that does not hold is told by the order.
        match self.discount_of(coupon, &terms) {
            Some(discount) if ours && subtotal > discount => {
                Err(Refusal::PaymentRequired { total: subtotal - discount })
            }
            _ => Ok(()),
        }
    }

    fn purchase<'a>(
        &mut self,
        call: &mut Call<'_>,
        command: &Command<'a>,
        priced: &mut PricedLines,
    ) -> Result<Purchase, Refusal<'a>> {
        let Command::Checkout { session, own_session_only, basket, .. } = *command else {
            unreachable!("asked by decide");
        };
        let session = own_session_only.then_some(session);
        match basket {
            Basket::Hold(hold) => self.purchase_of_hold(call, hold, session),
            Basket::Cart(cart) => {
                let found = self.state.carts.get(&cart.0);
                let found = found.filter(|found| may_touch(found.session.as_str(), session));
                let found = found.ok_or(Refusal::NotFound(Missing::Cart))?;
                let (currency, stored) = (found.currency, found.lines.clone());
                // A cart's refusals would borrow from the cart: only those without a name are told.
                let purchase = self.purchase_of_lines(stored.lines(), currency, priced);
                let purchase = purchase.map_err(|refusal| match refusal {
                    Refusal::CurrencyMixed => Refusal::CurrencyMixed,
                    Refusal::Empty => Refusal::Empty,
                    _ => Refusal::NotFound(Missing::Product),
                })?;
                Ok(Purchase { cart: Some(cart), ..purchase })
            }
            Basket::Items(lines) => self.purchase_of_lines(lines, None, priced),
        }
    }

    fn purchase_of_hold<'a>(
        &mut self,
        call: &mut Call<'_>,
        hold: Id,
        session: Option<&str>,
    ) -> Result<Purchase, Refusal<'a>> {
        let place = self.live_hold(call, hold, session);
        let place = place.ok_or(Refusal::NotFound(Missing::Hold))?;
        let found = &self.state.holds[place];
        if found.state != HoldState::Active || found.pinned_by.is_some() {
            return Err(Refusal::HoldNotActive { state: found.state });
        }
        Ok(Purchase {
            hold: Some(hold),
            cart: None,
            currency: found.currency,
            lines: found.lines.clone(),
            held: false,
            short: false,
        })
    }

    fn purchase_of_lines<'a>(
        &self,
        lines: Lines<'a>,
        currency: Option<Currency>,
        priced: &mut PricedLines,
    ) -> Result<Purchase, Refusal<'a>> {
        priced.start(lines);
        let (currency, short) = match priced_locally(&self.state, lines, currency, priced) {
            Ok(found) => (found.or(currency), false),
            Err(Refusal::SoldOut { sku, .. }) => {
                let product = self.state.products.get(sku);
                (currency.or_else(|| product.map(|product| product.price.currency)), true)
            }
            Err(refusal) => return Err(refusal),
        };
        let currency = currency.ok_or(Refusal::Empty)?;
        let first_is_ours =
            lines.iter().next().is_some_and(|line| self.state.placement.owns(line.sku));
        Ok(Purchase {
            hold: None,
            cart: None,
            currency,
            lines: StoredLines::new(priced.lines()),
            // In a cart, another shard's turn may come first.
            held: first_is_ours && !short,
            short: first_is_ours && short,
        })
    }

    fn begin_order(&mut self, call: &mut Call<'_>, request: &Request<'_>, purchase: &Purchase) {
        let Command::Checkout {
            session,
            coupon,
            ship_to,
            region,
            wait_until_ms,
            ttl_ms,
            payment,
            ..
        } = request.command
        else {
            unreachable!("asked by decide");
        };
        let order = self.new_id(call, request.entropy);
        let deadline_ms: UnixMs = call.now_ms + ttl_ms;
        let lines = purchase.lines.lines();
        let created = Event::OrderCreated(OrderCreated {
            order,
            session,
            hold: purchase.hold,
            cart: purchase.cart,
            currency: purchase.currency,
            deadline_ms,
            held: purchase.held,
            lines,
            coupon,
            ship_to,
            region,
            payment,
        });
        let show = Show::Order(order);
        if purchase.short {
            self.commit(call, &created);
            let cancelling = Cancelling { order, reason: CancelReason::SoldOut };
            return self.cancel(call, cancelling, Some(show));
        }
        if self.is_local(purchase, coupon) {
            self.commit(call, &created);
            return self.price_locally(call, order, wait_until_ms);
        }
        // Other shards have a say: the order is durable, and known to a repeat, before they are
        // asked; the reply is given when it is settled or patience ends.
        let reply_to = call.reply_to.take();
        self.commit_answered(call, &created, show);
        call.claim = Claim::default();
        self.converse(call, PartKey { id: order, part: Part::Order }, purchase.currency, lines);
        call.reply_to = reply_to;
        self.answer_order(call, order, Patience { until_ms: wait_until_ms, repeated: false });
    }

    fn is_local(&self, purchase: &Purchase, coupon: Option<&str>) -> bool {
        let placement = &self.state.placement;
        placement.others(purchase.lines.lines()) == 0
            && coupon.is_none_or(|code| placement.owns(code))
    }

    /// Places an order of which everything is here and reserved, in one decision; where there is
    /// something to pay, has it authorised first.
    fn price_locally(&mut self, call: &mut Call<'_>, order: Id, wait_until_ms: UnixMs) {
        let Some(discount) = self.coupon_discount(call, order) else {
            let cancelling = Cancelling { order, reason: CancelReason::CouponInvalid };
            return self.cancel(call, cancelling, Some(Show::Order(order)));
        };
        let found = self.state.orders.get(&order.0).expect("just made");
        let lines = found.lines.clone();
        let lines = lines.lines();
        if found.charge.is_some() && subtotal(lines) > discount {
            let reply_to = call.reply_to.take();
            let event = Event::OrderAuthorizing { order, discount, lines };
            self.commit_answered(call, &event, Show::Order(order));
            call.claim = Claim::default();
            self.drive(call, order);
            self.tell_order(call, order);
            call.reply_to = reply_to;
            let patience = Patience { until_ms: wait_until_ms, repeated: false };
            return self.answer_order(call, order, patience);
        }
        let event = Event::OrderConfirming { order, discount, lines };
        self.commit(call, &event);
        self.tell_hold_of(call, order);
        self.commit_answered(call, &Event::OrderPlaced { order }, Show::Order(order));
        self.tell_order(call, order);
        let state = self.state.orders.get(&order.0).map(|order| order.state);
        assert_eq!(state, Some(OrderState::Placed), "nothing was pending");
    }
}
