//! Times as text, both ways, and texts as JSON.
//!
//! RFC 3339 in UTC with at most milliseconds, years 1970 to 9999. No other zone, no leap second:
//! the log counts Unix milliseconds, and what it says must read back as itself.

use claw_common::time::UnixMs;

const DAY_MS: u64 = 86_400_000;

/// Parses `YYYY-MM-DDThh:mm:ss[.f[f[f]]]Z`.
pub(super) fn parse_time(text: &str) -> Option<UnixMs> {
    let body = text.strip_suffix('Z').filter(|body| body.is_ascii() && body.len() >= 19)?;
    let (seconds, fraction) = body.split_at(19);
    let bytes = seconds.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|&(index, mark)| bytes[index] != mark) {
        return None;
    }
    let number = |range: core::ops::Range<usize>| digits(&seconds[range]);
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let month_days = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month_index = usize::try_from(month.checked_sub(1)?).ok()?;
    let days_in_month = *month_days.get(month_index)?;
    if year < 1970 || !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59
    {
        return None;
    }
    let days = days_before_year(year) + month_days[..month_index].iter().sum::<u64>() + day - 1;
    let of_day = ((hour * 60 + minute) * 60 + second) * 1000;
    Some(days * DAY_MS + of_day + parse_fraction(fraction)?)
}

fn parse_fraction(text: &str) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    let places = text.strip_prefix('.')?;
    let scale = match places.len() {
        1 => 100,
        2 => 10,
        3 => 1,
        _ => return None,
    };
    digits(places).map(|value| value * scale)
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

const fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days from 1970-01-01 to the first day of `year`.
const fn days_before_year(year: u64) -> u64 {
    (year - 1970) * 365 + leaps_before(year) - leaps_before(1970)
}

/// Leap years in the years 1 to `year - 1`.
const fn leaps_before(year: u64) -> u64 {
    let last = year - 1;
    last / 4 - last / 100 + last / 400
}

/// Writes `unix_ms` with exactly three places.
pub(super) fn format_time(unix_ms: UnixMs) -> String {
    let (days, of_day) = (unix_ms / DAY_MS, unix_ms % DAY_MS);
    // A year has at most 366 days, so the estimate is never late; it is early by few years.
    let mut year = 1970 + days / 366;
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    let month_days = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (mut month, mut day) = (1, days - days_before_year(year));
    for length in month_days {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (second, ms) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let day = day + 1;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Appends `text` as a JSON string.
pub(super) fn write_json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a Vec takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back_as_themselves() {
        let rows = [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T12:34:56.789Z", 951_827_696_789),
            ("2026-11-22T00:00:00.000Z", 1_795_305_600_000),
            ("2100-03-01T00:00:00.000Z", 4_107_542_400_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ];
        for (text, unix_ms) in rows {
            assert_eq!(parse_time(text), Some(unix_ms), "{text}");
            assert_eq!(format_time(unix_ms), text);
        }
        assert_eq!(parse_time("2026-11-22T00:00:00Z"), Some(1_795_305_600_000));
        assert_eq!(parse_time("2026-11-22T00:00:00.5Z"), Some(1_795_305_600_500));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "2026-11-22",
            "2026-11-22T00:00:00+00:00",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T00:00:60Z",
            "1969-12-31T00:00:00Z",
            "2026-11-22T00:00:00.1234Z",
            "2026-11-22 00:00:00Z",
            "+026-11-22T00:00:00Z",
            "\u{e9}026-11-22T00:00:0Z",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
