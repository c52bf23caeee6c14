//! Blocks, segments and superblocks of the log: the promises are in `claw_tests::fuzzed::block`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| claw_tests::fuzzed::block::check(bytes));
