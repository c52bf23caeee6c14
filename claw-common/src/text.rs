//! Bytes read as text.
//!
//! Nearly every text of a store is short and plain: SKUs, sessions, coupons. A general check for
//! UTF-8 looks at such a text byte by byte; eight bytes at a time say as much when none of them has
//! its highest bit set. Knows nothing of what the characters mean.

/// The bit that no ASCII byte has, in eight bytes.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The text that these bytes are; nothing when they are not UTF-8.
#[inline]
pub fn read_text(bytes: &[u8]) -> Option<&str> {
    if is_ascii(bytes) {
        // SAFETY: no byte has its highest bit set, and each such byte is a whole character of UTF-8
        // (RFC 3629, section 3, UTF-8 definition).
        return Some(unsafe { core::str::from_utf8_unchecked(bytes) });
    }
    core::str::from_utf8(bytes).ok()
}

#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut seen = words.iter().fold(0, |seen, word| seen | u64::from_le_bytes(*word));
    match bytes.last_chunk::<8>() {
        // Some of its bytes were seen already, which costs less than looking at each of the rest.
        Some(last) => seen |= u64::from_le_bytes(*last),
        None => seen |= rest.iter().fold(0, |seen, byte| seen | u64::from(*byte)),
    }
    seen & HIGH_BITS == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_the_standard_library_reads_it() {
        let long = "a plain text that is longer than three words";
        for length in 0..=long.len() {
            let text = &long[..length];
            assert_eq!(read_text(text.as_bytes()), Some(text));
        }
        // Characters of two, three and four bytes, before, in and behind the first eight bytes.
        for text in ["\u{e9}", "0123456\u{e9}", "01234567\u{e9}", "\u{e9}01234567\u{6f22}\u{1f600}"]
        {
            assert_eq!(read_text(text.as_bytes()), Some(text));
        }
    }

    #[test]
    fn byte_that_is_no_text_is_found_wherever_it_stands() {
        let plain = [b'x'; 33];
        for length in 1..=plain.len() {
            for place in 0..length {
                for byte in [0x80, 0xbf, 0xc3, 0xff] {
                    let mut bytes = plain;
                    bytes[place] = byte;
                    let expected = core::str::from_utf8(&bytes[..length]).ok();
                    assert_eq!(read_text(&bytes[..length]), expected, "{byte} at {place}");
                }
            }
        }
    }
}
