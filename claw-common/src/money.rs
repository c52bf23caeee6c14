//! Money: checked integer minor units and an ISO 4217 code.
//!
//! No floating point, no conversion between currencies, no formatting for people.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Three upper-case ASCII letters, as in ISO 4217.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(transparent)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Parses three upper-case letters; the register of codes in use is not checked.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes().try_into().ok()?)
    }

    /// The code that these bytes are, likewise.
    #[inline]
    pub fn from_bytes(bytes: [u8; 3]) -> Option<Self> {
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// The code as bytes.
    pub const fn bytes(self) -> [u8; 3] {
        self.0
    }
}

impl core::fmt::Debug for Currency {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units (cents) of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// Minor units; negative only for differences.
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: Currency,
}

/// `amount * rate / 10_000`, rounded half to even; `rate` is in hundredths of a percent.
///
/// # Panics
/// If the result does not fit, which the limits on prices and quantities exclude.
pub fn share_of(amount: i64, rate_hundredths_of_percent: u32) -> i64 {
    let scaled = i128::from(amount) * i128::from(rate_hundredths_of_percent);
    let (quotient, remainder) = (scaled.div_euclid(10_000), scaled.rem_euclid(10_000));
    let rounded = match remainder.cmp(&5_000) {
        core::cmp::Ordering::Less => quotient,
        core::cmp::Ordering::Greater => quotient + 1,
        core::cmp::Ordering::Equal => quotient + (quotient & 1),
    };
    i64::try_from(rounded).expect("bounded by PRICE_MAX * QUANTITY_MAX * LINES_MAX")
}

#[cfg(test)]
mod tests {
    use super::share_of;

    #[test]
    fn share_rounds_half_to_even() {
        assert_eq!(share_of(50, 100), 0); // 0.5 -> 0
        assert_eq!(share_of(150, 100), 2); // 1.5 -> 2
        assert_eq!(share_of(250, 100), 2); // 2.5 -> 2
        assert_eq!(share_of(251, 100), 3);
        assert_eq!(share_of(1999, 1000), 200);
    }
}
