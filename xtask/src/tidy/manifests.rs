//! Rules about manifests: one place for versions and lints, one direction between packages.

use toml::{Table, Value};

use super::{Finding, Tree};

/// What each package may depend on, of ours. Everything points left:
/// `claw-common <- claw-sdk, claw-core <- claw-dst <- claw-dataplane <- claw-tests, claw-bench`;
/// `claw-tests <- claw-fuzz`.
const DIRECTION: &[(&str, &[&str])] = &[
    ("claw-common", &[]),
    ("claw-ebpf", &["claw-common"]),
    ("claw-core", &["claw-common"]),
    ("claw-sdk", &["claw-common"]),
    ("claw-dst", &["claw-common", "claw-core", "claw-sdk"]),
    ("claw-dataplane", &["claw-common", "claw-core", "claw-dst", "claw-sdk"]),
    ("claw-tests", &["claw-common", "claw-core", "claw-dataplane", "claw-dst", "claw-sdk"]),
    ("claw-bench", &["claw-common", "claw-core", "claw-dataplane", "claw-dst", "claw-sdk"]),
    ("claw-fuzz", &["claw-tests"]),
    ("xtask", &[]),
];

pub(super) fn lints(tree: &Tree) -> Vec<Finding> {
    packages(tree)
        .into_iter()
        .filter(|package| !package.own_workspace)
        .filter(|package| {
            let asks = package.table.get("lints").and_then(|lints| lints.get("workspace"));
            asks.and_then(Value::as_bool) != Some(true)
        })
        .map(|package| Finding::error(&package.path, 0, "add `[lints] workspace = true`"))
        .collect()
}

pub(super) fn versions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages(tree).iter().filter(|package| !package.own_workspace) {
        for (name, wanted) in package.dependencies() {
            let shared = wanted.get("workspace").and_then(Value::as_bool) == Some(true);
            if !shared {
                let what = format!(
                    "`{name}` has its version here: write it in the workspace manifest and \
                     `{name}.workspace = true` here"
                );
                findings.push(Finding::error(&package.path, 0, what));
            }
        }
    }
    findings
}

pub(super) fn direction(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages(tree) {
        let Some((_, allowed)) = DIRECTION.iter().find(|(name, _)| *name == package.name) else {
            let what = format!(
                "package `{}` has no place: a new one needs a written decision and a row in \
                 xtask/src/tidy/manifests.rs",
                package.name
            );
            findings.push(Finding::error(&package.path, 0, what));
            continue;
        };
        for (name, _) in package.dependencies() {
            let ours = DIRECTION.iter().any(|(package, _)| package == name);
            if ours && !allowed.contains(&name.as_str()) {
                let what = format!("`{}` must not depend on `{name}`", package.name);
                findings.push(Finding::error(&package.path, 0, what));
            }
        }
    }
    findings
}

struct Package {
    path: String,
    name: String,
    own_workspace: bool,
    table: Table,
}

impl Package {
    /// Of every kind, for every target.
    fn dependencies(&self) -> Vec<(&String, &Value)> {
        let mut places: Vec<&Table> = vec![&self.table];
        let targets = self.table.get("target").and_then(Value::as_table);
        places.extend(targets.into_iter().flat_map(Table::values).filter_map(Value::as_table));
        let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
        let sections =
            places.iter().flat_map(|place| kinds.iter().filter_map(|kind| place.get(*kind)));
        sections.filter_map(Value::as_table).flatten().collect()
    }
}

/// Manifests that do not parse are cargo's to complain about: it would not have started us.
fn packages(tree: &Tree) -> Vec<Package> {
    let parse = |(path, text): (&str, &str)| {
        let table: Table = text.parse().ok()?;
        let name = table.get("package")?.get("name")?.as_str()?.to_owned();
        let own_workspace = table.contains_key("workspace");
        Some(Package { path: path.to_owned(), name, own_workspace, table })
    };
    tree.manifests().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"claw-sdk\"\n\
                        [dependencies]\nclaw-common.workspace = true\n\
                        [lints]\nworkspace = true\n";

    fn tree(text: &str) -> Tree {
        Tree::of(&[("sdk/Cargo.toml", text)])
    }

    #[test]
    fn good_manifest_passes_all() {
        for rule in [lints, versions, direction] {
            assert_eq!(rule(&tree(GOOD)), []);
        }
    }

    #[test]
    fn package_without_the_workspaces_lints_is_found() {
        assert_eq!(lints(&tree(GOOD.split("[lints]").next().unwrap())).len(), 1);
    }

    #[test]
    fn version_outside_the_workspace_manifest_is_found() {
        for wanted in ["serde = \"1\"", "serde = { version = \"1\", features = [\"derive\"] }"] {
            let text = format!("{GOOD}[dev-dependencies]\n{wanted}\n");
            assert_eq!(versions(&tree(&text)).len(), 1, "{wanted}");
        }
        let text = format!("{GOOD}[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n");
        assert_eq!(versions(&tree(&text)).len(), 1);
    }

    #[test]
    fn dependency_against_the_direction_is_found() {
        let text = GOOD.replace("claw-common.workspace", "claw-dataplane.workspace");
        assert_eq!(direction(&tree(&text)).len(), 1);
        let text = GOOD.replace("\"claw-sdk\"", "\"xtask\"");
        assert_eq!(direction(&tree(&text)).len(), 1);
    }

    #[test]
    fn new_package_needs_a_decision() {
        assert_eq!(direction(&tree(&GOOD.replace("claw-sdk", "claw-extra"))).len(), 1);
    }
}
