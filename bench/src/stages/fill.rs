//! How much there is before the first request: products, and holds that stay live.
//!
//! Owns the names of the products and which of them the n-th request is about. Does not make them:
//! [`super::backend`] does.

use claw_common::id::Sku;
use claw_core::shard::Capacities;

/// Remembered answers at the pace of the stages: six minutes of 12,800 a second, at 160 bytes each.
const DEDUPLICATION_BYTES: usize = 1 << 30;
/// Room for what the requests themselves take.
const SPARE: u32 = 16_384;
/// Odd, and far from small fractions of powers of two: products are picked all over the table.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fill {
    /// Products; every one is as likely to be asked for.
    pub(crate) products_count: u32,
    /// Live holds that outlast every request.
    pub(crate) holds_count: u32,
}

impl Fill {
    /// One hot product.
    pub(crate) const HOT: Self = Self { products_count: 1, holds_count: 0 };

    /// The product that the n-th request is about.
    pub(crate) fn sku(self, number: usize) -> String {
        let number = u64::try_from(number).expect("64 bits").wrapping_mul(STRIDE) >> 32;
        self.sku_at(u32::try_from(number % u64::from(self.products_count)).expect("a product"))
    }

    /// A product's name.
    pub(crate) fn sku_at(self, product: u32) -> String {
        let name = if self == Self::HOT { "HOT".to_owned() } else { format!("SKU-{product:08}") };
        debug_assert!(Sku::copy(&name).is_some());
        name
    }

    /// What a shard needs to have room for all of it.
    pub(super) fn capacities(self) -> Capacities {
        if self == Self::HOT {
            return Capacities::SMALL;
        }
        Capacities {
            products: self.products_count + SPARE,
            holds: self.holds_count + SPARE,
            deduplication_bytes: DEDUPLICATION_BYTES,
            ..Capacities::SMALL
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn requests_are_about_products_all_over_the_table() {
        let fill = Fill { products_count: 1_000, holds_count: 0 };
        let skus: BTreeSet<String> = (0..10_000).map(|number| fill.sku(number)).collect();
        let there: BTreeSet<String> = (0..1_000).map(|product| fill.sku_at(product)).collect();
        assert!(skus.is_subset(&there) && skus.len() > 900, "{}", skus.len());
        assert!((0..100).all(|number| Fill::HOT.sku(number) == "HOT"));
    }
}
