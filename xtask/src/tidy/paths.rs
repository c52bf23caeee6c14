//! The paths a source file names: `use` trees spread out, and paths written in place.
//!
//! A small reader of tokens, enough for formatted Rust: comments, strings and characters are
//! blanked first, so that only code is read. Deliberately knows no types and resolves no names
//! beyond `crate` and `super`.

/// A path as written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub line: usize,
    pub segments: Vec<String>,
}

/// Every path in `text` that has at least two segments.
pub(super) fn named(text: &str) -> Vec<Named> {
    let code = blank(text);
    let tokens = tokens(&code);
    let mut reader = Reader { tokens: &tokens, at: 0, found: Vec::new() };
    while let Some(token) = reader.next() {
        match token.kind {
            Kind::Word("use") => reader.tree(&[]),
            Kind::Word(word) => {
                let mut segments = vec![word.to_owned()];
                while reader.take(Kind::Separator) {
                    let Some(Token { kind: Kind::Word(next), .. }) = reader.peek() else { break };
                    segments.push(next.to_owned());
                    reader.at += 1;
                }
                reader.emit(token.line, segments);
            }
            _ => {}
        }
    }
    reader.found
}

/// The path from the crate's root, where that can be told from the text alone.
///
/// `depth` is how deep the file's module lies under the root: 1 for `log/mod.rs`. An inline module
/// in the file adds one, so a longer chain of `super` is taken to end at the root as well.
pub(super) fn from_root(segments: &[String], depth: usize) -> Option<&[String]> {
    let supers = segments.iter().take_while(|segment| *segment == "super").count();
    match segments.first()?.as_str() {
        "crate" => segments.get(1..),
        "super" if supers >= depth => segments.get(supers..),
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind<'a> {
    Close,
    Comma,
    Open,
    Other,
    Separator,
    Star,
    Word(&'a str),
}

#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    kind: Kind<'a>,
    line: usize,
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    found: Vec<Named>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn take(&mut self, kind: Kind<'_>) -> bool {
        let found = self.peek().is_some_and(|token| token.kind == kind);
        self.at += usize::from(found);
        found
    }

    fn emit(&mut self, line: usize, segments: Vec<String>) {
        if segments.len() > 1 {
            self.found.push(Named { line, segments });
        }
    }

    /// One branch of a `use` tree: `a::b`, `a::{b, c::d}`, `a::*`, `a as b`.
    fn tree(&mut self, prefix: &[String]) {
        let mut segments = prefix.to_vec();
        let line = self.peek().map_or(0, |token| token.line);
        self.take(Kind::Separator);
        loop {
            match self.peek().map(|token| token.kind) {
                Some(Kind::Word(word)) => {
                    self.at += 1;
                    segments.push(word.to_owned());
                }
                Some(Kind::Star) => {
                    self.at += 1;
                    segments.push("*".to_owned());
                }
                Some(Kind::Open) => {
                    self.at += 1;
                    while !self.take(Kind::Close) && self.peek().is_some() {
                        self.tree(&segments);
                        self.take(Kind::Comma);
                    }
                    return;
                }
                _ => {
                    // Not a tree at all (`use<'a>`): step over it, or reading would not end.
                    self.at += usize::from(!matches!(
                        self.peek().map(|token| token.kind),
                        Some(Kind::Close | Kind::Comma)
                    ));
                    break;
                }
            }
            if !self.take(Kind::Separator) {
                break;
            }
        }
        if self.take(Kind::Word("as")) {
            self.at += 1;
        }
        self.emit(line, segments);
    }
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let line = index + 1;
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let word_end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
            let (kind, length) = match (first, word_end) {
                (_, None) => (Some(Kind::Word(rest)), rest.len()),
                (_, Some(end)) if end > 0 => (Some(Kind::Word(&rest[..end])), end),
                (':', _) if rest.starts_with("::") => (Some(Kind::Separator), 2),
                ('{', _) => (Some(Kind::Open), 1),
                ('}', _) => (Some(Kind::Close), 1),
                (',', _) => (Some(Kind::Comma), 1),
                ('*', _) => (Some(Kind::Star), 1),
                (space, _) if space.is_whitespace() => (None, space.len_utf8()),
                (other, _) => (Some(Kind::Other), other.len_utf8()),
            };
            tokens.extend(kind.map(|kind| Token { kind, line }));
            rest = &rest[length..];
        }
    }
    tokens
}

