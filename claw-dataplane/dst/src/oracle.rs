//! The oracle: what shoppers know from the answers they got, kept in the simplest way.
//!
//! Written differently from the core on purpose: maps of plain counts, no shards, no log. It knows
//! only what was acknowledged; since every command is repeated until it is answered, at rest that
//! is everything, and the node's books must be the oracle's.

use std::collections::BTreeMap;

use claw_common::id::Id;
use claw_common::money::Money;
use claw_core::lines::Lines;
use claw_core::outcome::{HoldState, HoldView, OrderState, OrderView, ProductView};

use crate::invariants::conservation::check_product;
use crate::invariants::pricing::{Priced, check_order, priced};
use crate::violation::{Checked, check};

const HOLD_ENDS: &str = "a hold ends once";
const HOLD_FIXES: &str = "a hold fixes its prices";
/// Answered commands a repetition can be drawn from.
pub(crate) const HISTORY_MAX: usize = 256;

/// SKU and units.
pub(crate) type Units = Vec<(String, u32)>;

/// What is known of a product.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    /// Price in the newest answer seen.
    pub(crate) price: Option<Money>,
    pub(crate) received: u64,
    pub(crate) removed: u64,
    /// Deliveries asked for, acknowledged or not.
    pub(crate) received_asked: u64,
}

/// What is known of a hold.
#[derive(Clone, Debug)]
pub(crate) struct HoldShadow {
    pub(crate) session: String,
    pub(crate) units: Units,
    /// Its lines at the prices it fixed.
    pub(crate) priced: Priced,
    pub(crate) state: HoldState,
}

/// What is known of an order.
#[derive(Clone, Debug)]
pub(crate) struct OrderShadow {
    pub(crate) session: String,
    pub(crate) units: Units,
    pub(crate) state: OrderState,
    pub(crate) coupon: Option<String>,
    /// Someone has asked to cancel it: it may be cancelled before anyone hears of it.
    pub(crate) cancel_asked: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) products: BTreeMap<String, Book>,
    pub(crate) coupons: BTreeMap<String, u64>,
    pub(crate) carts: BTreeMap<Id, String>,
    pub(crate) holds: BTreeMap<Id, HoldShadow>,
    pub(crate) orders: BTreeMap<Id, OrderShadow>,
}

/// Lines as units.
pub(crate) fn units_of(lines: Lines<'_>) -> Units {
    lines.iter().map(|line| (line.sku.to_owned(), line.quantity)).collect()
}

/// How far an order has come: a view never takes it back.
fn rank(state: OrderState) -> u8 {
    match state {
        OrderState::Reserving => 0,
        OrderState::Placed => 2,
        OrderState::Shipped => 3,
        OrderState::Refunded => 4,
        OrderState::Cancelled => 5,
        _ => 1,
    }
}

/// Whether an order has bought what it lists.
pub(crate) const fn bought(state: OrderState) -> bool {
    matches!(state, OrderState::Placed | OrderState::Shipped | OrderState::Refunded)
}

impl Oracle {
    pub(crate) fn see_product(&mut self, view: &ProductView<'_>) -> Checked {
        self.products.entry(view.sku.to_owned()).or_default().price = Some(view.price);
        check_product(view)
    }

    /// A hold as an answer shows it; `session` is whose it is.
    pub(crate) fn see_hold(&mut self, view: &HoldView<'_>, session: &str) -> Checked {
        let shadow = self.holds.entry(view.hold).or_insert_with(|| HoldShadow {
            session: session.to_owned(),
            units: units_of(view.lines),
            priced: priced(view.lines),
            state: view.state,
        });
        let (former, now) = (shadow.state, view.state);
        if former == HoldState::Waiting {
            // Granted at the price of that moment.
            (shadow.priced, shadow.state) = (priced(view.lines), now);
        }
        check(shadow.priced == priced(view.lines), HOLD_FIXES, || format!("{view:?}"))?;
        let ended =
            |state| matches!(state, HoldState::Released | HoldState::Expired | HoldState::Sold);
        if ended(now) {
            shadow.state = now;
        }
        check(!ended(former) || !ended(now) || former == now, HOLD_ENDS, || {
            format!("hold {} was seen {former:?} and {now:?}", view.hold)
        })
    }

    /// An order as an answer shows it.
    pub(crate) fn see_order(&mut self, view: &OrderView<'_>) -> Checked {
        if let Some(shadow) = self.orders.get_mut(&view.order)
            && rank(view.state) > rank(shadow.state)
        {
            shadow.state = view.state;
        }
        check_order(view)
    }

    /// Units of orders that are acknowledged as bought.
    pub(crate) fn units_sold(&self) -> BTreeMap<String, u64> {
        let bought = self.orders.values().filter(|order| bought(order.state));
        sum(bought.map(|order| &order.units))
    }

    /// Units of orders that are bought for certain, whatever is under way.
    pub(crate) fn units_sold_at_least(&self) -> BTreeMap<String, u64> {
        let bought = self.orders.values().filter(|order| bought(order.state));
        sum(bought.filter(|order| !order.cancel_asked).map(|order| &order.units))
    }

    /// Units of holds that are not known to have ended.
    pub(crate) fn units_held(&self) -> BTreeMap<String, u64> {
        let live = self.holds.values().filter(|hold| hold.state == HoldState::Active);
        sum(live.map(|hold| &hold.units))
    }

    /// Orders bought with a coupon.
    pub(crate) fn coupon_uses(&self, code: &str) -> u64 {
        let used =
            |order: &&OrderShadow| bought(order.state) && order.coupon.as_deref() == Some(code);
        u64::try_from(self.orders.values().filter(used).count()).expect("small")
    }
}

fn sum<'a>(all: impl Iterator<Item = &'a Units>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (sku, units) in all.flatten() {
        *sums.entry(sku.clone()).or_default() += u64::from(*units);
    }
    sums
}
