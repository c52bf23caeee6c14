//! Frames of the wire protocol: the promises are in `claw_tests::fuzzed::wire`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| claw_tests::fuzzed::wire::check(bytes));
