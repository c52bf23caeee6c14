//! Names for generated types and members: taken once each, and words of no language.

use std::collections::BTreeSet;

/// Words that Rust keeps for itself.
const RUST_KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Names already given.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub(super) fn with(taken: &[&str]) -> Self {
        Self(taken.iter().map(|name| (*name).to_owned()).collect())
    }

    /// `wish`, or the first of `wish2`, `wish3` ... that is free.
    pub(super) fn take(&mut self, wish: &str) -> String {
        let mut name = wish.to_owned();
        let mut number = 1;
        while !self.0.insert(name.clone()) {
            number += 1;
            name = format!("{wish}{number}");
        }
        name
    }
}

/// Words joined by capitals: `gift-wrapped` is `GiftWrapped`.
pub(super) fn pascal(text: &str) -> String {
    let mut out = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

/// Lower-case words joined by `_`, and no word of Rust: `giftMessage` is `gift_message`.
pub(super) fn snake(text: &str) -> String {
    let mut out = String::new();
    let mut small = false;
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            if small && character.is_ascii_uppercase() {
                out.push('_');
            }
            small = !character.is_ascii_uppercase();
            out.push(character.to_ascii_lowercase());
        } else {
            out.push('_');
            small = false;
        }
    }
    if RUST_KEYWORDS.contains(&out.as_str()) { format!("{out}_") } else { out }
}

/// Names for the values of an enum, when each makes one of its own.
pub(super) fn variants(values: &[String]) -> Option<Vec<String>> {
    let names: Vec<_> = values
        .iter()
        .map(|value| {
            let name = pascal(value);
            let digit = name.starts_with(|first: char| first.is_ascii_digit());
            if digit { format!("V{name}") } else { name }
        })
        .collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    let well = distinct.len() == names.len()
        && names.iter().all(|name| !name.is_empty() && name != "Self");
    well.then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_of_their_language_and_given_once() {
        let mut names = Names::with(&["Money"]);
        assert_eq!(names.take("Money"), "Money2");
        assert_eq!((names.take("A"), names.take("A")), ("A".to_owned(), "A2".to_owned()));
        assert_eq!(pascal("gift-wrapped.box_2"), "GiftWrappedBox2");
        assert_eq!(snake("giftMessage-x"), "gift_message_x");
        assert_eq!((snake("type"), snake("HTTPCode")), ("type_".to_owned(), "httpcode".to_owned()));
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(variants(&texts(&["38", "x-l"])), Some(texts(&["V38", "XL"])));
        assert_eq!(variants(&texts(&["x-l", "xL"])), None, "two values, one name");
        assert_eq!(variants(&texts(&["+"])), None);
    }
}
