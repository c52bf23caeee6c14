//! This program: which version, made by which compiler with which flags.

use super::Check;

/// Written by the build script.
const COMPILER: &str = env!("CLAW_RUSTC_VERSION");
const TARGET: &str = env!("CLAW_TARGET");
const OPTIMISATION: &str = env!("CLAW_OPT_LEVEL");
const FLAGS: &str = env!("CLAW_RUSTFLAGS");

pub(super) fn checks() -> Vec<Check> {
    vec![version(), flags()]
}

fn version() -> Check {
    Check::ok("version", format!("claw {} for {TARGET}, {COMPILER}", env!("CARGO_PKG_VERSION")))
}

fn flags() -> Check {
    let flags = if FLAGS.is_empty() { "none" } else { FLAGS };
    let found = format!("opt-level {OPTIMISATION}, RUSTFLAGS {flags}");
    if OPTIMISATION == "3" && !cfg!(debug_assertions) {
        Check::ok("build", found)
    } else {
        let advice = "not a release build: cargo build --release --workspace --bin claw";
        Check::warn("build", found, advice)
    }
}
