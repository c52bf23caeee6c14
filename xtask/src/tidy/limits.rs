//! A limit nobody checks is a wish: every constant of `claw_common::limits` is used somewhere.

use super::text::split_words;
use super::{Finding, Tree};

const LIMITS: &str = "claw-common/src/limits.rs";

/// A use is a word outside the file, or in the definition of another limit. The proofs at the end
/// of the file are no use: they relate limits, they do not apply them.
pub(super) fn used(tree: &Tree) -> Vec<Finding> {
    let Some(limits) = tree.text(LIMITS) else { return Vec::new() };
    let mut findings = Vec::new();
    for (index, line) in limits.lines().enumerate() {
        let Some(name) = defined(line) else { continue };
        let elsewhere = tree
            .sources()
            .filter(|(path, _)| *path != LIMITS)
            .flat_map(|(_, text)| text.lines())
            .filter(|line| !line.trim_start().starts_with("//"));
        let definitions =
            limits.lines().filter(|line| defined(line).is_some_and(|own| own != name));
        if !elsewhere.chain(definitions).flat_map(split_words).any(|word| word == name) {
            let what = format!("`{name}` is used nowhere: apply it or remove it");
            findings.push(Finding::error(LIMITS, index + 1, what));
        }
    }
    findings
}

fn defined(line: &str) -> Option<&str> {
    line.strip_prefix("pub const ")?.split(':').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_that_nothing_applies_is_found() {
        let limits = "pub const LINES_MAX: usize = 4;\n\
                      pub const BYTES_MAX: usize = LINES_MAX * 2;\n\
                      pub const LONE_MAX: usize = 1;\nconst _: () = assert!(LONE_MAX > 0);\n";
        let tree = Tree::of(&[
            (LIMITS, limits),
            ("a.rs", "// LONE_MAX is not used here.\nfn a() { limits::BYTES_MAX }\n"),
        ]);
        let found = used(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 3);
    }
}
