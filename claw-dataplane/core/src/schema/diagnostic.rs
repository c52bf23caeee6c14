//! What is wrong with a schema, and exactly where.
//!
//! Turns byte offsets into lines and columns; does not decide what is wrong.

use core::cell::RefCell;
use core::fmt;
use core::ops::Range;

/// One file of a store's schema, as the shell read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFile {
    /// The name to show, relative to the store: `schema/store.toml`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A reason to refuse a schema. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The file's name as it was handed in.
    pub file: String,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
    /// What is wrong.
    pub reason: String,
    /// What to do about it, when that is known.
    pub suggestion: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.reason)?;
        self.suggestion.as_ref().map_or(Ok(()), |suggestion| write!(f, ": {suggestion}"))
    }
}

/// One file being read, and what was found in it so far.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) file: &'a SchemaFile,
    found: RefCell<Vec<Diagnostic>>,
}

impl<'a> Source<'a> {
    pub(super) const fn new(file: &'a SchemaFile) -> Self {
        Self { file, found: RefCell::new(Vec::new()) }
    }

    /// Notes a finding without advice.
    pub(super) fn refuse(&self, span: Range<usize>, reason: impl Into<String>) {
        self.note(span, reason.into(), None);
    }

    /// Notes a finding with what to do about it.
    pub(super) fn refuse_with(
        &self,
        span: Range<usize>,
        reason: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        self.note(span, reason.into(), Some(suggestion.into()));
    }

    fn note(&self, span: Range<usize>, reason: String, suggestion: Option<String>) {
        let (line, column) = line_and_column(&self.file.text, span.start);
        let file = self.file.name.clone();
        self.found.borrow_mut().push(Diagnostic { file, line, column, reason, suggestion });
    }

    pub(super) fn into_found(self) -> Vec<Diagnostic> {
        self.found.into_inner()
    }
}

fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    (small(line), small(column))
}

#[cfg(test)]
mod tests {
    use super::line_and_column;

    #[test]
    fn offsets_become_lines_and_columns_counted_from_one() {
        let text = "ab\n\u{e9}cd\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, 3), (2, 1));
        assert_eq!(line_and_column(text, 5), (2, 2), "columns count characters, not bytes");
        assert_eq!(line_and_column(text, 999), (3, 1));
    }
}
