//! One list out of every shard's page: products in the order of their SKUs, and where to go on.
//!
//! Each shard answered with at most `limit` products beyond the same SKU, so the first `limit` of
//! all pages together are the first of the store. The cursor is the last SKU shown.

use std::borrow::Cow;

use claw_core::codec::{CodecError, Decode as _, Reader};
use claw_core::outcome::{Outcome, ProductView};

use super::text::write_text;
use super::views::write_product;
use crate::ingest::decode::headers::write_cursor;

/// One shard's page, read product by product.
struct Page<'a> {
    reader: Reader<'a>,
    left: u16,
    more: bool,
    next: Option<ProductView<'a>>,
}

impl<'a> Page<'a> {
    /// `None` when the answer is no page (a refusal, which lists do not know).
    fn open(encoded: &'a [u8]) -> Result<Option<Self>, CodecError> {
        let Outcome::Products { count, views, more } = Outcome::decode(&mut Reader::new(encoded))?
        else {
            return Ok(None);
        };
        let mut page = Self { reader: Reader::new(views), left: count, more, next: None };
        page.advance()?;
        Ok(Some(page))
    }

    fn advance(&mut self) -> Result<(), CodecError> {
        self.next = None;
        if self.left > 0 {
            self.left -= 1;
            self.next = Some(ProductView::decode_whole(&mut self.reader)?);
        }
        Ok(())
    }
}

/// Writes `{"products": [...], "next": CURSOR}`; `next` is missing at the end.
/// `attributes` says how those of a product are read today.
pub fn write_products<'a>(
    out: &mut Vec<u8>,
    (pages, limit): (&[&'a [u8]], u16),
    attributes: impl Fn(&ProductView<'a>) -> Cow<'a, str>,
) -> Result<(), CodecError> {
    let mut open = Vec::with_capacity(pages.len());
    for encoded in pages {
        open.extend(Page::open(encoded)?);
    }
    out.extend_from_slice(b"{\"products\":[");
    let mut last = None;
    for index in 0..limit {
        let fronts = open.iter_mut().filter(|page| page.next.is_some());
        let Some(page) = fronts.min_by_key(|page| page.next.map(|view| view.sku)) else { break };
        let view = page.next.take().expect("filtered");
        if index > 0 {
            out.push(b',');
        }
        write_product(out, &view, &attributes(&view));
        last = Some(view.sku);
        page.advance()?;
    }
    out.push(b']');
    let more = open.iter().any(|page| page.next.is_some() || page.more);
    if let Some(sku) = last.filter(|_| more) {
        let mut cursor = Vec::new();
        write_cursor(&mut cursor, sku);
        out.extend_from_slice(b",\"next\":");
        write_text(out, std::str::from_utf8(&cursor).expect("base64 is ASCII"));
    }
    out.push(b'}');
    Ok(())
}
