//! Requests of the API behind their signature: the promises are in `claw_tests::fuzzed::body`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| claw_tests::fuzzed::body::check(bytes));
