//! The system's clock as one store's nodes see it, set forward and back by a test.
//!
//! libfaketime stands between the node and the C library. It adds to the time of day an offset that
//! it reads from a file at each question; the monotonic clock is left alone, as it is when a real
//! clock is set. Nothing in the node knows of it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program;

/// Where Debian and Fedora put the library that is made for programs with threads.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// See the module.
#[derive(Debug)]
pub struct SystemClock {
    folder: TempDir,
    library: &'static str,
}

impl SystemClock {
    /// A clock that is right; nothing where `cargo xtask test` has said that there is no
    /// libfaketime here.
    ///
    /// # Panics
    /// When libfaketime is missing all the same.
    pub fn right() -> Option<Self> {
        if env::var_os("CLAW_WITHOUT_FAKETIME").is_some() {
            return None;
        }
        let library = LIBRARIES.into_iter().find(|path| Path::new(path).is_file());
        let library = library.expect("no libfaketime here: run `cargo xtask setup`");
        let folder = tempfile::Builder::new()
            .prefix("clock-")
            .tempdir_in(program::scratch_folder())
            .expect("there is room");
        let clock = Self { folder, library };
        clock.set_off_by_ms(0);
        Some(clock)
    }

    /// Sets it, for nodes that run too, to the right time and this much, milliseconds.
    ///
    /// # Panics
    /// When there is no room.
    pub fn set_off_by_ms(&self, offset_ms: i64) {
        let (sign, ms) = (if offset_ms < 0 { '-' } else { '+' }, offset_ms.unsigned_abs());
        // Renamed into place: no question may find half of it.
        let draft = self.folder.path().join("draft");
        fs::write(&draft, format!("{sign}{}.{:03}\n", ms / 1_000, ms % 1_000)).expect("room");
        fs::rename(draft, self.file()).expect("the folder is ours");
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    /// What a node is started with to see it.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", self.library.to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            // The same, as older versions call it.
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}
