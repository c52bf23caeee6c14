//! A strict JSON reader that borrows from the body and knows where it is.
//!
//! Bodies here are small and their members known, so they are read in one pass straight into the
//! command: texts without escapes are borrowed, nothing is built in between. Faults tell a
//! document that is no JSON (with its place) from one that is not what was asked (with the path of
//! the member). Values of free shape are handed to `serde_json`.

use std::borrow::Cow;

use claw_core::schema::Violation;

/// Deepest nesting that is read.
const DEPTH_MAX: u8 = 16;

/// Bytes of a text that stand for themselves (RFC 8259, section 7).
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut control = 0;
    while control < b' ' as usize {
        plain[control] = false;
        control += 1;
    }
    plain[b'"' as usize] = false;
    plain[b'\\' as usize] = false;
    plain
};

/// Why a body was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON.
    Malformed {
        /// Byte offset.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// JSON, and not what was asked.
    Violation(Violation),
}

impl Fault {
    /// A violation of the member being read; its path is added on the way out.
    pub fn violation(reason: impl Into<String>) -> Self {
        Self::Violation(Violation { path: String::new(), reason: reason.into(), suggestion: None })
    }

    /// The same fault, seen from the object that holds it as `member`.
    #[must_use]
    pub fn under(self, member: &str) -> Self {
        match self {
            Self::Violation(violation) => Self::Violation(violation.under(member)),
            Self::Malformed { .. } => self,
        }
    }
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// Reads one document.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
}

impl<'a> Scanner<'a> {
    /// At the front of `text`.
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Succeeds at the end only.
    pub fn finish(mut self) -> Result<(), Fault> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { self.malformed("expected the end") }
    }

    /// An object: `member` is called with each name and must read its value.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.expect_kind(b'{', "must be an object")?;
        self.open()?;
        if self.take(b'}') {
            return self.close();
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return self.malformed("expected a member's name");
            }
            let name = self.read_string()?;
            self.skip_space();
            if !self.take(b':') {
                return self.malformed("expected a colon");
            }
            member(self, &name).map_err(|fault| fault.under(&name))?;
            if !self.next_or_end(b'}')? {
                return self.close();
            }
        }
    }

    /// An array: `item` is called with each index and must read its value.
    pub fn array(
        &mut self,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.expect_kind(b'[', "must be a list")?;
        self.open()?;
        if self.take(b']') {
            return self.close();
        }
        for index in 0.. {
            item(self, index).map_err(|fault| fault.under(&format!("[{index}]")))?;
            if !self.next_or_end(b']')? {
                break;
            }
        }
        self.close()
    }

    /// A text.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.expect_kind(b'"', "must be a text")?;
        self.at -= 1;
        self.read_string()
    }

    /// A whole number.
    pub fn integer(&mut self) -> Result<i64, Fault> {
        self.skip_space();
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return self.other_kind("must be a whole number");
        }
        let text = self.read_number()?;
        // To JSON Schema, and to writers whose numbers are floating, 2.0 is a whole number.
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let spelled = whole.bytes().any(|byte| matches!(byte, b'e' | b'E'));
        if spelled || fraction.bytes().any(|byte| byte != b'0') {
            return Err(Fault::violation("must be a whole number"));
        }
        whole.parse().ok().ok_or_else(|| Fault::violation("is out of range"))
    }

    /// A value of any kind, as written.
    pub fn raw(&mut self) -> Result<&'a str, Fault> {
        self.skip_space();
        let start = self.at;
        self.skip_value()?;
        Ok(&self.text[start..self.at])
    }

    fn skip_value(&mut self) -> Result<(), Fault> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => {
                // Two members of one name have no agreed meaning, at any depth.
                let mut names: Vec<String> = Vec::new();
                self.object(|scanner, name| {
                    if names.iter().any(|earlier| earlier == name) {
                        return Err(Fault::violation("comes twice"));
                    }
                    names.push(name.to_owned());
                    scanner.skip_value()
                })
            }
            Some(b'[') => self.array(|scanner, _| scanner.skip_value()),
            Some(b'"') => self.read_string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.read_number().map(drop),
            _ => {
                let words = ["true", "false", "null"];
                let word = words.into_iter().find(|word| self.text[self.at..].starts_with(word));
                let Some(word) = word else { return self.malformed("expected a value") };
                self.at += word.len();
                Ok(())
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn malformed<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault::Malformed { at: self.at, what })
    }

    /// The value is JSON of another kind, or no JSON at all.
    fn other_kind<T>(&mut self, reason: &'static str) -> Result<T, Fault> {
        self.skip_value()?;
        Err(Fault::violation(reason))
    }

    fn expect_kind(&mut self, first: u8, reason: &'static str) -> Result<(), Fault> {
        if self.take(first) { Ok(()) } else { self.other_kind(reason) }
    }

    fn open(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { self.malformed("nested too deep") } else { Ok(()) }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends functions that can fail")]
    fn close(&mut self) -> Result<(), Fault> {
        self.depth -= 1;
        Ok(())
    }

    fn next_or_end(&mut self, end: u8) -> Result<bool, Fault> {
        if self.take(b',') {
            Ok(true)
        } else if self.take(end) {
            Ok(false)
        } else {
            self.malformed("expected a comma or the end")
        }
    }

    fn read_string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let plain = rest.iter().position(|&byte| !PLAIN[usize::from(byte)]);
        self.at += plain.unwrap_or(rest.len());
        match self.peek() {
            Some(b'"') => {
                let text = &self.text[start..self.at];
                self.at += 1;
                Ok(Cow::Borrowed(text))
            }
            Some(b'\\') => self.read_escaped(start).map(Cow::Owned),
            Some(_) => self.malformed("control character in a text"),
            None => self.malformed("text without end"),
        }
    }

    /// Finds the end of a text with escapes and lets `serde_json` resolve them.
    fn read_escaped(&mut self, start: usize) -> Result<String, Fault> {
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(0..=31) => return self.malformed("control character in a text"),
                Some(_) => self.at += 1,
                None => return self.malformed("text without end"),
            }
        }
        self.at += 1;
        let Ok(text) = serde_json::from_str(&self.text[start - 1..self.at]) else {
            self.at = start;
            return self.malformed("escape that is not one");
        };
        Ok(text)
    }

    fn read_number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let first = self.peek();
        let digits = self.skip_digits();
        if digits == 0 || (first == Some(b'0') && digits > 1) {
            return self.malformed("number that is not one");
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.skip_digits() == 0 {
                return self.malformed("number that is not one");
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.skip_digits() == 0 {
                return self.malformed("number that is not one");
            }
        }
        Ok(&self.text[start..self.at])
    }

    fn skip_digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }
}

