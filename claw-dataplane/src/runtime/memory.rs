//! Memory for the tables of a node, found and cleared before a shopper needs it.
//!
//! A thread that runs once, beside the cores, from the moment that the shards are there: what a
//! start already touched is passed quickly, and what is left is mostly the room for answers that
//! will be remembered. It gives way to the cores, nobody waits for it, and it ends when the node
//! does. Deliberately knows no table: the allocator remembers what is large.

use std::sync::Arc;
use std::time::Instant;

use crate::buffer::populate;
use crate::node::shared::Shared;

use super::placement::{Courtesy, give_way, run_on};

/// Starts it.
pub fn populate_beside(shared: Arc<Shared>, cpus: Vec<usize>) {
    #[expect(clippy::disallowed_methods, reason = "runtime/ is where threads start")]
    std::thread::spawn(move || {
        run_on(&cpus);
        give_way(Courtesy::Behind);
        let began = Instant::now();
        let mebibytes = populate(|| !shared.stop_requested()) >> 20;
        log::debug!(
            "{mebibytes} MiB of tables are in memory, {:?} after the start",
            began.elapsed()
        );
    });
}
