//! `claw init`, the real program on a real disk.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use claw_dataplane::config::key_registry::{KeyMaterial, Role};
use claw_dataplane::config::{Config, KeyRegistry, Overrides, load_schema};
use claw_tests::program;
use serde_json::Value;
use tempfile::TempDir;

const TEMPLATES: [&str; 3] = ["enterprise-retail", "flash-drop", "minimal"];

fn folder() -> TempDir {
    tempfile::tempdir_in(program::scratch_folder()).expect("as the test made it")
}

fn init(inside: &Path, args: &[&str]) -> Output {
    program::claw().arg("init").args(args).current_dir(inside).output().expect("claw starts")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("as the test made it");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("as the test made it")
                .file_name()
                .into_string()
                .expect("as the test made it")
        })
        .collect();
    names.sort();
    names
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_template_makes_a_store_that_a_node_would_start_with() {
    let folder = folder();
    let mut hashes = Vec::new();
    for template in TEMPLATES {
        let output = init(folder.path(), &[template, &format!("--template={template}")]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).starts_with(&format!("made {template}/")));
        let store = folder.path().join(template);
        assert_eq!(
            names(&store),
            [
                ".gitignore",
                "README.md",
                "data",
                "functions",
                "keys",
                "scenarios",
                "schema",
                "store.toml",
                "vault.toml"
            ]
        );
        let config = Config::load(&store, &Overrides::default()).unwrap();
        assert_eq!(config.store.name, template);
        hashes.push((load_schema(&store).unwrap().hash(), config.holds));
        let readme = fs::read_to_string(store.join("README.md")).unwrap();
        assert!(!readme.contains('{') || readme.contains("{\"name\""), "all of it is filled in");
        assert!(readme.starts_with(&format!("# {template}\n")));
        assert!(names(&store.join("scenarios")).contains(&"drop.toml".to_owned()));
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 3, "the templates really differ");
    assert_eq!(names(folder.path()), TEMPLATES, "nothing else is left behind");
}

#[test]
fn keys_are_private_and_named_in_the_registry() {
    let folder = folder();
    assert!(init(folder.path(), &["shop"]).status.success());
    let store = folder.path().join("shop");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&store.join("keys")), 0o700);
    let files = names(&store.join("keys"));
    assert_eq!(
        files,
        [
            "node.pem",
            "node.pub",
            "operator.pem",
            "registry.toml",
            "source.pem",
            "storefront-hmac.secret",
            "storefront.pem"
        ]
    );
    for file in &files {
        let expected = if file == "node.pub" { 0o644 } else { 0o600 };
        assert_eq!(mode(&store.join("keys").join(file)), expected, "{file}");
    }
    let registry = KeyRegistry::load(&store).unwrap();
    let rows: Vec<_> = registry
        .keys()
        .iter()
        .map(|key| (key.number, key.name.as_str(), key.role, key.material.algorithm()))
        .collect();
    assert_eq!(
        rows,
        [
            (1, "source", Role::Source, "ed25519"),
            (2, "storefront", Role::Storefront, "ed25519"),
            (3, "storefront-hmac", Role::Storefront, "hmac-sha256"),
            (4, "operator", Role::Operator, "ed25519"),
        ]
    );
    let secret = store.join("keys/storefront-hmac.secret");
    assert_eq!(registry.keys()[2].material, KeyMaterial::HmacSha256(secret.clone()));
    let secret = fs::read_to_string(secret).unwrap();
    assert_eq!(claw_sdk::key::parse_secret(&secret).unwrap().len(), 32);
    let public = fs::read_to_string(store.join("keys/node.pub")).unwrap();
    let public = claw_dataplane::log::proof::parse_public_key(&public);
    assert!(public.is_some() && registry.node_public_key() == public);
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let folder = folder();
    let occupied = folder.path().join("shop");
    fs::create_dir(&occupied).unwrap();
    fs::write(occupied.join("mine"), "keep").unwrap();
    let output = init(folder.path(), &["shop"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.starts_with("error: make a store at shop: the folder is not empty"), "{said}");
    assert_eq!(said.lines().count(), 1, "one line: {said}");
    assert!(output.stdout.is_empty());
    assert_eq!(names(&occupied), ["mine"]);
    assert_eq!(names(folder.path()), ["shop"]);

    fs::remove_file(occupied.join("mine")).unwrap();
    assert!(init(folder.path(), &["shop"]).status.success(), "an empty folder is fine");
    assert!(occupied.join("store.toml").is_file());
    let file = folder.path().join("file");
    fs::write(&file, "keep").unwrap();
    assert_eq!(init(folder.path(), &["file"]).status.code(), Some(1));
    assert_eq!(fs::read_to_string(file).unwrap(), "keep");
}

#[test]
fn wrong_usage_is_answered_with_2_and_makes_nothing() {
    let folder = folder();
    for args in [
        &["shop", "--template=retail"][..],
        &["shop", "--shards", "0"],
        &["shop", "--shards", "65"],
        &["a b"],
        &[".hidden"],
        &["."],
        &[],
        &["shop", "--colour"],
    ] {
        let output = init(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn json_names_what_was_made() {
    let folder = folder();
    let output = init(folder.path(), &["shop", "--shards", "3", "--json"]);
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["name"], "shop");
    assert_eq!(made["template"], "minimal");
    assert_eq!(made["shards"], 3);
    let config = Config::load(&folder.path().join("shop"), &Overrides::default()).unwrap();
    assert_eq!(config.store.shards, 3);
    assert_eq!(made["id"], config.store.id.to_string());
}

#[test]
fn two_at_once_make_one_store() {
    let folder = folder();
    let mut children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = program::claw();
            command.args(["init", "shop"]).current_dir(folder.path());
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    let codes: Vec<_> = children.iter_mut().map(|child| child.wait().unwrap().code()).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == Some(1)).count(), 3, "{codes:?}");
    assert_eq!(names(folder.path()), ["shop"]);
    load_schema(&folder.path().join("shop")).unwrap();
}
