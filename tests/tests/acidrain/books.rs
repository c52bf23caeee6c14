//! What must be true of the books, whoever attacked what.
//!
//! Owns the identities: of a product's numbers, of an order's sums, of orders and the gateway's
//! ledger, of the whole log. Deliberately reads what a client can read, and the audit, which keeps
//! books of its own.

use std::collections::BTreeMap;

use claw_tests::Store;
use serde_json::{Value, json};

/// States of an order that has been sold and not been taken back.
const SOLD: [&str; 3] = ["placed", "shipped", "refunded"];
/// States of an order that is paid for.
const PAID: [&str; 2] = ["placed", "shipped"];

/// A product's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stock {
    pub(crate) received: i64,
    pub(crate) removed: i64,
    pub(crate) held: i64,
    pub(crate) sold: i64,
    pub(crate) available: i64,
}

impl Stock {
    /// As a product shows them: at whatever moment that is, nothing is negative and every unit is
    /// in one place.
    pub(crate) fn read(product: &Value) -> Self {
        let number = |name: &str| product[name].as_i64().expect("a number");
        let stock = Self {
            received: number("received"),
            removed: number("removed"),
            held: number("held"),
            sold: number("sold"),
            available: number("available"),
        };
        let on_hand = number("on_hand");
        assert_eq!(on_hand, stock.received - stock.removed - stock.sold, "{product}");
        assert_eq!(on_hand, stock.held + stock.available, "{product}");
        let Self { held, sold, available, removed, .. } = stock;
        assert!([held, sold, available, removed].iter().all(|units| *units >= 0), "{product}");
        stock
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

pub(crate) fn state(order: &Value) -> &str {
    order["state"].as_str().expect("an order has a state")
}

/// How many are in this state.
pub(crate) fn count_in(orders: &[Value], wanted: &str) -> usize {
    orders.iter().filter(|order| state(order) == wanted).count()
}

fn amount(money: &Value) -> i64 {
    money["amount"].as_i64().expect("an amount")
}

/// What a coupon takes off an order.
pub(crate) fn discount_of(order: &Value) -> i64 {
    amount(&order["discount"])
}

/// SKU, units and unit price of each line.
pub(crate) fn lines_of(order: &Value) -> Vec<(String, i64, i64)> {
    let lines = order["items"].as_array().expect("a list").iter();
    lines
        .map(|line| {
            let quantity = line["quantity"].as_i64().expect("a number");
            (text(&line["sku"]), quantity, amount(&line["unit_price"]))
        })
        .collect()
}

/// Units of a SKU that these orders have for good.
pub(crate) fn units_sold(orders: &[Value], sku: &str) -> i64 {
    let sold = orders.iter().filter(|order| SOLD.contains(&state(order)));
    sold.flat_map(lines_of).filter(|line| line.0 == sku).map(|line| line.1).sum()
}

/// An order costs what its lines cost, less what its coupon takes off.
pub(crate) fn assert_priced(order: &Value) {
    let sum: i64 = lines_of(order).iter().map(|(_, quantity, price)| quantity * price).sum();
    let [subtotal, discount, tax, total] =
        ["subtotal", "discount", "tax", "total"].map(|name| amount(&order[name]));
    assert_eq!((subtotal, tax), (sum, 0), "{order}");
    assert!((0..=subtotal).contains(&discount), "{order}");
    assert_eq!(total, subtotal - discount, "{order}");
}

/// Each order was paid once and as much as it costs where it stands, and not at all or back again
/// where it does not; nothing was paid for anything else.
pub(crate) fn assert_paid(orders: &[Value], ledger: &[Value]) {
    let mut paid: BTreeMap<String, i64> = BTreeMap::new();
    for payment in ledger {
        let order = text(&payment["order_id"]);
        assert!(orders.iter().any(|known| known["order_id"] == json!(order)), "{payment}");
        if payment["captured"] == true && payment["refunded"] == false {
            let amount = payment["amount"].as_i64().expect("an amount");
            assert!(paid.insert(order, amount).is_none(), "paid twice: {payment}");
        } else {
            let ended = [payment["status"] == "canceled", payment["refunded"] == true];
            assert!(ended.contains(&true), "money is held for nothing: {payment}");
        }
    }
    for order in orders {
        let costs = if PAID.contains(&state(order)) { amount(&order["total"]) } else { 0 };
        let charged = paid.get(&text(&order["order_id"])).copied().unwrap_or(0);
        assert_eq!(charged, costs, "{order}");
    }
}

/// The audit of the stopped store finds nothing, and as many orders as clients were told of.
pub(crate) fn assert_audited(store: &Store, orders: &[Value]) {
    let (code, said) = store.claw(&["audit", "--full", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let audit: Value =
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!((&audit["oversold"], &audit["findings_count"]), (&json!(0), &json!(0)), "{said}");
    for known in ["placed", "shipped", "cancelled", "refunded"] {
        assert_eq!(audit["orders"][known], json!(count_in(orders, known)), "{known}: {said}");
    }
    for under_way in ["reserving", "confirming"] {
        assert_eq!(audit["orders"][under_way], 0, "{said}");
    }
}
