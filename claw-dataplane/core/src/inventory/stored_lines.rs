//! Lines as state keeps them: encoded, short ones inline.
//!
//! A hold of one line, by far the most common, needs no allocation; longer ones take a box. The
//! bytes were checked when they were decoded, and are read in place.

use claw_common::id::{ShardId, shard_of_key};

use crate::codec::{CodecError, Decode, Reader};
use crate::lines::{Line, Lines};

/// Bytes kept inline: one line with a SKU of up to 33 bytes, or two of 9.
const INLINE_BYTES: usize = 47;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredLines {
    /// Short.
    Inline {
        /// How many lines.
        count: u16,
        /// Bytes used.
        length: u8,
        /// The bytes.
        bytes: [u8; INLINE_BYTES],
    },
    /// Long.
    Boxed {
        /// How many lines.
        count: u16,
        /// The bytes.
        bytes: Box<[u8]>,
    },
}

impl StoredLines {
    /// Copies lines.
    pub fn new(lines: Lines<'_>) -> Self {
        let (count, source) = lines.parts();
        match u8::try_from(source.len()) {
            Ok(length) if source.len() <= INLINE_BYTES => {
                let mut bytes = [0; INLINE_BYTES];
                bytes[..source.len()].copy_from_slice(source);
                Self::Inline { count, length, bytes }
            }
            _ => Self::Boxed { count, bytes: source.into() },
        }
    }

    /// The lines.
    #[inline]
    pub fn lines(&self) -> Lines<'_> {
        match self {
            Self::Inline { count, length, bytes } => {
                Lines::stored(*count, &bytes[..usize::from(*length)])
            }
            Self::Boxed { count, bytes } => Lines::stored(*count, bytes),
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Lines::decode(reader).map(Self::new)
    }
}

/// Which lines belong to which shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The shard that looks.
    pub shard: ShardId,
    /// Shards in the store.
    pub shards_count: u16,
}

impl Placement {
    /// The shard that owns a SKU or coupon.
    #[inline]
    pub fn owner(&self, key: &str) -> ShardId {
        if self.shards_count == 1 { ShardId(0) } else { shard_of_key(key, self.shards_count) }
    }

    /// Whether a SKU or coupon is ours.
    #[inline]
    pub fn owns(&self, key: &str) -> bool {
        self.shards_count == 1 || self.owner(key) == self.shard
    }

    /// The lines that are ours.
    pub fn local<'a>(&self, lines: Lines<'a>) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let placement = *self;
        lines.iter().filter(move |line| placement.owns(line.sku))
    }

    /// A bit for every other shard that owns a line.
    pub fn others(&self, lines: Lines<'_>) -> u64 {
        if self.shards_count == 1 {
            return 0;
        }
        let all = lines.iter().fold(0, |mask, line| mask | bit(self.owner(line.sku)));
        all & !bit(self.shard)
    }
}

/// The bit of a shard in a mask.
pub fn bit(shard: ShardId) -> u64 {
    assert!(shard.0 < 64, "SHARDS_MAX");
    1 << shard.0
}

/// The shards of a mask, lowest first.
pub fn shards_of(mask: u64) -> impl Iterator<Item = ShardId> {
    // One step a shard: nearly every mask is empty, and this is asked at each end of a hold.
    let mut rest = mask;
    core::iter::from_fn(move || {
        let lowest = u16::try_from(rest.trailing_zeros()).ok().filter(|shard| *shard < 64)?;
        rest &= rest - 1;
        Some(ShardId(lowest))
    })
}

/// Lines being priced: the bytes of the lines asked for, with prices written over.
#[derive(Clone, Debug, Default)]
pub struct PricedLines {
    count: u16,
    bytes: Vec<u8>,
}

impl PricedLines {
    /// Starts from these lines.
    pub fn start(&mut self, lines: Lines<'_>) {
        let (count, bytes) = lines.parts();
        self.count = count;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
    }

    /// Starts from the lines that one shard owns.
    pub fn start_of(&mut self, lines: Lines<'_>, placement: Placement, owner: ShardId) {
        let (_, bytes) = lines.parts();
        self.count = 0;
        self.bytes.clear();
        let mut from = 0;
        for line in lines.iter() {
            let to = from + line_bytes(line.sku);
            if placement.owner(line.sku) == owner {
                self.bytes.extend_from_slice(&bytes[from..to]);
                self.count += 1;
            }
            from = to;
        }
    }

    /// Writes the price of the line that starts at `offset` and returns the offset of the next.
    pub fn set_price(&mut self, offset: usize, sku: &str, price: i64) -> usize {
        self.bytes[offset + 4..offset + 12].copy_from_slice(&price.to_le_bytes());
        self.skip(offset, sku)
    }

    /// The offset of the line after the one that starts at `offset`.
    pub fn skip(&self, offset: usize, sku: &str) -> usize {
        let next = offset + line_bytes(sku);
        assert!(next <= self.bytes.len(), "walks its own lines");
        next
    }

    /// Takes over the prices of some of the lines.
    pub fn take_prices(&mut self, priced: Lines<'_>) {
        let bytes = core::mem::take(&mut self.bytes);
        let mut result = Self { count: self.count, bytes: bytes.clone() };
        let mut offset = 0;
        for line in Lines::stored(self.count, &bytes).iter() {
            let found = priced.iter().find(|other| other.sku == line.sku);
            let price = found.map_or(line.unit_price, |found| found.unit_price);
            offset = result.set_price(offset, line.sku, price);
        }
        *self = result;
    }

    /// The lines as they are.
    pub fn lines(&self) -> Lines<'_> {
        Lines::stored(self.count, &self.bytes)
    }
}

fn line_bytes(sku: &str) -> usize {
    14 + sku.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_of_a_mask_is_named_once_in_order() {
        let named = |mask| shards_of(mask).map(|shard| shard.0).collect::<Vec<_>>();
        assert_eq!(named(0), Vec::<u16>::new());
        assert_eq!(named(1 << 63 | 0b1010), [1, 3, 63]);
        assert_eq!(named(u64::MAX), (0..64).collect::<Vec<_>>());
    }
}
