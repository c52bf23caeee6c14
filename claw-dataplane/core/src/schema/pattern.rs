//! A small pattern language whose matching time is linear in the text, whatever the pattern.
//!
//! A pattern is a row of steps that must match the whole text: a character, `.` (any character),
//! or a class `[A-Z0-9_-]`, `[^ ]`, each followed by nothing, `?`, `*`, `+`, `{n}` or `{n,m}`.
//! `\` takes the next character literally. Repetition counts are unrolled into steps, so that the
//! whole state of a match is one 128-bit word with a bit per step.
//!
//! Deliberately absent: groups, alternation, captures, anchors (always both), back references and
//! case folding. Lists of words are what `enum` is for.

use core::fmt::Write as _;

use claw_common::limits::SCHEMA_PATTERN_STEPS_MAX;

const _: () = assert!(SCHEMA_PATTERN_STEPS_MAX < 128, "one bit per step and one for the end");

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    steps: Vec<PatternStep>,
}

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// `[` without `]`, or with nothing inside.
    #[error("a class must close with `]` and hold at least one character")]
    Class,
    /// `{` that is not `{n}` or `{n,m}` with `n <= m`.
    #[error("a count must be {{n}} or {{n,m}} with n at most m")]
    Count,
    /// Grouping or alternation.
    #[error("`{0}` is not supported in patterns: write `\\{0}` for the character itself")]
    Unsupported(char),
    /// A repetition with nothing before it, or a backslash with nothing behind it.
    #[error("`{0}` has nothing to apply to")]
    Dangling(char),
    /// More steps than a match can track.
    #[error("the pattern unrolls to more than {SCHEMA_PATTERN_STEPS_MAX} steps")]
    TooLong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PatternStep {
    class: Class,
    /// May match nothing.
    skippable: bool,
    /// May match again.
    repeats: bool,
}

/// Which characters a step takes: one bit per ASCII character and one for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    ascii: u128,
    beyond_ascii: bool,
}

impl Class {
    const ANY: Self = Self { ascii: u128::MAX, beyond_ascii: true };
    const EMPTY: Self = Self { ascii: 0, beyond_ascii: false };

    fn holds(self, character: char) -> bool {
        let code = u32::from(character);
        if code < 128 { self.ascii >> code & 1 == 1 } else { self.beyond_ascii }
    }

    fn write_regex(self, out: &mut String) {
        if self == Self::ANY {
            out.push_str("[\\s\\S]");
            return;
        }
        if !self.beyond_ascii && self.ascii.is_power_of_two() {
            let code = u8::try_from(self.ascii.trailing_zeros()).expect("below 128");
            write_regex_character(code, ".*+?()[]{}|^$\\", out);
            return;
        }
        // A class holds all of what is beyond ASCII or nothing of it.
        out.push_str(if self.beyond_ascii { "[^" } else { "[" });
        let named = if self.beyond_ascii { !self.ascii } else { self.ascii };
        let holds = |code: u8| code < 128 && named >> code & 1 == 1;
        let mut code = 0;
        while code < 128 {
            if !holds(code) {
                code += 1;
                continue;
            }
            let end = (code..128).find(|&next| !holds(next + 1)).expect("nothing holds 128");
            write_regex_character(code, "[]^\\-", out);
            if end > code {
                if end > code + 1 {
                    out.push('-');
                }
                write_regex_character(end, "[]^\\-", out);
            }
            code = end + 1;
        }
        out.push(']');
    }

    fn add_range(&mut self, first: char, last: char) -> Result<(), PatternError> {
        if !first.is_ascii() || !last.is_ascii() || first > last {
            return Err(PatternError::Class);
        }
        for code in u32::from(first)..=u32::from(last) {
            self.ascii |= 1 << code;
        }
        Ok(())
    }
}

