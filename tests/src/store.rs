//! A store of its own for each test, made by the real `claw init`, removed with the test.

use std::path::{Path, PathBuf};

use claw_sdk::key::Signer;
use tempfile::TempDir;

use crate::program;

/// A store on disk. A test that fails leaves it behind: it is the evidence.
#[derive(Debug)]
pub struct Store {
    folder: Option<TempDir>,
    path: PathBuf,
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
        Self { folder: Some(folder), path }
    }

    /// A store that something else made and removes.
    pub fn at(path: &Path) -> Self {
        Self { folder: None, path: path.to_path_buf() }
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
