//! Identifiers: 128-bit ids with their home shard inside, SKUs, sessions, shards, positions.
//!
//! Does not make ids: entropy enters the core as input, with each request.

use core::fmt;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::limits::{SESSION_BYTES_MAX, SKU_BYTES_MAX};
use crate::text::read_text;
use crate::time::UnixMs;

/// A unit of ownership with one writer; the count is fixed when the store is formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in a shard's log: the sequence of one record, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The shard.
    pub shard: ShardId,
    /// The record's sequence in that shard; 0 is "before the first".
    pub sequence: u64,
}

/// A UUID (RFC 9562). Those we make are version 7 with the home shard in the last two bytes, so
/// that any core can route a hold, cart or order without a look-up.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(transparent)]
pub struct Id(pub [u8; 16]);

/// Where the two digits of each byte stand in the hyphenated form.
const DIGITS_AT: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// Value of each byte as a hexadecimal digit of either case; 255 for what is none.
const HEX_VALUE: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0_u8;
    while value < 16 {
        values[b"0123456789abcdef"[value as usize] as usize] = value;
        values[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    values
};

impl Id {
    /// A version 7 UUID: 48 bits of time, 12 + 46 bits of entropy, 16 bits of home shard.
    pub fn version_7(unix_ms: UnixMs, entropy: u64, home: ShardId) -> Self {
        let time = unix_ms.to_le_bytes();
        let e = entropy.to_le_bytes();
        let shard = home.0.to_le_bytes();
        Self([
            time[5],
            time[4],
            time[3],
            time[2],
            time[1],
            time[0],
            0x70 | (e[0] & 0x0f),
            e[1],
            0x80 | (e[2] & 0x3f),
            e[3],
            e[4],
            e[5],
            e[6],
            e[7],
            shard[1],
            shard[0],
        ])
    }

    /// The shard written by [`Id::version_7`]; meaningless for ids made elsewhere.
    pub const fn home(self) -> ShardId {
        ShardId((self.0[14] as u16) << 8 | self.0[15] as u16)
    }

    /// Parses the hyphenated form, either case.
    pub fn parse(text: &str) -> Option<Self> {
        let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
        if [text[8], text[13], text[18], text[23]] != [b'-'; 4] {
            return None;
        }
        let mut bytes = [0; 16];
        // Gathered instead of tested one by one: a value above 15 is no digit.
        let mut bits = 0;
        for (byte, at) in bytes.iter_mut().zip(DIGITS_AT) {
            let (high, low) =
                (HEX_VALUE[usize::from(text[at])], HEX_VALUE[usize::from(text[at + 1])]);
            bits |= high | low;
            *byte = high << 4 | (low & 15);
        }
        (bits < 16).then_some(Self(bytes))
    }

    /// The hyphenated lower-case form.
    pub fn to_text(self) -> [u8; 36] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        text
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.to_text()).unwrap_or(""))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A short text kept inline, so that state holds no pointers to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Text<const N: usize> {
    /// First, so that a short text and its length lie in one cache line.
    length: u8,
    bytes: [u8; N],
}

/// In the order of their bytes.
impl<const N: usize> Ord for Text<N> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl<const N: usize> PartialOrd for Text<N> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Text<N> {
    /// Copies `text` when it fits; the characters are the caller's to check.
    pub fn copy(text: &str) -> Option<Self> {
        let mut bytes = [0; N];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { bytes, length: u8::try_from(text.len()).ok()? })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        read_text(self.as_bytes()).unwrap_or("")
    }

    /// Its bytes, which need no look at what they are.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A SKU or coupon code: 1..=64 of `A-Z a-z 0-9 . _ -`.
pub type Sku = Text<SKU_BYTES_MAX>;
/// A shopper's session: 1..=64 printable ASCII characters without space.
pub type Session = Text<SESSION_BYTES_MAX>;

/// Bytes of a SKU.
const SKU_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        allowed[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        byte += 1;
    }
    allowed
};

/// Parses a SKU or coupon code.
pub fn parse_sku(text: &str) -> Option<Sku> {
    is_sku(text).then(|| Sku::copy(text)).flatten()
}

/// Whether [`parse_sku`] takes it, without the copy.
pub fn is_sku(text: &str) -> bool {
    (1..=SKU_BYTES_MAX).contains(&text.len())
        && text.bytes().fold(true, |all, byte| all & SKU_BYTES[usize::from(byte)])
}

/// Parses a session name.
pub fn parse_session(text: &str) -> Option<Session> {
    is_session(text).then(|| Session::copy(text)).flatten()
}

/// Whether [`parse_session`] takes it, without the copy.
pub fn is_session(text: &str) -> bool {
    (1..=SESSION_BYTES_MAX).contains(&text.len())
        && text.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic())
}

/// The shard that owns a SKU or coupon: FNV-1a 64 over its bytes with a final mix, modulo the
/// count. Fixed for ever, because it decides where stock lives.
pub fn shard_of_key(key: &str, shards_count: u16) -> ShardId {
    assert!(shards_count > 0);
    if shards_count == 1 {
        return ShardId(0);
    }
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in key.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    ShardId((hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16 % shards_count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_round_trips_and_names_its_home() {
        let id = Id::version_7(1_700_000_000_123, 0x0123_4567_89ab_cdef, ShardId(513));
        assert_eq!(id.home(), ShardId(513));
        let text = id.to_text();
        let text = core::str::from_utf8(&text).unwrap();
        assert_eq!(Id::parse(text), Some(id));
        assert_eq!(text.as_bytes()[14], b'7');
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_eq!(Id::parse("not-an-id"), None);
    }

    #[test]
    fn skus_refuse_what_the_interface_refuses() {
        assert!(parse_sku("A-1_b.C").is_some());
        for bad in ["", "a b", "a/b", "\u{e9}", &"x".repeat(65)] {
            assert!(parse_sku(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn texts_are_in_the_order_of_their_bytes_not_of_their_lengths() {
        let mut skus = ["b", "a.long-one", "a", "a-2"].map(|text| Sku::copy(text).unwrap());
        skus.sort();
        let texts = skus.each_ref().map(Sku::as_str);
        assert_eq!(texts, ["a", "a-2", "a.long-one", "b"]);
    }

    #[test]
    fn keys_spread_over_shards() {
        let mut counts = [0_u32; 4];
        for n in 0..26_u8 {
            for m in 0..26_u8 {
                let key = [b'S', b'K', b'U', b'-', b'a' + n, b'a' + m];
                let key = core::str::from_utf8(&key).unwrap();
                counts[usize::from(shard_of_key(key, 4).0)] += 1;
            }
        }
        assert!(counts.iter().all(|&count| count > 676 / 8), "{counts:?}");
    }
}