impl Pattern {
    /// Compiles `text`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut characters = text.chars().peekable();
        let mut steps = Vec::new();
        while let Some(character) = characters.next() {
            let class = parse_class(character, &mut characters)?;
            parse_repetition(class, &mut characters, &mut steps)?;
            if steps.len() > SCHEMA_PATTERN_STEPS_MAX {
                return Err(PatternError::TooLong);
            }
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same as a regular expression that JavaScript, Python and RE2 read alike (ECMA-262 as
    /// JSON Schema asks for, anchored at both ends).
    pub fn to_regex(&self) -> String {
        let mut out = String::from("^");
        let mut rest = self.steps.as_slice();
        while let Some(first) = rest.first() {
            let same = |step: &&PatternStep| step.class == first.class && !step.repeats;
            let row = rest.iter().take_while(same);
            // What may be skipped stands behind what may not, or in a row of its own.
            let least = row.clone().take_while(|step| !step.skippable).count();
            let most = least + row.skip(least).take_while(|step| step.skippable).count();
            let (least, most) =
                if first.repeats { (usize::from(!first.skippable), 1) } else { (least, most) };
            first.class.write_regex(&mut out);
            match (first.repeats, least, most) {
                (true, 0, _) => out.push('*'),
                (true, ..) => out.push('+'),
                (false, 1, 1) => {}
                (false, 0, 1) => out.push('?'),
                (false, least, most) if least == most => {
                    write!(out, "{{{most}}}").expect("a String takes every byte");
                }
                (false, least, most) => {
                    write!(out, "{{{least},{most}}}").expect("a String takes every byte");
                }
            }
            rest = &rest[most..];
        }
        out.push('$');
        out
    }

    /// True when the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let mut active = self.skip(1);
        for character in text.chars() {
            let mut next = 0;
            for (index, step) in self.steps.iter().enumerate() {
                if active >> index & 1 == 1 && step.class.holds(character) {
                    next |= 1_u128 << (index + 1);
                    next |= u128::from(step.repeats) << index;
                }
            }
            if next == 0 {
                return false;
            }
            active = self.skip(next);
        }
        active >> self.steps.len() & 1 == 1
    }

    /// Adds to `active` every step reachable by skipping.
    fn skip(&self, mut active: u128) -> u128 {
        for (index, step) in self.steps.iter().enumerate() {
            if step.skippable && active >> index & 1 == 1 {
                active |= 1 << (index + 1);
            }
        }
        active
    }
}

type Characters<'a> = core::iter::Peekable<core::str::Chars<'a>>;

fn parse_class(first: char, rest: &mut Characters<'_>) -> Result<Class, PatternError> {
    let mut class = Class::EMPTY;
    match first {
        '.' => class = Class::ANY,
        '[' => class = parse_bracket(rest)?,
        '\\' => {
            let literal = rest.next().ok_or(PatternError::Dangling('\\'))?;
            class.add_range(literal, literal)?;
        }
        '(' | ')' | '|' | '^' | '$' | ']' | '}' => return Err(PatternError::Unsupported(first)),
        '?' | '*' | '+' | '{' => return Err(PatternError::Dangling(first)),
        _ => class.add_range(first, first)?,
    }
    Ok(class)
}

fn parse_bracket(rest: &mut Characters<'_>) -> Result<Class, PatternError> {
    let negated = rest.next_if_eq(&'^').is_some();
    let mut class = Class::EMPTY;
    loop {
        let mut first = rest.next().ok_or(PatternError::Class)?;
        if first == ']' {
            break;
        }
        if first == '\\' {
            first = rest.next().ok_or(PatternError::Class)?;
        }
        if rest.peek() == Some(&'-') {
            rest.next();
            if rest.peek() == Some(&']') {
                class.add_range('-', '-')?;
            } else {
                let last = rest.next().ok_or(PatternError::Class)?;
                class.add_range(first, last)?;
                continue;
            }
        }
        class.add_range(first, first)?;
    }
    if class == Class::EMPTY {
        return Err(PatternError::Class);
    }
    Ok(if negated { Class { ascii: !class.ascii, beyond_ascii: true } } else { class })
}

fn parse_repetition(
    class: Class,
    rest: &mut Characters<'_>,
    steps: &mut Vec<PatternStep>,
) -> Result<(), PatternError> {
    let once = PatternStep { class, skippable: false, repeats: false };
    match rest.next_if(|next| matches!(next, '?' | '*' | '+' | '{')) {
        None => steps.push(once),
        Some('?') => steps.push(PatternStep { skippable: true, ..once }),
        Some('*') => steps.push(PatternStep { skippable: true, repeats: true, ..once }),
        Some('+') => steps.push(PatternStep { repeats: true, ..once }),
        Some(_) => {
            let (least, most) = parse_count(rest)?;
            if most > SCHEMA_PATTERN_STEPS_MAX {
                return Err(PatternError::TooLong);
            }
            for index in 0..most {
                steps.push(PatternStep { skippable: index >= least, ..once });
            }
        }
    }
    Ok(())
}

fn parse_count(rest: &mut Characters<'_>) -> Result<(usize, usize), PatternError> {
    let inside: String = rest.by_ref().take_while(|&character| character != '}').collect();
    let number = |text: &str| text.parse::<usize>().ok().ok_or(PatternError::Count);
    let (least, most) = match inside.split_once(',') {
        None => (number(&inside)?, number(&inside)?),
        Some((least, most)) => (number(least)?, number(most)?),
    };
    if most == 0 || least > most { Err(PatternError::Count) } else { Ok((least, most)) }
}

fn write_regex_character(code: u8, special: &str, out: &mut String) {
    let character = char::from(code);
    match character {
        ' '..='~' => {
            if special.contains(character) {
                out.push('\\');
            }
            out.push(character);
        }
        _ => write!(out, "\\x{code:02x}").expect("a String takes every byte"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts_only() {
        let rows = [
            ("[A-Z]{2}-[0-9]{2,4}", "AB-123", true),
            ("[A-Z]{2}-[0-9]{2,4}", "AB-1", false),
            ("[A-Z]{2}-[0-9]{2,4}", "AB-12345", false),
            ("[A-Z]{2}-[0-9]{2,4}", "xAB-123", false),
            ("a*b+c?", "b", true),
            ("a*b+c?", "aaabbbc", true),
            ("a*b+c?", "aac", false),
            ("a?a?a?aaa", "aaa", true),
            ("[^ ]+", "caf\u{e9}", true),
            ("[^ ]+", "a b", false),
            ("[a-]+", "a-a", true),
            ("\\[x\\]", "[x]", true),
            (".{3}", "\u{e9}\u{e9}\u{e9}", true),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(text),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn patterns_are_written_as_regular_expressions_for_others() {
        let rows = [
            ("[A-Z]{2}-[0-9]{2,4}", "^[A-Z]{2}-[0-9]{2,4}$"),
            ("a*b+c?", "^a*b+c?$"),
            ("a?a?b", "^a{0,2}b$"),
            ("a?a", "^a?a$"),
            ("[^@ ]+@x\\.y", "^[^ @]+@x\\.y$"),
            (".{3}", "^[\\s\\S]{3}$"),
            ("[a\\]-]", "^[\\-\\]a]$"),
            ("\t", "^\\x09$"),
            ("", "^$"),
        ];
        for (pattern, expected) in rows {
            assert_eq!(Pattern::parse(pattern).unwrap().to_regex(), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_not_a_pattern_is_refused_by_name() {
        let rows = [
            ("[a", PatternError::Class),
            ("[]", PatternError::Class),
            ("[z-a]", PatternError::Class),
            ("a{3,2}", PatternError::Count),
            ("a{x}", PatternError::Count),
            ("(a|b)", PatternError::Unsupported('(')),
            ("*a", PatternError::Dangling('*')),
            ("a**", PatternError::Dangling('*')),
            ("a\\", PatternError::Dangling('\\')),
            ("a{128}", PatternError::TooLong),
        ];
        for (pattern, expected) in rows {
            assert_eq!(Pattern::parse(pattern).unwrap_err(), expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_ruins_backtrackers_costs_its_length() {
        let pattern = Pattern::parse(&"a?".repeat(60)).unwrap();
        assert!(pattern.matches(&"a".repeat(60)));
        assert!(!pattern.matches(&"a".repeat(61)));
    }
}
