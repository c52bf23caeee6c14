//! Who may know whom.
//!
//! The subsystems of the shell never import each other; they meet in `node`, through effects. The
//! layers of the shell point down. The core asks the world for nothing. Direction between packages
//! is [`super::manifests`]': without the dependency there is nothing to import.

use super::paths::{from_root, named};
use super::{Finding, Tree};

const SHELL: &str = "claw-dataplane/src/";
const CORE: &str = "claw-dataplane/core/src/";

/// Each meets the others in `node` only.
const SUBSYSTEMS: &[&str] = &[
    "archive",
    "bridge",
    "cluster",
    "fraud",
    "functions",
    "ingest",
    "log",
    "sessions",
    "subjects",
    "telemetry",
    "vault",
];

/// From the top down: a module may import from rows below its own. What stands in one row does not
/// know its neighbours.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["runtime", "simulate", "console", "doctor", "gateway", "demo_store"],
    &["node"],
    SUBSYSTEMS,
    &["ring"],
    &["buffer"],
    &["config"],
];

/// What an upper layer lends to those below: its words, none of which starts a thread or knows the
/// layers between.
const LENT: &[(&str, &str)] = &[
    ("runtime", "fatal"),     // how any part stops the whole node
    ("runtime", "mesh"),      // the ends through which cores talk
    ("runtime", "placement"), // which core has which shard
];

/// What would let the outside into the core. The traits of `std::io` are not here: writing into a
/// slice is no input and no output.
const WORLD: &[&str] = &["env", "fs", "net", "os", "process", "thread", "time"];
const WORLD_OF_IO: &[&str] = &["stderr", "stdin", "stdout"];

pub(super) fn subsystems(tree: &Tree) -> Vec<Finding> {
    imports(tree)
        .into_iter()
        .filter(|import| SUBSYSTEMS.contains(&import.source.as_str()))
        .filter(|import| SUBSYSTEMS.contains(&import.target.as_str()))
        .map(|Import { path, line, source, target }| {
            let what = format!(
                "subsystem `{source}` imports `{target}`: let them meet in node/, through an effect"
            );
            Finding::error(&path, line, what)
        })
        .collect()
}

pub(super) fn layers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Import { path, line, source, target } in imports(tree) {
        match (layer(&source), layer(&target)) {
            (Some(from), Some(to)) if from > to => {
                let what =
                    format!("`{source}` imports `{target}`, which lies above it: turn it round");
                findings.push(Finding::error(&path, line, what));
            }
            (Some(from), Some(to)) if from == to && !SUBSYSTEMS.contains(&source.as_str()) => {
                let what =
                    format!("`{source}` imports its neighbour `{target}`: meet below or above");
                findings.push(Finding::error(&path, line, what));
            }
            _ => {}
        }
    }
    for (path, _) in tree.sources() {
        let Some(top) = path.strip_prefix(SHELL).map(top_module) else { continue };
        if !["lib", "main"].contains(&top) && layer(top).is_none() {
            let what = format!(
                "`{top}` has no layer: give it one in xtask/src/tidy/fences.rs and in \
                 docs/ARCHITECTURE.md"
            );
            findings.push(Finding::error(path, 0, what));
        }
    }
    findings
}

pub(super) fn purity(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.sources().filter(|(path, _)| path.starts_with(CORE)) {
        for one in named(text) {
            let [first, second, rest @ ..] = one.segments.as_slice() else { continue };
            let io =
                second == "io" && rest.first().is_some_and(|one| WORLD_OF_IO.contains(&&**one));
            if first == "std" && (io || WORLD.contains(&second.as_str())) {
                let what = format!(
                    "the core names `std::{second}`: what it needs of the world enters as input"
                );
                findings.push(Finding::error(path, one.line, what));
            }
        }
    }
    findings
}

struct Import {
    path: String,
    line: usize,
    source: String,
    target: String,
}

/// Every path in the shell that leads from one top module to another, what is lent excepted.
fn imports(tree: &Tree) -> Vec<Import> {
    let mut imports = Vec::new();
    for (path, text) in tree.sources() {
        let Some(inside) = path.strip_prefix(SHELL) else { continue };
        let source = top_module(inside);
        for one in named(text) {
            let from_root = from_root(&one.segments, depth(inside)).unwrap_or_default();
            let Some(target) = from_root.first() else { continue };
            let part = from_root.get(1).map_or("", String::as_str);
            if target != source && !LENT.contains(&(target.as_str(), part)) {
                imports.push(Import {
                    path: path.to_owned(),
                    line: one.line,
                    source: source.to_owned(),
                    target: target.clone(),
                });
            }
        }
    }
    imports
}

fn top_module(inside: &str) -> &str {
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

/// How deep the file's module lies under the crate's root.
fn depth(inside: &str) -> usize {
    let parts = inside.split('/').count();
    if inside.ends_with("/mod.rs") { parts - 1 } else { parts }
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(inside: &str, text: &str) -> Tree {
        Tree::of(&[(&format!("{SHELL}{inside}"), text)])
    }

    #[test]
    fn subsystem_that_imports_another_is_found_however_it_is_written() {
        for text in [
            "use crate::log::Writer;",
            "use crate::{buffer::Slot, log::Writer};",
            "use super::super::log;",
            "fn a() { crate::log::open() }",
        ] {
            let found = subsystems(&shell("ingest/reply.rs", text));
            assert_eq!(found.len(), 1, "{text}");
        }
    }

    #[test]
    fn subsystem_may_use_itself_and_what_lies_below() {
        let text = "use crate::ingest::Head;\nuse crate::buffer::Slot;\nuse super::log_line;\n";
        let tree = shell("ingest/reply.rs", text);
        assert_eq!(subsystems(&tree), []);
        assert_eq!(layers(&tree), []);
    }

    #[test]
    fn layers_point_down() {
        assert_eq!(layers(&shell("buffer/mod.rs", "use crate::node::Shard;")).len(), 1);
        assert_eq!(layers(&shell("node/mod.rs", "use super::runtime::Core;")).len(), 1);
        assert_eq!(layers(&shell("simulate/mod.rs", "use crate::runtime::boot;")).len(), 1);
        assert_eq!(layers(&shell("cli/node.rs", "use crate::runtime::boot;")), []);
    }

    #[test]
    fn only_what_is_lent_may_be_used_from_above() {
        assert_eq!(layers(&shell("node/mod.rs", "use crate::runtime::fatal::fatal;")), []);
        assert_eq!(layers(&shell("node/mod.rs", "use crate::runtime::{boot, fatal};")).len(), 1);
    }

    #[test]
    fn module_without_a_layer_is_found() {
        assert_eq!(layers(&shell("helpers.rs", "")).len(), 1);
        assert_eq!(layers(&shell("lib.rs", "")), []);
    }

    #[test]
    fn core_that_asks_the_world_is_found() {
        let core = |text: &str| Tree::of(&[("claw-dataplane/core/src/cart/mod.rs", text)]);
        for text in [
            "use std::fs;",
            "use std::{collections::BTreeMap, time::Instant};",
            "std::thread::sleep(x)",
            "use std::io::{Write as _, stdout};",
        ] {
            assert_eq!(purity(&core(text)).len(), 1, "{text}");
        }
        for text in ["use core::time::Duration;", "use std::{collections::BTreeMap, io::Write};"] {
            assert_eq!(purity(&core(text)), [], "{text}");
        }
        assert_eq!(purity(&shell("log/mod.rs", "use std::fs;")), []);
    }
}
