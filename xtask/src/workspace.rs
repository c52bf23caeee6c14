//! Where things lie in the checkout.
//!
//! Owns the paths that the verbs share, so that none of them is written twice. Deliberately does
//! not read or write any of them.

use std::env;
use std::path::{Path, PathBuf};

/// The checkout's top folder.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().map_or_else(|| package.to_path_buf(), Path::to_path_buf)
}

/// Where cargo builds: its own variable wins, as it does for cargo.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A built program of ours.
pub(crate) fn program(profile_folder: &str, name: &str) -> PathBuf {
    target().join(profile_folder).join(name)
}
