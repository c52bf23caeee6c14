//! Commands of sources: products, stock, prices.

use claw_common::limits::STOCK_MAX;
use claw_common::money::Money;

use crate::command::Command;
use crate::outcome::{Missing, Refusal};
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;
use crate::shard::event::Event;

impl Shard {
    pub(super) fn put_product(&mut self, call: &mut Call<'_>, command: &Command<'_>) {
        let Command::PutProduct { sku, name, price, attributes, version_expected } = *command
        else {
            unreachable!("asked by decide");
        };
        let known = self.state.products.get(sku).map(|product| product.version);
        if known.is_none() && !self.state.products.has_room() {
            return self.refuse(call, Refusal::CapacityFull { slab: "products" });
        }
        if let Some(expected) = version_expected {
            let version = known.unwrap_or(0);
            if version != expected {
                return self.refuse(call, Refusal::VersionMismatch { version });
            }
        }
        let attributes_version = call.claim.extra_type.version;
        let event = Event::ProductPut { sku, name, price, attributes, attributes_version };
        self.commit_answered(call, &event, Show::Product { sku, created: known.is_none() });
    }

    pub(super) fn move_stock(&mut self, call: &mut Call<'_>, sku: &str, delta: i64, reason: &str) {
        let Some(product) = self.state.products.get(sku) else {
            return self.refuse(call, Refusal::NotFound(Missing::Product));
        };
        let stock = &product.stock;
        let units = delta.unsigned_abs();
        let fits = if delta >= 0 {
            stock.received().checked_add(units).is_some_and(|received| received <= STOCK_MAX)
        } else {
            units <= stock.available()
        };
        if !fits {
            let available = stock.available();
            return self.refuse(call, Refusal::StockNegative { sku, available });
        }
        let event = Event::StockMoved { sku, delta, reason };
        self.commit_answered(call, &event, Show::Product { sku, created: false });
    }

    pub(super) fn change_price(&mut self, call: &mut Call<'_>, sku: &str, price: Money) {
        if self.state.products.get(sku).is_none() {
            return self.refuse(call, Refusal::NotFound(Missing::Product));
        }
        let event = Event::PriceChanged { sku, price };
        self.commit_answered(call, &event, Show::Product { sku, created: false });
    }
}
