//! Memory: enough for the warm cache, and pages large enough that reaching it is cheap.

use super::{Check, Host};
use crate::config::{Config, MEMORY_BYTES_PRODUCTION, Profile};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

pub(super) fn checks(host: &Host, config: Option<&Config>) -> Vec<Check> {
    vec![warm_cache(host, config), large_pages(host)]
}

fn warm_cache(host: &Host, config: Option<&Config>) -> Check {
    let name = "memory";
    let Some(available) = field(host, "MemAvailable:").map(|kib| kib * KIB) else {
        return Check::warn(name, "/proc/meminfo says nothing of MemAvailable", "mount /proc");
    };
    let free = format!("{} MiB available", available / MIB);
    let Some(config) = config else {
        return Check::ok(name, format!("{free}; no store to compare with (--store)"));
    };
    let wanted = config.node.memory_bytes;
    let found = format!("{free}, store.toml takes {} MiB", wanted / MIB);
    if available < wanted {
        let advice = "free some, or lower `memory` in [node]: it is taken at the start";
        return Check::fail(name, found, advice);
    }
    let small = wanted.min(available) < MEMORY_BYTES_PRODUCTION;
    match config.store.profile {
        Profile::Production if small => {
            let advice = "production wants a warm cache of 8 GiB: set memory = \"8GiB\" or more in \
                          [node], on a machine that has it";
            Check::fail(name, found, advice)
        }
        Profile::Development if small => {
            Check::ok(name, format!("{found}: enough for development; production wants 8 GiB"))
        }
        Profile::Production | Profile::Development => Check::ok(name, found),
    }
}

fn large_pages(host: &Host) -> Check {
    let name = "huge-pages";
    let reserved = field(host, "HugePages_Free:").unwrap_or(0);
    let mode = host.line("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    let transparent =
        ["always", "madvise"].into_iter().find(|on| mode.contains(&format!("[{on}]")));
    match (reserved, transparent) {
        (0, None) => Check::warn(
            name,
            "none reserved and transparent ones are off",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled (each start; or a tuned \
             profile)",
        ),
        (0, Some(mode)) => Check::ok(name, format!("transparent, {mode}")),
        (count, _) => Check::ok(name, format!("{count} reserved and free")),
    }
}

/// A number of `/proc/meminfo`.
fn field(host: &Host, name: &str) -> Option<u64> {
    let text = host.text("/proc/meminfo")?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}
