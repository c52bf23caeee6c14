//! No more is sold than was delivered.
//!
//! Counted by the shoppers: units of orders acknowledged as bought, and not asked to be cancelled,
//! against everything that was ever delivered or asked to be, less what is known to be removed.

use crate::oracle::Oracle;
use crate::violation::{Checked, check};

const NAME: &str = "nothing is oversold";

/// Checks every product.
pub(crate) fn check_all(oracle: &Oracle) -> Checked {
    for (sku, units) in oracle.units_sold_at_least() {
        let Some(book) = oracle.products.get(&sku) else { continue };
        let bound = book.received_asked - book.removed;
        check(units <= bound, NAME, || format!("{sku}: sold {units}, there were {bound} at most"))?;
    }
    Ok(())
}