/// Replace comments, strings and characters by spaces; line ends stay.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = foreign_length(rest);
        let (taken, keep) = if length > 0 { (length, false) } else { (first.len_utf8(), true) };
        let (head, tail) = rest.split_at(taken);
        if keep {
            code.push_str(head);
        } else {
            code.extend(head.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        }
        // A word goes over whole: the `r` that ends one does not start a raw string.
        let word = tail.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let word = if keep && (first.is_alphanumeric() || first == '_') {
            word.unwrap_or(tail.len())
        } else {
            0
        };
        code.push_str(&tail[..word]);
        rest = &tail[word..];
    }
    code
}

/// How many bytes at the start of `text` are not code.
fn foreign_length(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |end| end + 2);
    }
    let prefix = text.len() - text.trim_start_matches(['b', 'c']).len();
    let plain = if prefix <= 1 { &text[prefix..] } else { text };
    if let Some(raw) = plain.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let start = text.len() - raw.len() + hashes + 1;
            return text[start..].find(&close).map_or(text.len(), |end| start + end + close.len());
        }
    }
    if plain.starts_with('"') {
        let start = text.len() - plain.len() + 1;
        return start + quoted_length(&text[start..], '"');
    }
    if let Some(inside) = text.strip_prefix('\'') {
        let mut letters = inside.char_indices();
        let (_, first) = letters.next().unwrap_or((0, ' '));
        let closed = letters.next().is_some_and(|(_, second)| second == '\'');
        // Otherwise it is a lifetime, which is code.
        if first == '\\' || closed {
            return 1 + quoted_length(inside, '\'');
        }
    }
    0
}

/// Up to and with the closing mark.
fn quoted_length(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (index, letter) in text.char_indices() {
        if letter == mark && !escaped {
            return index + 1;
        }
        escaped = letter == '\\' && !escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        named(text).into_iter().map(|one| one.segments.join("::")).collect()
    }

    #[test]
    fn use_trees_are_spread_out() {
        assert_eq!(
            paths("use crate::{log::Block, ring::{self, Entry as E}, node::*};\nuse std::fs;"),
            [
                "crate::log::Block",
                "crate::ring::self",
                "crate::ring::Entry",
                "crate::node::*",
                "std::fs"
            ]
        );
    }

    #[test]
    fn paths_in_place_are_read_with_their_line() {
        let found = named("fn a() {\n    crate::log::open(std::fs::File::open(x));\n}\n");
        assert_eq!(
            found[0],
            Named { line: 2, segments: ["crate", "log", "open"].map(String::from).into() }
        );
        assert_eq!(found[1].segments, ["std", "fs", "File", "open"]);
    }

    #[test]
    fn comments_strings_and_characters_are_not_code() {
        let text = "// crate::a\n/* crate::b */ \"crate::c \\\" crate::d\" \
                    r#\"crate::\"e\"# b'\\'' '{' \
                    &'a crate::f";
        assert_eq!(paths(text), ["crate::f"]);
        assert_eq!(paths("let for_r = \"crate::x\"; crate::y"), ["crate::y"]);
    }

    #[test]
    fn precise_capturing_does_not_confuse_the_reader() {
        assert_eq!(paths("fn a() -> impl Sized + use<'_, T> {}\nuse a::b;"), ["a::b"]);
    }

    #[test]
    fn supers_reach_the_root_at_the_files_depth() {
        let segments = |text: &str| text.split("::").map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(from_root(&segments("crate::log::Block"), 2).unwrap(), ["log", "Block"]);
        assert_eq!(from_root(&segments("super::super::log"), 2).unwrap(), ["log"]);
        assert_eq!(from_root(&segments("super::log"), 2), None);
        assert_eq!(from_root(&segments("std::fs"), 1), None);
    }
}