/// White space between the parts of a document: less than ASCII has (RFC 8259, section 2, JSON
/// Grammar).
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The bytes without white space around them.
pub(super) fn trim_space(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_space(*byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_space(*byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn skip(text: &str) -> Result<(), Fault> {
        let mut scanner = Scanner::new(text);
        scanner.raw()?;
        scanner.finish()
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        let rows = [
            ("", 0),
            ("{", 1),
            ("{\"a\"}", 4),
            ("{\"a\":1,}", 7),
            ("[1 2]", 3),
            ("[01]", 3),
            ("[1.]", 3),
            ("[1e]", 3),
            ("[+1]", 1),
            ("\"a\u{1}\"", 2),
            ("\"\\x\"", 1),
            ("tru", 0),
            ("{} {}", 3),
            ("{'a':1}", 1),
        ];
        for (text, place) in rows {
            match skip(text) {
                Err(Fault::Malformed { at, .. }) => assert_eq!(at, place, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        let deep = "[".repeat(17) + &"]".repeat(17);
        assert!(matches!(skip(&deep), Err(Fault::Malformed { .. })));
        assert!(matches!(skip("{\"a\":1,\"a\":2}"), Err(Fault::Violation(_))));
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_fraction_of_nothing() {
        let read = |text| Scanner::new(text).integer();
        for (text, number) in [("2", 2), ("-7.0", -7), ("4900.000", 4900), ("-0", 0)] {
            assert_eq!(read(text), Ok(number), "{text}");
        }
        for text in ["2.5", "2.01", "1e2", "1.0e1", "\"2\"", "true"] {
            assert_eq!(read(text), Err(Fault::violation("must be a whole number")), "{text}");
        }
        let out_of_range = Err(Fault::violation("is out of range"));
        assert_eq!(read("9223372036854775808.0"), out_of_range);
    }

    proptest! {
        #[test]
        fn scanner_and_serde_json_take_the_same_documents(
            text in r#"[\[\]{}",:0-9a\\u. eE+-]{0,12}"#
        ) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let ours = match skip(&text) {
                Ok(()) => true,
                Err(Fault::Malformed { .. }) => false,
                // Doubled names, which theirs takes.
                Err(Fault::Violation(_)) => return Ok(()),
            };
            // Numbers beyond f64 are theirs to refuse when a value is built.
            prop_assert!(ours == theirs || (ours && text.contains(['e', 'E'])), "{}", text);
        }
    }
}
