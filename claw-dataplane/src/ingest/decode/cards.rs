//! Card numbers are refused wherever free text is taken: they must not reach the log.
//!
//! A number is one where a text that somebody wrote has a brand's prefix and length (ISO/IEC
//! 7812-1, as the brands publish their ranges) and its digits pass Luhn's check (annex B there);
//! digits may stand apart by single spaces or hyphens. Ids, SKUs, coupon codes and sessions are
//! typed and exempt: a SKU of sixteen digits is a SKU. The refusal names the member, never what it
//! holds.
//!
//! What is no number by these rules passes: this keeps accidents out, it does not prove that there
//! are none.

use std::ops::Range;

use claw_core::command::Command;
use serde_json::Value;

use crate::ingest::problem::Problem;

/// Fewest digits of a card number that is looked for.
const DIGITS_MIN: usize = 13;
/// Most digits.
const DIGITS_MAX: usize = 19;

/// Refuses a command that holds a card number in free text.
pub(in crate::ingest) fn refuse(command: &Command<'_>, extra: &[u8]) -> Result<(), Problem> {
    let found = in_command(command).or_else(|| {
        let text = std::str::from_utf8(extra).unwrap_or_default();
        in_json("", text)
    });
    found.map_or(Ok(()), |path| {
        let detail = format!(
            "`{path}` holds what looks like a card number: send the gateway's token instead"
        );
        Err(Problem::schema(&path, &detail))
    })
}

fn in_command(command: &Command<'_>) -> Option<String> {
    match *command {
        Command::PutProduct { name, attributes, .. } => {
            in_text("name", name).or_else(|| in_json("attributes", attributes))
        }
        Command::MoveStock { reason, .. } => in_text("reason", reason),
        Command::Checkout { ship_to, region, payment, .. } => in_json("ship_to", ship_to)
            .or_else(|| in_text("region", region))
            .or_else(|| in_text("payment.token", payment.unwrap_or_default())),
        Command::RecordEvent { members, .. } => in_json("", members),
        _ => None,
    }
}

fn in_text(path: &str, text: &str) -> Option<String> {
    has_card_number(text).then(|| path.to_owned())
}

/// Looks into a JSON text; parsed only where it could hold one at all.
fn in_json(path: &str, text: &str) -> Option<String> {
    if !may_hold(text) {
        return None;
    }
    in_value(path.to_owned(), &serde_json::from_str(text).ok()?)
}

fn in_value(path: String, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => has_card_number(text).then_some(path),
        Value::Array(entries) => {
            let mut places = entries.iter().enumerate();
            places.find_map(|(place, entry)| in_value(format!("{path}[{place}]"), entry))
        }
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let dot = if path.is_empty() { "" } else { "." };
            in_value(format!("{path}{dot}{name}"), member)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Whether a text has digits enough, wherever they stand.
fn may_hold(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).take(DIGITS_MIN).count() == DIGITS_MIN
}

/// Whether a text holds a card number: in any run of digits, from the beginning of one of its
/// groups to the end of one, since a date may follow a number and an area code may stand before it.
pub fn has_card_number(text: &str) -> bool {
    if !may_hold(text) {
        return false;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let run = Run::at(bytes, at);
        if run.has_card_number() {
            return true;
        }
        at = run.end.max(at + 1);
    }
    false
}

/// Digits that stand apart by at most one space or hyphen.
struct Run {
    digits: Vec<u8>,
    /// How many digits there are before each group, and at the end.
    groups: Vec<usize>,
    end: usize,
}

impl Run {
    fn at(bytes: &[u8], start: usize) -> Self {
        let (mut digits, mut groups) = (Vec::new(), vec![0]);
        let mut at = start;
        while at < bytes.len() {
            match bytes[at] {
                digit @ b'0'..=b'9' => digits.push(digit - b'0'),
                b' ' | b'-'
                    if !digits.is_empty() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) =>
                {
                    groups.push(digits.len());
                }
                _ => break,
            }
            at += 1;
        }
        groups.push(digits.len());
        Self { digits, groups, end: at }
    }

    fn has_card_number(&self) -> bool {
        self.pieces().any(|piece| is_card_number(&self.digits[piece]))
    }

    /// From the beginning of a group to the end of one, as long as a number may be: at most
    /// [`DIGITS_MAX`] for each group, else a text of single digits would be a work of hours.
    fn pieces(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.groups.iter().enumerate().flat_map(move |(place, &from)| {
            let ends = self.groups[place..].iter().copied();
            ends.take_while(move |to| to - from <= DIGITS_MAX).map(move |to| from..to)
        })
    }
}

