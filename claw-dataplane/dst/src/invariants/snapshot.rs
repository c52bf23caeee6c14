//! A snapshot gives the state it was taken of.

use claw_core::shard::{Shard, ShardConfig};

use crate::violation::{Violation, check};

const NAME: &str = "a snapshot gives the state it was taken of";

/// Takes a snapshot and proves it.
pub(super) fn take(shard: &Shard, config: ShardConfig) -> Result<Vec<u8>, Violation> {
    let mut bytes = Vec::new();
    shard.snapshot(&mut |part| bytes.extend_from_slice(part));
    let restored =
        Shard::restore(config, &bytes).map_err(|error| Violation::new(NAME, error.to_string()))?;
    check(restored.state_hash() == shard.state_hash(), NAME, || {
        format!("shard {}: the restored state differs", shard.id())
    })?;
    let mut again = Vec::new();
    restored.snapshot(&mut |part| again.extend_from_slice(part));
    check(again == bytes, NAME, || format!("shard {}: a second snapshot differs", shard.id()))?;
    Ok(bytes)
}
