//! Sizes as people write them: `512MiB`, `8 GiB`, `65536`.
//!
//! Binary units only: a node's memory is no disk label.

const UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Bytes of `text`; `None` when it is not a size or does not fit.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let number: u64 = digits.replace('_', "").parse().ok()?;
    let unit = unit.trim_start();
    let scale = if unit.is_empty() {
        1
    } else {
        UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, scale)| *scale)?
    };
    number.checked_mul(scale)
}

/// `bytes` in the largest unit that divides it.
pub(super) fn format_size(bytes: u64) -> String {
    let fitting = UNITS.iter().find(|(_, scale)| bytes >= *scale && bytes.is_multiple_of(*scale));
    fitting.map_or_else(|| bytes.to_string(), |(unit, scale)| format!("{}{unit}", bytes / scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_back_as_themselves() {
        let rows = [("512MiB", 512 << 20), ("8GiB", 8 << 30), ("3B", 3), ("1025KiB", 1025 << 10)];
        for (text, bytes) in rows {
            assert_eq!(parse_size(text), Some(bytes));
            assert_eq!(format_size(bytes), text);
        }
        assert_eq!(parse_size("65_536"), Some(65_536));
        assert_eq!(parse_size("1 gib"), Some(1 << 30));
        for bad in ["", "MiB", "1MB", "-1", "1.5GiB", "99999999999TiB"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
