//! Reads: nothing is appended, remembered or touched.

use claw_common::limits::{LIST_BYTES_MAX, LIVE_HASH_ENTRIES_MAX};

use super::may_touch;
use crate::codec::Writer;
use crate::command::Command;
use crate::outcome::{HoldState, Missing, Outcome, Refusal, StateView};
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;

impl Shard {
    pub(super) fn read(&self, call: &mut Call<'_>, command: &Command<'_>) {
        let show = match *command {
            Command::ReadProduct { sku } => return self.read_product(call, sku),
            Command::ReadState => return self.read_state(call),
            Command::ListProducts { after, limit } => {
                return self.list_products(call, after, limit);
            }
            Command::ReadCoupon { code } => {
                let found = self.state.coupons.find(code.as_bytes());
                found.map(|_| Show::Coupon { code, created: false }).ok_or(Missing::Coupon)
            }
            Command::ReadCart { cart, session } => {
                let found = self.state.carts.get(&cart.0);
                let found = found.filter(|found| may_touch(found.session.as_str(), session));
                found.map(|_| Show::Cart(cart)).ok_or(Missing::Cart)
            }
            Command::ReadHold { hold, session } => {
                let found = self.state.holds.get(&hold.0);
                let found = found.filter(|found| {
                    found.state != HoldState::Reserving
                        && may_touch(found.session.as_str(), session)
                });
                found.map(|_| Show::Hold { hold, created: false }).ok_or(Missing::Hold)
            }
            Command::ReadOrder { order, session } => {
                let found = self.state.orders.get(&order.0);
                let found = found.filter(|found| may_touch(found.session.as_str(), session));
                if found.is_some() {
                    return Self::reply_outcome(call, &self.show_order(Show::Order(order)));
                }
                Err(Missing::Order)
            }
            Command::ReadSession { session, after } => {
                return self.read_session(call, session, after);
            }
            Command::ReadSaga { order } => return self.read_saga(call, order),
            Command::ListSagas { after, limit, parked_only } => {
                return self.list_sagas(call, after, limit, parked_only);
            }
            Command::ReadOrderRecords { order, session } => {
                let found = self.state.orders.get(&order.0);
                let found = found.filter(|found| may_touch(found.session.as_str(), session));
                found.map(|_| Show::OrderRecords(order)).ok_or(Missing::Order)
            }
            _ => unreachable!("not a read"),
        };
        let show = show.unwrap_or_else(|missing| Show::Refused(Refusal::NotFound(missing)));
        self.reply(call, show);
    }

    fn read_product(&self, call: &mut Call<'_>, sku: &str) {
        let Some(product) = self.state.products.get(sku) else {
            return self.reply(call, Show::Refused(Refusal::NotFound(Missing::Product)));
        };
        let view = product.view_whole();
        Self::reply_outcome(call, &Outcome::Product(view));
    }

    /// Hashes the state as of the last record, which the answer waits for like any other.
    fn read_state(&self, call: &mut Call<'_>) {
        let entries = self.entries_count();
        let quick = entries <= LIVE_HASH_ENTRIES_MAX;
        let outcome = Outcome::State(StateView {
            shard: self.config.shard,
            sequence: self.sequence(),
            entries: u64::try_from(entries).expect("a count fits"),
            hash: quick.then(|| self.state_hash()),
        });
        Self::reply_outcome(call, &outcome);
    }

    fn list_products(&self, call: &mut Call<'_>, after: &str, limit: u16) {
        let mut views = Vec::new();
        let mut count = 0;
        let mut more = false;
        for product in self.state.products.after(after) {
            let view = product.view_whole();
            let start = views.len();
            let end = start + view.encoded_bytes_max();
            if count == limit || (count > 0 && end > LIST_BYTES_MAX) {
                more = true;
                break;
            }
            views.resize(end, 0);
            let mut writer = Writer::new(&mut views[start..]);
            view.encode_whole(&mut writer);
            let written = writer.written();
            views.truncate(start + written);
            count += 1;
        }
        Self::reply_outcome(call, &Outcome::Products { count, views: &views, more });
    }
}
