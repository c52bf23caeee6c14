//! Memory for the tables of a node, found and cleared before a shopper needs it.
//!
//! A thread that runs once, beside the cores, from the moment that the shards are there: what a
//! start already touched is passed quickly, and what is left is mostly the room for answers that
//! will be remembered. It gives way to the cores, nobody waits for it, it ends when the node does,
//! and it leaves the rest of the machine its share. Deliberately knows no table: the allocator
//! remembers what is large.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use crate::buffer::populate;
use crate::node::shared::Shared;

use super::placement::{Courtesy, give_way, run_on};

/// Kept available on the machine: what is found last is what may never be needed.
const SPARE_KIB: u64 = 1 << 20;
/// Huge pages between two looks at what is available: 128 MiB.
const LOOK_AFTER_PAGES: u32 = 64;

/// Starts it.
pub fn populate_beside(shared: Arc<Shared>, cpus: Vec<usize>) {
    #[expect(clippy::disallowed_methods, reason = "runtime/ is where threads start")]
    std::thread::spawn(move || {
        run_on(&cpus);
        give_way(Courtesy::Behind);
        let began = Instant::now();
        let (mut pages_count, mut scarce) = (0_u32, false);
        let mebibytes = populate(|| {
            scarce = pages_count.is_multiple_of(LOOK_AFTER_PAGES) && memory_is_scarce();
            pages_count += 1;
            !scarce && !shared.stop_requested()
        }) >> 20;
        if scarce {
            log::warn!(
                "less than 1 GiB of memory is available: {mebibytes} MiB of tables are in memory, \
                 the rest comes when it is needed; set node.memory lower if others need the machine"
            );
        }
        log::debug!(
            "{mebibytes} MiB of tables are in memory, {:?} after the start",
            began.elapsed()
        );
    });
}

fn memory_is_scarce() -> bool {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    available_kib(&text).is_some_and(|kib| kib < SPARE_KIB)
}

/// `MemAvailable` of `/proc/meminfo`.
fn available_kib(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_what_the_kernel_says() {
        let text = "MemTotal:       24576000 kB\nMemFree: 1 kB\nMemAvailable:   20480000 kB\n";
        assert_eq!(available_kib(text), Some(20_480_000));
        assert_eq!(available_kib("MemTotal: 1 kB\n"), None);
    }
}
