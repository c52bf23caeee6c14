//! An order adds up, costs what its hold fixed, and its history is a path through the table.
//!
//! `subtotal` is the sum of the lines, the discount lies within it, tax is 0 until a tax function
//! is active. The price of a hold is fixed until it ends, whatever the product costs by then.

use claw_core::codec::Reader;
use claw_core::lines::Lines;
use claw_core::outcome::OrderView;

use crate::violation::{Checked, Violation, check};

const NAME: &str = "an order adds up";

/// SKU, units and unit price of each line.
pub(crate) type Priced = Vec<(String, u32, i64)>;

/// Lines with their prices.
pub(crate) fn priced(lines: Lines<'_>) -> Priced {
    lines.iter().map(|line| (line.sku.to_owned(), line.quantity, line.unit_price)).collect()
}

/// Checks an order as an answer shows it.
pub(crate) fn check_order(view: &OrderView<'_>) -> Checked {
    let sum: i64 = view.lines.iter().map(|l| l.unit_price * i64::from(l.quantity)).sum();
    let adds_up = view.subtotal == sum
        && (0..=sum).contains(&view.discount)
        && view.tax == 0
        && view.total == sum - view.discount;
    check(adds_up, NAME, || format!("{view:?}"))?;
    let mut reader = Reader::new(view.history);
    let (mut last_ms, mut last_state) = (0, None);
    while reader.remaining() > 0 {
        let entry = reader.u8().and_then(|state| Ok((state, reader.u64()?)));
        let (state, at_ms) = entry.map_err(|error| Violation::new(NAME, error.to_string()))?;
        check(at_ms >= last_ms, NAME, || format!("its history goes back: {view:?}"))?;
        (last_ms, last_state) = (at_ms, Some(state));
    }
    check(last_state == Some(view.state as u8), NAME, || {
        format!("its history ends elsewhere: {view:?}")
    })
}

/// Checks that an order made from a hold costs what the hold fixed.
pub(crate) fn check_fixed(view: &OrderView<'_>, fixed: &Priced) -> Checked {
    check(priced(view.lines) == *fixed, NAME, || {
        format!("its hold fixed {fixed:?}, it costs {view:?}")
    })
}
