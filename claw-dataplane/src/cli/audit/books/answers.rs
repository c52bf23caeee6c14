//! What the books say once they are closed.

use std::fmt;

use serde_json::{Value, json};

use super::{Books, CouponBook, HoldEnd, OrderStage, Stock};

/// Counts by state, for people and programs.
#[derive(Debug)]
pub(in crate::cli::audit) struct Tally(Vec<(&'static str, i64)>);

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {count}")?;
        }
        Ok(())
    }
}

impl Tally {
    pub(in crate::cli::audit) fn to_json(&self) -> Value {
        self.0.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect()
    }
}

impl Books {
    pub(in crate::cli::audit) fn skus(&self) -> impl Iterator<Item = (&str, &Stock)> {
        self.stocks.iter().map(|(sku, stock)| (sku.as_str(), stock))
    }

    pub(in crate::cli::audit) fn total(&self) -> Stock {
        self.stocks.values().fold(Stock::default(), |sum, stock| Stock {
            received: sum.received + stock.received,
            removed: sum.removed + stock.removed,
            held: sum.held + stock.held,
            sold: sum.sold + stock.sold,
        })
    }

    pub(in crate::cli::audit) fn oversold(&self) -> i64 {
        self.oversold.values().sum()
    }

    pub(in crate::cli::audit) fn findings(&self) -> &[String] {
        &self.findings
    }

    pub(in crate::cli::audit) fn findings_count(&self) -> usize {
        self.findings_count
    }

    pub(in crate::cli::audit) fn balance(&self) -> bool {
        self.findings_count == 0 && self.oversold.is_empty()
    }

    pub(in crate::cli::audit) fn holds(&self) -> Tally {
        let count = |end| count(self.holds.values().filter(|book| book.end == end));
        Tally(vec![
            ("reserving", count(HoldEnd::Reserving)),
            ("active", count(HoldEnd::Active)),
            ("released", count(HoldEnd::Released)),
            ("expired", count(HoldEnd::Expired)),
            ("sold", count(HoldEnd::Sold)),
        ])
    }

    pub(in crate::cli::audit) fn orders(&self) -> Tally {
        let count = |stage| count(self.orders.values().filter(|book| book.stage == stage));
        Tally(vec![
            ("reserving", count(OrderStage::Reserving)),
            ("confirming", count(OrderStage::Confirming)),
            ("placed", count(OrderStage::Placed)),
            ("shipped", count(OrderStage::Shipped)),
            ("cancelled", count(OrderStage::Cancelled)),
            ("refunded", count(OrderStage::Refunded)),
        ])
    }

    pub(in crate::cli::audit) fn coupons(&self) -> Tally {
        let sum = |part: fn(&CouponBook) -> i64| self.coupons.values().map(part).sum();
        Tally(vec![
            ("codes", count(self.coupons.values())),
            ("uses", sum(|coupon| coupon.used)),
            ("held", sum(|coupon| coupon.held)),
            ("uses_max", sum(|coupon| coupon.uses_max)),
        ])
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}
