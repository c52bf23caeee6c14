//! A store of its own for each test, made by the real `claw init`, removed with the test.

use std::path::{Path, PathBuf};

use claw_sdk::key::Signer;
use tempfile::TempDir;

use crate::{Gateway, SystemClock, program};

/// A store on disk. A test that fails leaves it behind: it is the evidence.
#[derive(Debug)]
pub struct Store {
    folder: Option<TempDir>,
    path: PathBuf,
    /// What its nodes are started with beside the harness's own.
    environment: Vec<(String, String)>,
}

impl Store {
    /// `claw init store --template=TEMPLATE` in a folder of its own.
    ///
    /// # Panics
    /// When `claw init` refuses.
    pub fn create(template: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("store-")
            .tempdir_in(program::scratch_folder())
            .expect("there is room");
        let mut init = program::claw();
        init.args(["init", "store", &format!("--template={template}")]).current_dir(folder.path());
        let output = init.output().expect("claw starts");
        assert!(
            output.status.success(),
            "claw init: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        let path = folder.path().join("store");
        Self { folder: Some(folder), path, environment: Vec::new() }
    }

    /// A store with these settings (`section.key`, value in TOML) and small segments, since making
    /// large ones takes the disk's time and shows nothing more.
    ///
    /// # Panics
    /// When `claw init` refuses or a setting does not exist.
    pub fn with(template: &str, settings: &[(&str, &str)]) -> Self {
        let store = Self::create(template);
        store.set("log.segment_bytes", "\"1MiB\"");
        for (setting, value) in settings {
            store.set(setting, value);
        }
        store
    }

    /// Changes a setting in `store.toml`, where every setting stands, perhaps as a comment.
    ///
    /// # Panics
    /// When there is no such setting.
    pub fn set(&self, setting: &str, value: &str) {
        let (section, key) = setting.split_once('.').expect("section.key");
        let path = self.path.join("store.toml");
        let text = std::fs::read_to_string(&path).expect("a store has its settings");
        let start = text.find(&format!("\n[{section}]\n")).expect("the section is there") + 1;
        let end = text[start..].find("\n[").map_or(text.len(), |end| start + end);
        let line = text[start..end].lines().find(|line| {
            let bare = line.trim_start_matches('#');
            bare.strip_prefix(key).is_some_and(|rest| rest.starts_with(" ="))
        });
        let line = line.unwrap_or_else(|| panic!("{setting} is not in {}", path.display()));
        let section_text = text[start..end].replacen(line, &format!("{key} = {value}"), 1);
        let text = format!("{}{section_text}{}", &text[..start], &text[end..]);
        std::fs::write(&path, text).expect("there is room");
    }

    /// `claw ARGS... --store THIS`: its exit code and all it said, talk behind data.
    ///
    /// # Panics
    /// When `claw` does not start.
    pub fn claw(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = program::claw();
        command.args(args).arg("--store").arg(&self.path);
        let output = command.output().expect("claw starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// The same store once more, as it lies: with its keys and its name.
    ///
    /// # Panics
    /// When there is no room.
    pub fn copy_of(other: &Self) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("store-")
            .tempdir_in(program::scratch_folder())
            .expect("there is room");
        let path = folder.path().join("store");
        let mut copy = std::process::Command::new("cp");
        copy.arg("-a").arg(&other.path).arg(&path);
        assert!(copy.status().expect("cp starts").success());
        Self { folder: Some(folder), path, environment: Vec::new() }
    }

    /// A store that something else made and removes.
    pub fn at(path: &Path) -> Self {
        Self { folder: None, path: path.to_path_buf(), environment: Vec::new() }
    }

    /// Its orders are paid for from the next start on, at this gateway.
    pub fn pay_at(&mut self, gateway: &Gateway) {
        self.environment = gateway.environment();
    }

    /// Its vault logs to this device.
    pub fn pay_from(&mut self, device: &str) {
        self.environment.push(("CLAW_PAYMENTS_DEVICE".to_owned(), device.to_owned()));
    }

    /// Its orders are paid for as its own `vault.toml` says: at a local gateway.
    pub fn pay_as_made(&mut self) {
        self.environment = vec![("CLAW_PAYMENTS_KIND".to_owned(), "local".to_owned())];
    }

    /// Its nodes see this clock instead of the system's.
    pub fn tell_time_by(&mut self, clock: &SystemClock) {
        self.environment.extend(clock.environment());
    }

    /// What its nodes are started with beside the harness's own.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key of this name, as `claw init` made it.
    ///
    /// # Panics
    /// When there is none.
    pub fn signer(&self, key_name: &str) -> Signer {
        Signer::load(&self.path, key_name).unwrap_or_else(|error| panic!("{key_name}: {error}"))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            use std::io::Write as _;
            let kept = folder.keep();
            writeln!(std::io::stderr().lock(), "the store is kept: {}", kept.display()).ok();
        }
    }
}
