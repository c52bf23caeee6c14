//! The text of the checkout, in memory: what every rule reads.
//!
//! Paths are relative to the top and use `/`. Holds only text that rules look at: sources,
//! manifests, clippy files, documents. Skips what is built, fetched or git's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Folders that hold nothing of ours.
const FOREIGN: &[&str] = &["target", ".git", ".venv", "node_modules", "results"];

#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    pub(super) fn load(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.load_folder(root, "")?;
        Ok(tree)
    }

    fn load_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let entries =
            fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().with_context(|| format!("cannot look at {path}"))?;
            if kind.is_dir() {
                if !FOREIGN.contains(&name.as_str()) {
                    self.load_folder(&entry.path(), &format!("{path}/"))?;
                }
            } else if kind.is_file() && of_interest(&name) {
                let text = fs::read_to_string(entry.path())
                    .with_context(|| format!("cannot read {path}: is it text?"))?;
                self.files.insert(path, text);
            }
        }
        Ok(())
    }

    pub(super) fn files_count(&self) -> usize {
        self.files.len()
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Every file whose name ends so, in order.
    pub(super) fn ending<'a>(
        &'a self,
        suffix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        all.filter(move |(path, _)| path.ends_with(suffix))
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending(".rs")
    }

    pub(super) fn manifests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending("Cargo.toml")
    }

    /// A folder counts as present when a file we read lies in it.
    pub(super) fn has_path(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.contains_key(path)
            || self
                .files
                .range(folder.clone()..)
                .next()
                .is_some_and(|(p, _)| p.starts_with(&folder))
    }
}

fn of_interest(name: &str) -> bool {
    const ENDINGS: &[&str] = &[".rs", ".toml", ".md", ".sh", ".py", ".txt", ".yml"];
    let bare = ["LICENSE-MIT", "LICENSE-APACHE", "Cargo.lock", "run"];
    ENDINGS.iter().any(|ending| name.ends_with(ending)) || bare.contains(&name)
}

#[cfg(test)]
impl Tree {
    /// A tree for a test, written where it is used.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Self { files: files.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_our_text_and_nothing_that_is_built() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["a/src", "target/debug", ".git", "claw-ebpf/target"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        for file in ["a/src/lib.rs", "target/debug/x.rs", ".git/x.md", "claw-ebpf/target/y.rs"] {
            fs::write(root.path().join(file), "//! Text.\n").unwrap();
        }
        fs::write(root.path().join("a/picture.bin"), [0xff, 0xfe]).unwrap();
        let tree = Tree::load(root.path()).unwrap();
        assert_eq!(tree.files_count(), 1);
        assert_eq!(tree.text("a/src/lib.rs"), Some("//! Text.\n"));
        assert!(tree.has_path("a/src"));
        assert!(tree.has_path("a"));
        assert!(!tree.has_path("a/sr"));
    }

    #[test]
    fn file_that_is_not_text_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("bad.rs"), [0xff, 0xfe]).unwrap();
        let error = Tree::load(root.path()).unwrap_err().to_string();
        assert!(error.contains("bad.rs"), "{error}");
    }
}
