//! Finding the programs under test.
//!
//! `CLAW_BIN` names another `claw` (the optimised one, say); otherwise it is the one that was built
//! beside the test. Deliberately builds nothing: a test that builds measures the compiler.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Where cargo put this test's profile: `target/debug`.
fn profile_folder() -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    let folder = test.parent().and_then(|deps| deps.parent());
    folder.expect("cargo puts tests into target/PROFILE/deps").to_path_buf()
}

/// The `claw` to test.
///
/// # Panics
/// When it is not there, with the command that builds it.
pub fn claw_path() -> PathBuf {
    let path = env::var_os("CLAW_BIN").map_or_else(|| profile_folder().join("claw"), PathBuf::from);
    assert!(
        path.is_file(),
        "{} is not there: run `cargo build --workspace --bins --tests` first",
        path.display()
    );
    path
}

/// A command for `claw`, without arguments yet. Nothing is paid for, so that a test of something
/// else runs no vault: one of payments takes that back.
pub fn claw() -> Command {
    let mut command = Command::new(claw_path());
    command.env("CLAW_PAYMENTS_KIND", "none");
    command
}

/// A folder for stores under test, on the disk that holds the build: the system's temporary folder
/// may be memory, where nothing is durable and direct I/O does not exist.
pub fn scratch_folder() -> PathBuf {
    let folder = profile_folder().join("scratch");
    std::fs::create_dir_all(&folder).expect("the build's disk has room");
    folder
}
