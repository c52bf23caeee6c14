//! Documents that tell the truth: links resolve, shown commands exist, promises name real tests.

use std::collections::BTreeSet;

use clap::CommandFactory as _;

use super::{Finding, Tree};

const README: &str = "README.md";
const PROMISES: &str = "claw-dataplane/docs/SPECIFICATION.md";
const MAP: &str = "claw-dataplane/docs/ARCHITECTURE.md";
const MAP_LINES_MAX: usize = 300;

/// Every relative link in a document leads to something.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".md") {
        for (line, target) in lines(text, Part::Prose).flat_map(|(line, text)| {
            text.split("](").skip(1).filter_map(move |rest| Some((line, rest.split_once(')')?.0)))
        }) {
            let target = target.split('#').next().unwrap_or(target);
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !tree.has_path(&beside(path, target)) {
                let what = format!("the link to {target} leads nowhere: mend it");
                findings.push(Finding::error(path, line, what));
            }
        }
    }
    findings
}

/// Every command in the README's `sh` blocks is a verb of ours that exists.
pub(super) fn commands(tree: &Tree) -> Vec<Finding> {
    let cli = crate::Cli::command();
    let verbs: BTreeSet<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
    let mut findings = Vec::new();
    let text = tree.text(README).unwrap_or_default();
    for (line, text) in lines(text, Part::Shell) {
        let words: Vec<&str> = text.trim_start_matches("$ ").split_whitespace().collect();
        let missing = match words.as_slice() {
            ["cargo", "xtask", verb, ..] => {
                (!verbs.contains(verb)).then_some(("cargo xtask", verb))
            }
            [program, verb, ..] if program.rsplit('/').next() == Some("claw") => {
                let file = format!("claw-dataplane/src/cli/{}", verb.replace('-', "_"));
                let here = tree.has_path(&format!("{file}.rs")) || tree.has_path(&file);
                (!here).then_some(("claw", verb))
            }
            _ => None,
        };
        if let Some((program, verb)) = missing {
            let what = format!("`{program} {verb}` does not exist: show what does");
            findings.push(Finding::error(README, line, what));
        }
    }
    findings
}

/// Each promise has its own number, and tests that exist, or says that it is pending.
pub(super) fn promises(tree: &Tree) -> Vec<Finding> {
    let mut numbers = BTreeSet::new();
    let mut findings = Vec::new();
    let mut find = |line, what: String| findings.push(Finding::error(PROMISES, line, what));
    for (line, text) in lines(tree.text(PROMISES).unwrap_or_default(), Part::Prose) {
        let cells: Vec<&str> = text.trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, shown] = cells.as_slice() else { continue };
        if !is_number(number) {
            continue;
        }
        if !numbers.insert(*number) {
            find(line, format!("{number} is given twice: number it anew"));
        }
        let tests: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() && !shown.starts_with("pending") {
            find(line, format!("{number} names no test: name one, or write `pending`"));
        }
        for test in tests.into_iter().filter(|test| !has_test(tree, test)) {
            find(line, format!("{number} names {test}, which is not there: write path::test_name"));
        }
    }
    findings
}

pub(super) fn map_size(tree: &Tree) -> Vec<Finding> {
    let lines_count = tree.text(MAP).map_or(0, |text| text.lines().count());
    let what = format!("{lines_count} lines, at most {MAP_LINES_MAX}: link to the `//!` instead");
    (lines_count > MAP_LINES_MAX).then(|| Finding::error(MAP, 0, what)).into_iter().collect()
}

/// `3.2`: a section and a number in it.
fn is_number(cell: &str) -> bool {
    cell.split_once('.').is_some_and(|(section, number)| {
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits(section) && digits(number)
    })
}

/// `path/to/file.rs::test_name`.
fn has_test(tree: &Tree, test: &str) -> bool {
    let Some((path, name)) = test.split_once("::") else { return false };
    tree.text(path).is_some_and(|text| text.contains(&format!("fn {name}(")))
}

/// `target` as seen from the folder of the document at `path`.
fn beside(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Prose,
    Shell,
    Other,
}

/// The lines of one part of a document, counted from 1.
fn lines(text: &str, wanted: Part) -> impl Iterator<Item = (usize, &str)> {
    let mut part = Part::Prose;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            part = match (part, language) {
                (Part::Prose, "sh") => Part::Shell,
                (Part::Prose, _) => Part::Other,
                (Part::Shell | Part::Other, _) => Part::Prose,
            };
            return None;
        }
        (part == wanted).then_some((index + 1, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_that_leads_nowhere_is_found() {
        let text = "[a](src/lib.rs#L1) [b](https://x.y/z) [c](../README.md) [d](#here)\n\
                    ```\n[e](gone.rs)\n```\n[f](gone.rs)\n";
        let tree = Tree::of(&[("docs/a.md", text), ("docs/src/lib.rs", ""), (README, "")]);
        let found = links(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 5);
    }

    #[test]
    fn shown_command_that_does_not_exist_is_found() {
        let text = "```sh\ncargo xtask test --quick\ncargo xtask tset\nclaw init shop\n\
                    target/release/claw iint shop\ncurl x\n```\n```\ncargo xtask nothing\n```\n";
        let tree = Tree::of(&[(README, text), ("claw-dataplane/src/cli/init.rs", "")]);
        let lines: Vec<_> = commands(&tree).into_iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [3, 5]);
    }

    #[test]
    fn promise_names_a_test_that_exists_or_is_pending() {
        let text = "| no | promise | shown by |\n|---|---|---|\n\
                    | 1.1 | a | `a.rs::holds` |\n| 1.2 | b | pending: with the devices |\n\
                    | 1.3 | c | `a.rs::gone` |\n| 1.4 | d | |\n| 1.1 | e | pending |\n";
        let tree = Tree::of(&[(PROMISES, text), ("a.rs", "#[test]\nfn holds() {}\n")]);
        let lines: Vec<_> = promises(&tree).into_iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [5, 6, 7]);
    }

    #[test]
    fn map_that_became_a_book_is_found() {
        assert_eq!(map_size(&Tree::of(&[(MAP, &"x\n".repeat(300))])), []);
        assert_eq!(map_size(&Tree::of(&[(MAP, &"x\n".repeat(301))])).len(), 1);
    }
}
