//! Whether lines can be reserved here, and at what price: unknown SKU, then mixed currencies, then
//! the first SKU in order that falls short. What has come back of a SKU that some wait for is
//! theirs.

use claw_common::money::Currency;

use crate::inventory::stored_lines::PricedLines;
use crate::lines::Lines;
use crate::outcome::Refusal;
use crate::shard::state::State;

/// Writes the prices of the lines that are ours into `priced` and returns their currency, which
/// must be `currency` when one is given. `None`: no line is ours.
pub(crate) fn priced_locally<'a>(
    state: &State,
    lines: Lines<'a>,
    currency: Option<Currency>,
    priced: &mut PricedLines,
) -> Result<Option<Currency>, Refusal<'a>> {
    let mut common = currency;
    let mut mixed = false;
    let mut short = None;
    let mut offset = 0;
    for line in lines.iter() {
        if !state.placement.owns(line.sku) {
            offset = priced.skip(offset, line.sku);
            continue;
        }
        let product = state.products.get(line.sku);
        let product = product.ok_or(Refusal::UnknownSku { sku: line.sku })?;
        mixed |= common.is_some_and(|common| common != product.price.currency);
        common = common.or(Some(product.price.currency));
        let (requested, mut available) = (u64::from(line.quantity), product.stock.available());
        if state.waiting.is_offering(line.sku) {
            available = 0;
        }
        if requested > available && short.is_none() {
            short = Some(Refusal::SoldOut { sku: line.sku, requested, available });
        }
        offset = priced.set_price(offset, line.sku, product.price.amount);
    }
    if mixed {
        return Err(Refusal::CurrencyMixed);
    }
    match short {
        Some(refusal) => Err(refusal),
        None => Ok(common),
    }
}
