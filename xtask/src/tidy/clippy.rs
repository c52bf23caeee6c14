//! A nested clippy file replaces the root's, it does not add to it: a forgotten key is silently
//! lost. So each must repeat all of the root's.

use toml::{Table, Value};

use super::{Finding, Tree};

const ROOT: &str = ".clippy.toml";

pub(super) fn nested(tree: &Tree) -> Vec<Finding> {
    let parse = |text: &str| text.parse::<Table>().ok();
    let Some(root) = tree.text(ROOT).and_then(parse) else {
        return vec![Finding::error(
            ROOT,
            0,
            "the root's clippy file is missing or does not parse",
        )];
    };
    let mut findings = Vec::new();
    for (path, text) in tree.ending("clippy.toml").filter(|(path, _)| *path != ROOT) {
        let Some(own) = parse(text) else {
            findings.push(Finding::error(path, 0, "does not parse as TOML"));
            continue;
        };
        for (key, wanted) in &root {
            if !own.get(key).is_some_and(|value| repeats(value, wanted)) {
                let what = format!("`{key}` does not repeat the root's: this file replaces it");
                findings.push(Finding::error(path, 0, what));
            }
        }
    }
    findings
}

/// A list may hold more; anything else must be the same.
fn repeats(own: &Value, wanted: &Value) -> bool {
    match (own, wanted) {
        (Value::Array(own), Value::Array(wanted)) => wanted.iter().all(|one| own.contains(one)),
        _ => own == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT_TEXT: &str = "lines = 70\nbans = [{ path = \"a\" }]\n";

    fn found(own: &str) -> usize {
        nested(&Tree::of(&[(ROOT, ROOT_TEXT), ("core/.clippy.toml", own)])).len()
    }

    #[test]
    fn nested_file_that_loses_a_key_or_a_ban_is_found() {
        assert_eq!(found("lines = 70\n"), 1);
        assert_eq!(found("lines = 80\nbans = [{ path = \"a\" }]\n"), 1);
        assert_eq!(found("lines = 70\nbans = [{ path = \"b\" }]\n"), 1);
    }

    #[test]
    fn nested_file_may_ban_more() {
        assert_eq!(found("lines = 70\nbans = [{ path = \"b\" }, { path = \"a\" }]\nmore = 1\n"), 0);
    }
}