fn is_card_number(digits: &[u8]) -> bool {
    (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
        && is_of_a_brand(digits)
        && passes_luhn(digits)
}

/// Prefixes and lengths of the large brands.
fn is_of_a_brand(digits: &[u8]) -> bool {
    let prefix = |count: usize| {
        digits[..count].iter().fold(0_u32, |number, digit| number * 10 + u32::from(*digit))
    };
    match digits.len() {
        // Visa.
        13 => prefix(1) == 4,
        // Diners Club.
        14 => matches!(prefix(2), 36 | 38 | 39) || (300..=305).contains(&prefix(3)),
        // American Express, JCB of old.
        15 => matches!(prefix(2), 34 | 37),
        // Visa, Mastercard, Discover, JCB, UnionPay, Maestro.
        16..=19 => {
            prefix(1) == 4
                || (51..=55).contains(&prefix(2))
                || (2221..=2720).contains(&prefix(4))
                || prefix(4) == 6011
                || (644..=649).contains(&prefix(3))
                || matches!(prefix(2), 65 | 62 | 50)
                || (56..=58).contains(&prefix(2))
                || (3528..=3589).contains(&prefix(4))
        }
        _ => false,
    }
}

/// Luhn's check, ISO/IEC 7812-1 annex B.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => 2 * digit - 9,
            (_, digit) => 2 * digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that the brands publish for tests.
    const CARDS: [&str; 8] = [
        "4242424242424242",
        "4000 0000 0000 0002",
        "5555-5555-5555-4444",
        "2223003122003222",
        "378282246310005",
        "6011111111111117",
        "3566002020360505",
        "30569309025904",
    ];

    #[test]
    fn card_numbers_are_found_however_they_are_written() {
        for card in CARDS {
            for text in [card.to_owned(), format!("card {card}."), format!("{card} 12/29")] {
                assert!(has_card_number(&text), "{text}");
            }
        }
    }

    #[test]
    fn other_numbers_pass() {
        let others = [
            "4242424242424241",
            "1234567890123456",
            "0000000000000000",
            "+49 170 1234567",
            "2026-11-26T12:00:00.000Z",
            "018f2c6e-8a54-7000-8000-424242424242",
            "42424242424242424242424242424242",
            "tok_visa",
        ];
        for other in others {
            assert!(!has_card_number(other), "{other}");
        }
    }

    #[test]
    fn work_grows_with_the_text_and_not_with_its_square() {
        let text = "1 ".repeat(30_000) + "1";
        let run = Run::at(text.as_bytes(), 0);
        assert_eq!(run.groups.len(), 30_002);
        assert!(run.pieces().count() <= run.groups.len() * (DIGITS_MAX + 2));
        assert!(!has_card_number(&text));
        assert!(has_card_number(&(text + " 4242 4242 4242 4242")));
    }

    #[test]
    fn member_is_named_and_its_number_is_not() {
        let ship_to = r#"{"lines":[{"note":"pay 4242 4242 4242 4242"}]}"#;
        let command = Command::Checkout {
            session: "4242424242424242",
            own_session_only: true,
            basket: claw_core::command::Basket::Cart(claw_common::id::Id([1; 16])),
            coupon: Some("4242424242424242"),
            ship_to,
            region: "",
            wait_until_ms: 0,
            ttl_ms: 1,
            payment: Some("pm_card_visa"),
        };
        let problem = refuse(&command, b"").unwrap_err();
        assert!(problem.detail.contains("ship_to.lines[0].note"), "{}", problem.detail);
        assert!(!problem.detail.contains("4242"), "{}", problem.detail);
        let extra = refuse(&Command::ReadState, br#"{"gift":"5555555555554444"}"#).unwrap_err();
        assert!(extra.detail.contains("`gift`"));
        assert_eq!(refuse(&Command::ReadState, br#"{"gift":"none"}"#), Ok(()));
    }

    #[test]
    fn skus_are_typed_and_exempt() {
        let sku = "4242424242424242";
        let command = Command::MoveStock { sku, delta: 1, reason: "first" };
        assert_eq!(refuse(&command, b""), Ok(()));
        let command = Command::MoveStock { sku: "a", delta: 1, reason: sku };
        assert!(refuse(&command, b"").is_err());
    }
}
