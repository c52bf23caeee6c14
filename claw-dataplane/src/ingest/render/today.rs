//! What an older schema wrote, as today's reads it: a product's attributes.
//!
//! The chain of upcasters was proved when the schema was compiled; what a schema older than the log
//! cannot read is shown as it was written.

use std::borrow::Cow;

use claw_core::codec::{CodecError, Decode as _, Encode as _, Reader, Writer};
use claw_core::outcome::{ORDER_TO_ACT_ON, OrderView, Outcome, PRODUCT_WHOLE, ProductView};
use claw_core::schema::CompiledSchema;

/// A product's attributes today.
pub(super) fn attributes_today<'a>(
    schema: Option<&CompiledSchema>,
    view: &ProductView<'a>,
) -> Cow<'a, str> {
    let written = view.attributes;
    let today = schema.map(|schema| schema.attributes_today(view.attributes_version, written));
    today.and_then(Result::ok).unwrap_or(Cow::Borrowed(written))
}

/// An encoded outcome as the wire protocol carries it: a product that was read in today's shape, an
/// order without a shopper's secret, and anything else as it is.
pub fn outcome_today<'e>(
    schema: &CompiledSchema,
    encoded: &'e [u8],
) -> Result<Cow<'e, [u8]>, CodecError> {
    if ![Some(&PRODUCT_WHOLE), Some(&ORDER_TO_ACT_ON)].contains(&encoded.first()) {
        return Ok(Cow::Borrowed(encoded));
    }
    let attributes;
    let outcome = match Outcome::decode(&mut Reader::new(encoded))? {
        Outcome::Product(view) => {
            attributes = attributes_today(Some(schema), &view);
            Outcome::Product(ProductView { attributes: &attributes, attributes_version: 0, ..view })
        }
        Outcome::Order(view) => Outcome::Order(OrderView { client_secret: "", ..view }),
        other => other,
    };
    let mut bytes = vec![0; outcome.encoded_bytes_max()];
    let mut writer = Writer::new(&mut bytes);
    outcome.encode(&mut writer);
    let written = writer.written();
    bytes.truncate(written);
    Ok(Cow::Owned(bytes))
}
