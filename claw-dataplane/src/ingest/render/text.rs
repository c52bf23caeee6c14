//! Numbers, texts, times and ids as JSON, appended to a buffer without allocating.

use claw_common::id::Id;
use claw_common::money::{Currency, Money};
use claw_common::time::UnixMs;

const DAY_MS: u64 = 86_400_000;

/// Appends a number in decimal.
pub fn write_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = digit(rest % 10);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a signed number in decimal.
pub fn write_integer(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    write_number(out, number.unsigned_abs());
}

/// Appends a text as a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.extend_from_slice(text.as_bytes());
    } else {
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                b'\n' => out.extend_from_slice(b"\\n"),
                0..=31 => {
                    let hex = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                    out.extend_from_slice(b"\\u00");
                    out.extend_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
                }
                _ => out.push(byte),
            }
        }
    }
    out.push(b'"');
}

/// Bytes as hexadecimal digits in quotes.
pub fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in bytes {
        out.extend([byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
    }
    out.push(b'"');
}

/// Appends an id as a JSON string.
pub fn write_id(out: &mut Vec<u8>, id: Id) {
    out.push(b'"');
    out.extend_from_slice(&id.to_text());
    out.push(b'"');
}

/// Appends an amount as a JSON object.
pub fn write_money(out: &mut Vec<u8>, money: Money) {
    write_amount(out, money.amount, money.currency);
}

/// Appends an amount as a JSON object.
pub fn write_amount(out: &mut Vec<u8>, amount: i64, currency: Currency) {
    out.extend_from_slice(b"{\"amount\":");
    write_integer(out, amount);
    out.extend_from_slice(b",\"currency\":\"");
    out.extend_from_slice(&currency.bytes());
    out.extend_from_slice(b"\"}");
}

/// Appends a time as a JSON string: RFC 3339, UTC, milliseconds.
pub fn write_time(out: &mut Vec<u8>, unix_ms: UnixMs) {
    let (year, month, day) = civil_date(unix_ms / DAY_MS);
    let of_day = unix_ms % DAY_MS;
    let mut text = *b"\"0000-00-00T00:00:00.000Z\"";
    put_digits(&mut text[1..5], year);
    put_digits(&mut text[6..8], month);
    put_digits(&mut text[9..11], day);
    put_digits(&mut text[12..14], of_day / 3_600_000);
    put_digits(&mut text[15..17], of_day / 60_000 % 60);
    put_digits(&mut text[18..20], of_day / 1000 % 60);
    put_digits(&mut text[21..24], of_day % 1000);
    out.extend_from_slice(&text);
}

/// Writes the last digits of a number into a field of fixed width.
fn put_digits(field: &mut [u8], number: u64) {
    let mut rest = number;
    for place in field.iter_mut().rev() {
        *place = digit(rest % 10);
        rest /= 10;
    }
}

fn digit(value: u64) -> u8 {
    b'0' + u8::try_from(value).expect("a decimal digit")
}

/// Year, month and day of a count of days since 1970. Years begin in March here, so that the leap
/// day is the last of its year and months follow a fixed pattern of 153 days in five.
fn civil_date(days: u64) -> (u64, u64, u64) {
    // 1 March 0000 is 719,468 days before 1970; 400 years have 146,097 days.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let (month, carry) = if march_month < 10 { (march_month + 3, 0) } else { (march_month - 9, 1) };
    (era * 400 + year_of_era + carry, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_read_back_through_another_reader() {
        for text in ["", "plain", "q\"b\\s/\n\t\u{1}\u{7f}", "\u{e9}\u{1f980}"] {
            let json = written(|out| write_text(out, text));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
        assert_eq!(written(|out| write_integer(out, i64::MIN)), i64::MIN.to_string());
        assert_eq!(written(|out| write_number(out, u64::MAX)), u64::MAX.to_string());
    }

    proptest! {
        #[test]
        fn times_agree_with_another_calendar(unix_ms in 0_u64..253_402_300_800_000) {
            let ours = written(|out| write_time(out, unix_ms));
            let signed = i64::try_from(unix_ms).unwrap();
            let theirs = jiff::Timestamp::from_millisecond(signed).unwrap();
            prop_assert_eq!(ours, format!("\"{theirs:.3}\""));
        }
    }
}
