//! Waiting in line for stock: joining, and being served when some has come back.
//!
//! A place in line is a hold that has reserved nothing yet. Where there is enough at once it is a
//! hold at once. What comes back is decided by [`Shard::grant_next`] at the next tick, before
//! anything else is decided at a later time; until then nobody else gets of that SKU.

use claw_common::limits::WAITING_SHARE;

use super::holds::Wish;
use super::priced_locally;
use crate::command::{Command, Request};
use crate::inventory::stored_lines::PricedLines;
use crate::outcome::{HoldState, Refusal};
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;
use crate::shard::event::Event;
use crate::shard::notice::Notice;

impl Shard {
    pub(super) fn join_line(&mut self, call: &mut Call<'_>, request: &Request<'_>) {
        let Command::JoinLine { session, lines, ttl_ms, wait_ms } = request.command else { return };
        let mut priced = PricedLines::default();
        priced.start(lines);
        let entropy = request.entropy;
        match priced_locally(&self.state, lines, None, &mut priced) {
            Err(Refusal::SoldOut { .. }) => {}
            Err(refusal) => return self.refuse(call, refusal),
            Ok(_) => return self.create_hold(call, &Wish { session, lines, ttl_ms, entropy }),
        }
        let Some(line) = lines.iter().next() else { return self.refuse(call, Refusal::Empty) };
        let places = self.state.holds.capacity() / WAITING_SHARE;
        let full = usize::try_from(places).is_ok_and(|places| self.state.waiting.count() >= places);
        if full || !self.state.holds.has_room() {
            return self.refuse(call, Refusal::CapacityFull { slab: "waiting line" });
        }
        let product = self.state.products.get(line.sku).expect("it has been priced");
        let currency = product.price.currency;
        let hold = self.new_id(call, entropy);
        let until_ms = call.now_ms + wait_ms;
        let lines = priced.lines();
        let event = Event::HoldWaiting { hold, session, currency, ttl_ms, until_ms, lines };
        self.commit_answered(call, &event, Show::Hold { hold, created: true });
    }

    /// Reserves what has come back for the first in line whom it suffices for; false when there is
    /// nobody.
    pub(crate) fn grant_next(&mut self, call: &mut Call<'_>) -> bool {
        while let Some(sku) = self.state.waiting.offered() {
            let product = self.state.products.get(sku.as_str());
            let available = product.map_or(0, |product| product.stock.available());
            let Some(waiter) = self.state.waiting.next(&sku, available) else { continue };
            self.grant_waiting(call, waiter.place);
            return true;
        }
        false
    }

    fn grant_waiting(&mut self, call: &mut Call<'_>, place: u32) {
        let found = &self.state.holds[place];
        let (hold, session, ttl_ms) = (found.id, found.session, found.waited_ttl_ms);
        let mut priced = PricedLines::default();
        priced.start(found.lines.lines());
        let mut currency = found.currency;
        let mut offset = 0;
        // At the price of the grant, which is the one the shopper is told.
        for line in found.lines.lines().iter() {
            let product = self.state.products.get(line.sku).expect("products are never deleted");
            currency = product.price.currency;
            offset = priced.set_price(offset, line.sku, product.price.amount);
        }
        let event = Event::HoldGranted {
            hold,
            session: session.as_str(),
            currency,
            expires_at_ms: call.now_ms + ttl_ms,
            lines: priced.lines(),
        };
        self.commit(call, &event);
        let notice = Notice::Hold { session: session.as_str(), hold, state: HoldState::Active };
        Self::notify(call, &notice);
    }
}
