//! Snapshots of a shard: the promises are in `claw_tests::fuzzed::snapshot`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| claw_tests::fuzzed::snapshot::check(bytes));
