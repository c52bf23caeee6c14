//! Tells the program by whom and how it was made, for `claw doctor`.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("--version").output();
    let version = version.map_or_else(
        |_| "an unknown compiler".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    // Flags are parted by a unit separator (cargo's documentation, environment variables).
    let flags = variable("CARGO_ENCODED_RUSTFLAGS").replace('\u{1f}', " ");
    println!("cargo:rustc-env=CLAW_RUSTC_VERSION={version}");
    println!("cargo:rustc-env=CLAW_TARGET={}", variable("TARGET"));
    println!("cargo:rustc-env=CLAW_OPT_LEVEL={}", variable("OPT_LEVEL"));
    println!("cargo:rustc-env=CLAW_RUSTFLAGS={flags}");
}
