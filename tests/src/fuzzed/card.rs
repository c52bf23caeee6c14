//! Card numbers in free text: found wherever they stand, and searched for in bounded time.
//!
//! The promise is the finder's own: it says what a slow and simple reading of the rule says, which
//! is written here again, plainly: every piece of the text from the beginning of a group of digits
//! to the end of one. Deliberately not here: which members are free text.

use claw_dataplane::ingest::decode::cards::has_card_number;

/// Most bytes that the slow reading is tried on.
const SLOW_BYTES_MAX: usize = 256;

/// Looks for a card number in `bytes` twice: the product's way and the slow way.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let found = has_card_number(text);
    if text.len() <= SLOW_BYTES_MAX {
        assert_eq!(found, slow(text.as_bytes()), "{text:?}");
    }
    if found {
        assert!(has_card_number(&format!("to pay: {text}.")), "what stands around changes nothing");
    }
}

/// Every piece that begins where digits begin and ends where they end.
fn slow(text: &[u8]) -> bool {
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    (0..text.len()).any(|from| {
        let begins = digit(from) && (from == 0 || !digit(from - 1));
        begins
            && (from + 1..=text.len()).any(|to| {
                digit(to - 1) && !digit(to) && digits(&text[from..to]).is_some_and(|d| is_card(&d))
            })
    })
}

/// The digits of a piece that stand apart by single separators.
fn digits(piece: &[u8]) -> Option<Vec<u32>> {
    let separated = |at: usize| {
        matches!(piece[at], b' ' | b'-') && piece.get(at + 1).is_some_and(u8::is_ascii_digit)
    };
    let well = (0..piece.len()).all(|at| piece[at].is_ascii_digit() || separated(at));
    let values = piece.iter().filter(|byte| byte.is_ascii_digit());
    well.then(|| values.map(|byte| u32::from(byte - b'0')).collect())
}

fn is_card(digits: &[u32]) -> bool {
    let begin = |count: usize| digits[..count].iter().fold(0, |number, digit| number * 10 + digit);
    let brand = match digits.len() {
        13 => begin(1) == 4,
        14 => [36, 38, 39].contains(&begin(2)) || (300..=305).contains(&begin(3)),
        15 => [34, 37].contains(&begin(2)),
        16..=19 => {
            let two = [50, 51, 52, 53, 54, 55, 56, 57, 58, 62, 65].contains(&begin(2));
            let three = (644..=649).contains(&begin(3));
            let four = begin(4);
            let four =
                (2221..=2720).contains(&four) || (3528..=3589).contains(&four) || four == 6011;
            begin(1) == 4 || two || three || four
        }
        _ => false,
    };
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let luhn = digits.iter().rev().enumerate();
    let sum: u32 = luhn.map(|(i, &d)| if i % 2 == 0 { d } else { doubled(d) }).sum();
    brand && sum.is_multiple_of(10)
}
