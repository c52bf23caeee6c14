//! `claw schema diff`: its words, its exit codes, and what it cannot compare.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use claw_tests::{Store, program};
use serde_json::{Value, json};

const OLD: &str = r#"
[schema]
version = 1
[events.hold-granted.extra]
channel = { type = "text", enum = ["web", "app"] }
[events.gift-wrapped.fields]
order_id = { type = "uuid", required = true }
msg = { type = "text", length_max = 20 }
units = { type = "integer" }
"#;

const NEW: &str = r#"
[schema]
version = 2
[events.hold-granted.extra]
channel = { type = "text", enum = ["web", "shop"] }
[events.gift-wrapped]
version = 2
upcasters = [{ from = 1, to = 2, steps = [{ rename = "msg", to = "message" }] }]
[events.gift-wrapped.fields]
order_id = { type = "uuid", required = true }
message = { type = "text", length_max = 30 }
units = { type = "text" }
ribbon = { type = "sku" }
"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir_in(program::scratch_folder()).expect("there is room"))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("in a folder")).expect("there is room");
        fs::write(&path, text).expect("there is room");
        path
    }
}

fn diff(old: &Path, new: &Path, args: &[&str]) -> Output {
    let mut command = program::claw();
    command.args(["schema", "diff"]).arg(old).arg(new).args(args).output().expect("claw starts")
}

fn said(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[test]
fn every_change_is_a_line_with_its_reason() {
    let folder = Folder::new();
    let (old, new) = (folder.file("old.toml", OLD), folder.file("new.toml", NEW));
    let output = diff(&old, &new, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        said(output.stdout),
        "BREAKING    hold-granted.channel: value app is gone: older events may hold it, and \
         requests with it are refused\n\
         compatible  hold-granted.channel: value shop is new\n\
         covered     gift-wrapped.message: was `msg` (clients: send `message`, not `msg`)\n\
         compatible  gift-wrapped.message: length_max was 20, is 30: wider\n\
         compatible  gift-wrapped.ribbon: added, and may be absent\n\
         UPCASTER    gift-wrapped.units: was integer, is text: add a `widen` step on the way to \
         version 2\n"
    );
    assert_eq!(
        said(output.stderr),
        "3 compatible, 1 covered by upcasters, 1 without the upcaster they need, 1 breaking\n"
    );
    let output = diff(&old, &new, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&answer["holds"], &answer["new_version"]), (&json!(false), &json!(2)));
    assert_eq!(
        answer["changes"][2],
        json!({"event": "gift-wrapped", "member": "message", "verdict": "covered-by-upcaster",
            "reason": "was `msg`", "clients": "send `message`, not `msg`"})
    );
}

#[test]
fn covered_changes_are_yes_and_with_clients_no() {
    let folder = Folder::new();
    let before = OLD.replace("units = { type = \"integer\" }\n", "");
    let after = NEW
        .replace("units = { type = \"text\" }\n", "")
        .replace("[\"web\", \"shop\"]", "[\"web\", \"app\"]");
    // One side is a folder of files, the other a store's folder.
    let old = folder.file("before/a.toml", &before);
    let new = folder.file("after/schema/a.toml", &after);
    let old = old.parent().expect("a folder");
    let new = new.parent().and_then(Path::parent).expect("a store");
    let output = diff(old, new, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(output.stdout));
    let output = diff(old, new, &["--clients"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(output.stdout));
    let output = diff(old, old, &["--clients"]);
    assert_eq!(
        (output.status.code(), said(output.stderr).as_str()),
        (Some(0), "nothing changes\n")
    );
}

#[test]
fn what_cannot_be_compared_is_wrong_usage() {
    let folder = Folder::new();
    let store = Store::create("minimal");
    let broken = folder.file("broken.toml", "[schema]\nversion = 0\n");
    let absent = folder.0.path().join("absent.toml");
    for place in [&broken, &absent] {
        let output = diff(store.path(), place, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let said = said(output.stderr);
        assert!(said.contains(&place.display().to_string()), "{said}");
    }
    let output = program::claw().args(["schema", "diff", "one"]).output().expect("claw starts");
    assert_eq!(output.status.code(), Some(2));
}
