//! Lines: what a hold, cart or checkout is about, as encoded bytes that are read in place.
//!
//! The same bytes travel in commands, messages, events and answers, so a line is never copied into
//! a struct on the way. [`LinesBuffer`] builds them: sorted by SKU, demand of one SKU summed, so
//! that every check sees the whole demand (two lines of one SKU must not each pass alone).
//! Owns no stock and knows no products.

use claw_common::id::is_sku;
use claw_common::limits::{LINES_MAX, QUANTITY_MAX};

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The SKU.
    pub sku: &'a str,
    /// Units, at least 1.
    pub quantity: u32,
    /// Unit price in minor units; 0 where it is not known yet.
    pub unit_price: i64,
}

impl Encode for Line<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u32(self.quantity);
        writer.i64(self.unit_price);
        writer.text(self.sku);
    }
}

impl<'a> Decode<'a> for Line<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let quantity = reader.u32()?;
        let unit_price = reader.i64()?;
        Ok(Self { sku: reader.text()?, quantity, unit_price })
    }
}

/// Encoded lines: at most [`LINES_MAX`], sorted by SKU, each SKU once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines<'a> {
    count: u16,
    bytes: &'a [u8],
}

impl<'a> Lines<'a> {
    /// How many.
    pub const fn count(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Lines whose bytes were checked when they were stored.
    pub(crate) const fn stored(count: u16, bytes: &'a [u8]) -> Self {
        Self { count, bytes }
    }

    /// The count and the bytes, to store them.
    pub(crate) const fn parts(&self) -> (u16, &'a [u8]) {
        (self.count, self.bytes)
    }

    /// Bytes [`Encode`] writes.
    pub const fn encoded_bytes(&self) -> usize {
        4 + self.bytes.len()
    }

    /// The lines in SKU order.
    pub fn iter(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        (0..self.count).map(move |_| Line::decode(&mut reader).expect("checked when decoded"))
    }
}

impl Encode for Lines<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u16(self.count);
        writer.blob(self.bytes);
    }
}

impl<'a> Decode<'a> for Lines<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let count = reader.u16()?;
        if usize::from(count) > LINES_MAX {
            return Err(reader.invalid("line count"));
        }
        let bytes = reader.blob()?;
        let mut check = Reader::new(bytes);
        let mut previous = "";
        for _ in 0..count {
            let line = Line::decode(&mut check)?;
            if line.sku <= previous || line.quantity == 0 || line.quantity > QUANTITY_MAX {
                return Err(check.invalid("line"));
            }
            previous = line.sku;
        }
        check.finish()?;
        Ok(Self { count, bytes })
    }
}

/// Why lines were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinesError {
    /// More than [`LINES_MAX`] different SKUs.
    CountAboveMax,
    /// A quantity of 0, or a summed one above [`QUANTITY_MAX`].
    Quantity,
    /// Not a SKU.
    Sku,
}

/// Builds [`Lines`]; kept and reused, so that building allocates nothing once warm.
#[derive(Clone, Debug, Default)]
pub struct LinesBuffer {
    /// In the order of their SKUs.
    lines: Vec<Entry>,
    /// The SKUs, one behind the other as they came.
    skus: String,
    bytes: Vec<u8>,
}

/// A line whose SKU lies in [`LinesBuffer::skus`].
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    end: usize,
    quantity: u32,
    unit_price: i64,
}

impl LinesBuffer {
    /// Empty.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.skus.clear();
    }

    /// Adds demand; a SKU already there is summed.
    pub fn add(&mut self, sku: &str, quantity: u32, unit_price: i64) -> Result<(), LinesError> {
        if !is_sku(sku) {
            return Err(LinesError::Sku);
        }
        if quantity == 0 || quantity > QUANTITY_MAX {
            return Err(LinesError::Quantity);
        }
        let held = |entry: &Entry| &self.skus[entry.start..entry.end];
        match self.lines.binary_search_by(|entry| held(entry).cmp(sku)) {
            Ok(found) => {
                let sum = self.lines[found].quantity + quantity;
                if sum > QUANTITY_MAX {
                    return Err(LinesError::Quantity);
                }
                self.lines[found].quantity = sum;
            }
            Err(_) if self.lines.len() == LINES_MAX => return Err(LinesError::CountAboveMax),
            Err(place) => {
                let start = self.skus.len();
                self.skus.push_str(sku);
                let end = self.skus.len();
                self.lines.insert(place, Entry { start, end, quantity, unit_price });
            }
        }
        Ok(())
    }

    /// The lines as encoded bytes.
    pub fn lines(&mut self) -> Lines<'_> {
        self.bytes.clear();
        self.bytes.resize(14 * self.lines.len() + self.skus.len(), 0);
        let mut writer = Writer::new(&mut self.bytes);
        for &Entry { start, end, quantity, unit_price } in &self.lines {
            let line = Line { sku: &self.skus[start..end], quantity, unit_price };
            line.encode(&mut writer);
        }
        assert_eq!(writer.remaining(), 0);
        let count = u16::try_from(self.lines.len()).expect("at most LINES_MAX");
        Lines { count, bytes: &self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demand_of_one_sku_is_summed_and_lines_are_sorted() {
        let mut buffer = LinesBuffer::default();
        buffer.add("b", 1, 5).unwrap();
        buffer.add("a", 2, 7).unwrap();
        buffer.add("b", 3, 5).unwrap();
        let lines: Vec<_> = buffer.lines().iter().map(|l| (l.sku, l.quantity)).collect();
        assert_eq!(lines, [("a", 2), ("b", 4)]);
        assert_eq!(buffer.add("b", QUANTITY_MAX, 5), Err(LinesError::Quantity));
    }

    #[test]
    fn lines_out_of_order_do_not_decode() {
        let mut bytes = [0; 64];
        let mut writer = Writer::new(&mut bytes);
        writer.u16(2);
        writer.u16(2 * 15);
        Line { sku: "b", quantity: 1, unit_price: 0 }.encode(&mut writer);
        Line { sku: "a", quantity: 1, unit_price: 0 }.encode(&mut writer);
        assert!(Lines::decode(&mut Reader::new(&bytes)).is_err());
    }
}
