//! `cargo xtask tidy`: the rules of the house that no compiler knows, checked in a second.
//!
//! A rule is a function from the [`Tree`] to findings, one module per kind of rule:
//!
//! | module      | rule |
//! |-------------|------|
//! | `text`      | `//!` on every file, left-over words, 100 columns, plain ASCII |
//! | `size`      | files stay small: a look at 500 lines, the end at 800 |
//! | `modules`   | every file is reached from a crate root |
//! | `fences`    | subsystems do not import each other, layers point down, the core is pure |
//! | `manifests` | lints and versions come from the workspace, packages point one way |
//! | `clippy`    | a nested clippy file repeats the root's |
//! | `limits`    | every limit is used |
//! | `documents` | links resolve, shown commands exist, promises name real tests |
//!
//! A finding says where and what to do. Notes are printed and fail nothing. Reads text, not syntax
//! trees: the sources are formatted, so lines mean what they look like, and a parser would be the
//! largest dependency here. Deliberately changes no file.

mod clippy;
mod documents;
mod fences;
mod limits;
mod manifests;
mod modules;
mod paths;
mod size;
mod text;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::process::talk;
use crate::workspace;
use tree::Tree;

/// Check the rules of the house: fences, sizes, limits, documents.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask tidy")]
pub(crate) struct TidyArgs {}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// Counted from 1; 0 is the whole file.
    line: usize,
    weight: Weight,
    what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Error,
    Note,
}

impl Finding {
    fn error(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, weight: Weight::Error, what: what.into() }
    }

    fn note(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, weight: Weight::Note, what: what.into() }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    text::header,
    text::words,
    text::columns,
    text::ascii,
    size::files,
    modules::reachable,
    fences::subsystems,
    fences::layers,
    fences::purity,
    manifests::lints,
    manifests::versions,
    manifests::direction,
    clippy::nested,
    limits::used,
    documents::links,
    documents::commands,
    documents::promises,
    documents::map_size,
];

pub(crate) fn run(_: &TidyArgs) -> Result<ExitCode> {
    check()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn check() -> Result<()> {
    let tree = Tree::load(&workspace::root())?;
    let mut findings: Vec<_> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    findings.dedup();
    for Finding { path, line, weight, what } in &findings {
        let kind = match weight {
            Weight::Error => "error",
            Weight::Note => "note",
        };
        talk(format_args!("{path}:{line}: {kind}: {what}"));
    }
    let errors_count = findings.iter().filter(|one| one.weight == Weight::Error).count();
    talk(format_args!("tidy: {} files, {errors_count} errors", tree.files_count()));
    if errors_count == 0 { Ok(()) } else { bail!("tidy: mend the {errors_count} errors above") }
}
