//! The shard loop: select, apply, run effects, keep invariants.
