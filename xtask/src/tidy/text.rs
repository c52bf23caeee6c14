//! Rules about the text itself: the essay on top, left-over words, width, plain ASCII.

use super::size::of_tests;
use super::{Finding, Tree};

/// Words that mark work left undone. Spelled in halves, so that this file passes its own rule.
const LEFT_OVER: &[&str] =
    &[concat!("FIX", "ME"), concat!("X", "XX"), concat!("HA", "CK"), concat!("TO", "DO")];

const COLUMNS_MAX: usize = 100;

pub(super) fn header(tree: &Tree) -> Vec<Finding> {
    tree.sources()
        .filter(|(_, text)| !text.trim_start_matches("#!").trim_start().starts_with("//!"))
        .map(|(path, _)| {
            Finding::error(
                path,
                1,
                "start the file with `//!`: what it owns, why, and what it does not do",
            )
        })
        .collect()
}

pub(super) fn words(tree: &Tree) -> Vec<Finding> {
    each_line(tree, |line| {
        let left = split_words(line).find(|word| LEFT_OVER.contains(word))?;
        Some(format!("`{left}` is a left-over: do it, or write it down where work is planned"))
    })
}

pub(super) fn columns(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.sources().chain(tree.ending(".toml")) {
        let mut table_indent = None;
        for (index, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if line.trim() == "#[rustfmt::skip]" {
                table_indent = Some(indent);
            } else if table_indent == Some(indent) && line.trim_start().starts_with([']', '}', ')'])
            {
                table_indent = None;
            }
            // What cannot be broken, or reads best whole: an address, a row of a table, a sentence
            // somebody will search for as it was shown.
            let row = table_indent.is_some()
                || (of_tests(path) && line.contains('"'))
                || line.contains(" = { ")
                || line.trim_end_matches([',', ';', ')']).ends_with('"');
            let count = line.chars().count();
            if count > COLUMNS_MAX && !row && !line.contains("://") {
                let what = format!("{count} columns: break the line at {COLUMNS_MAX}");
                findings.push(Finding::error(path, index + 1, what));
            }
        }
    }
    findings
}

pub(super) fn ascii(tree: &Tree) -> Vec<Finding> {
    each_line(tree, |line| {
        let letter = line.chars().find(|letter| !letter.is_ascii())?;
        let escape = letter.escape_unicode();
        Some(format!("`{letter}` is not ASCII: write it in words, or as `{escape}` in a string"))
    })
}

fn each_line(tree: &Tree, judge: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.sources().chain(tree.ending(".toml")) {
        for (index, line) in text.lines().enumerate() {
            findings.extend(judge(line).map(|what| Finding::error(path, index + 1, what)));
        }
    }
    findings
}

/// Words as a programmer sees them: letters, digits and underscores.
pub(super) fn split_words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_without_essay_is_found() {
        let tree = Tree::of(&[("a.rs", "fn main() {}\n"), ("b.rs", "//! Owns b.\n")]);
        assert_eq!(header(&tree)[0].path, "a.rs");
        assert_eq!(header(&tree).len(), 1);
    }

    #[test]
    fn left_over_words_are_found_whole_and_in_capitals() {
        for word in LEFT_OVER {
            let text = format!("//! Owns a.\n// {word}: later\n");
            let found = words(&Tree::of(&[("a.rs", &text)]));
            assert_eq!(found.len(), 1, "{word}");
            assert_eq!(found[0].line, 2);
        }
        let innocent = format!("//! {}LOGY, {}\n", LEFT_OVER[3], LEFT_OVER[3].to_lowercase());
        assert_eq!(words(&Tree::of(&[("a.rs", &innocent)])), []);
    }

    #[test]
    fn wide_line_is_found_unless_it_holds_an_address() {
        let wide = "x".repeat(101);
        assert_eq!(columns(&Tree::of(&[("a.rs", &wide)])).len(), 1);
        assert_eq!(columns(&Tree::of(&[("a.rs", &wide[1..])])), []);
        assert_eq!(columns(&Tree::of(&[("a.rs", &format!("// https://{wide}"))])), []);
    }

    #[test]
    fn table_that_is_not_formatted_may_be_wide_until_it_ends() {
        let row = "x".repeat(101);
        let text = format!("#[rustfmt::skip]\nconst A: &[B] = &[\n    {row}\n];\n{row}\n");
        let found = columns(&Tree::of(&[("a.rs", &text)]));
        assert_eq!(found.iter().map(|one| one.line).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn shown_sentence_may_be_wide_but_a_comment_may_not() {
        let text = "x".repeat(101);
        assert_eq!(columns(&Tree::of(&[("a.rs", &format!("    \"{text}\","))])), []);
        assert_eq!(columns(&Tree::of(&[("a.toml", &format!("a = {{ b = \"{text}\" }}"))])), []);
        assert_eq!(columns(&Tree::of(&[("a.rs", &format!("// {text}"))])).len(), 1);
    }

    #[test]
    fn row_of_a_tests_table_may_be_wide_but_its_code_may_not() {
        let row = format!("    (\"{}\", 1),", "x".repeat(101));
        assert_eq!(columns(&Tree::of(&[("a/tests.rs", &row)])), []);
        assert_eq!(columns(&Tree::of(&[("a/table.rs", &row)])).len(), 1);
        assert_eq!(columns(&Tree::of(&[("a/tests.rs", &"x".repeat(101))])).len(), 1);
    }

    #[test]
    fn letters_beyond_ascii_are_found_in_sources_and_manifests() {
        assert_eq!(ascii(&Tree::of(&[("a.rs", "//! A caf\u{e9}.\n")])).len(), 1);
        assert_eq!(ascii(&Tree::of(&[("Cargo.toml", "# \u{2192}\n")])).len(), 1);
        assert_eq!(ascii(&Tree::of(&[("README.md", "caf\u{e9}\n")])), []);
    }
}
