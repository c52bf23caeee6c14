//! Every source file is part of some crate.
//!
//! A file nobody declares is never compiled, so it can say anything. Follows `mod name;` from the
//! crate roots, as the compiler does. Inline modules that declare files are not used in this
//! house, and not followed.

use std::collections::BTreeSet;

use super::{Finding, Tree};

pub(super) fn reachable(tree: &Tree) -> Vec<Finding> {
    let mut reached = BTreeSet::new();
    for (manifest, text) in tree.manifests() {
        let package = manifest.trim_end_matches("Cargo.toml");
        for root in roots(tree, package, text) {
            follow(tree, &root, &folder_of_root(&root), &mut reached);
        }
    }
    tree.sources()
        .filter(|(path, _)| !reached.contains(*path))
        .map(|(path, _)| {
            Finding::error(path, 0, "no `mod` declares this file: declare or remove it")
        })
        .collect()
}

/// The targets cargo finds by itself, and those the manifest names.
fn roots(tree: &Tree, package: &str, manifest: &str) -> Vec<String> {
    let mut roots: Vec<String> = ["src/lib.rs", "src/main.rs", "build.rs"]
        .iter()
        .map(|at| format!("{package}{at}"))
        .collect();
    for folder in ["src/bin/", "tests/", "benches/", "examples/"] {
        let folder = format!("{package}{folder}");
        let targets = tree.sources().map(|(path, _)| path).filter(|path| {
            path.strip_prefix(&folder)
                .is_some_and(|rest| !rest.contains('/') || rest.ends_with("/main.rs"))
        });
        roots.extend(targets.map(str::to_owned));
    }
    let named = manifest.lines().filter_map(|line| line.trim().strip_prefix("path = \""));
    let named = named.filter_map(|rest| rest.strip_suffix(".rs\""));
    roots.extend(named.map(|path| format!("{package}{path}.rs")));
    roots.retain(|root| tree.text(root).is_some());
    roots
}

/// A root's modules lie beside it, whatever it is called.
fn folder_of_root(path: &str) -> String {
    path.rfind('/').map_or_else(String::new, |slash| path[..=slash].to_owned())
}

fn follow(tree: &Tree, path: &str, folder: &str, reached: &mut BTreeSet<String>) {
    let Some(text) = tree.text(path) else { return };
    if !reached.insert(path.to_owned()) {
        return;
    }
    let mut moved = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            moved = rest.strip_suffix("\"]");
        } else if let Some(name) = declared(line) {
            if let Some(to) = moved.take() {
                let to = format!("{}{to}", folder_of_root(path));
                follow(tree, &to, &folder_of_root(&to), reached);
                continue;
            }
            let inside = format!("{folder}{name}/");
            follow(tree, &format!("{folder}{name}.rs"), &inside, reached);
            follow(tree, &format!("{inside}mod.rs"), &inside, reached);
        }
    }
}

/// `pub(crate) mod name;` declares `name`.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub").map_or(line, |rest| {
        rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest)
    });
    line.trim_start().strip_prefix("mod ")?.strip_suffix(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undeclared_file_is_found() {
        let tree = Tree::of(&[
            ("a/Cargo.toml", "[package]\n"),
            ("a/src/lib.rs", "pub mod log;\npub(crate) mod ring;\n"),
            ("a/src/log/mod.rs", "mod block;\n#[cfg(test)]\nmod tests;\n"),
            ("a/src/log/block.rs", ""),
            ("a/src/log/tests.rs", ""),
            ("a/src/log/old_block.rs", ""),
            ("a/src/ring.rs", "mod entry;\n"),
            ("a/src/ring/entry.rs", ""),
            ("a/tests/whole.rs", "mod common;\n"),
            ("a/tests/common/mod.rs", ""),
            ("a/build.rs", ""),
        ]);
        let paths: Vec<_> = reachable(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["a/src/log/old_block.rs"]);
    }

    #[test]
    fn named_targets_and_moved_modules_are_followed() {
        let tree = Tree::of(&[
            ("a/Cargo.toml", "[[bin]]\nname = \"x\"\npath = \"src/x.rs\"\n"),
            ("a/src/x.rs", "#[path = \"other/y.rs\"]\nmod y;\n"),
            ("a/src/other/y.rs", ""),
        ]);
        assert_eq!(reachable(&tree), []);
    }
}
