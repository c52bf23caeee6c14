//! Keys: private ones that do not belong beside a production node, and files others can read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Check;
use crate::config::{Config, Profile};

/// The node's own key, with which it signs checkpoints; it cannot be elsewhere.
const NODE_KEY: &str = "node.pem";
/// Anybody but the owner.
const OTHERS: u32 = 0o077;

pub(super) fn checks(store: &Path, config: Option<&Config>) -> Vec<Check> {
    let folder = store.join("keys");
    let files: Vec<PathBuf> = fs::read_dir(&folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    vec![private(&files, config), readable(&files)]
}

fn named(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Whether a file holds the private half of a pair. Secrets of hmac-sha256 are not meant: the node
/// needs them to check with.
fn holds_private_key(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pem")
        && named(path) != NODE_KEY
        && fs::read_to_string(path).is_ok_and(|text| text.contains("PRIVATE KEY"))
}

fn private(files: &[PathBuf], config: Option<&Config>) -> Check {
    let name = "private-keys";
    let mut found: Vec<_> =
        files.iter().filter(|path| holds_private_key(path)).map(|path| named(path)).collect();
    found.sort_unstable();
    if found.is_empty() {
        return Check::ok(name, "none beside the node but its own");
    }
    let list = found.join(", ");
    let production =
        config.is_some_and(|config| matches!(config.store.profile, Profile::Production));
    if !production {
        return Check::ok(name, format!("{list}: development keys, fine here"));
    }
    let advice = "move them to whoever signs with them: a production node needs public halves only \
                  (keys/registry.toml has them)";
    Check::warn(name, format!("{list} in keys/ of a production node"), advice)
}

fn readable(files: &[PathBuf]) -> Check {
    let name = "key-files";
    let secret = |path: &&PathBuf| {
        holds_private_key(path)
            || named(path) == NODE_KEY
            || path.extension().is_some_and(|extension| extension == "secret")
    };
    let open = |path: &&PathBuf| {
        fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OTHERS != 0)
    };
    let mut found: Vec<_> =
        files.iter().filter(secret).filter(open).map(|path| named(path)).collect();
    found.sort_unstable();
    if found.is_empty() {
        return Check::ok(name, "readable by their owner only");
    }
    let list = found.join(" ");
    Check::fail(name, format!("others can read {list}"), format!("chmod 600 {list} in keys/"))
}
