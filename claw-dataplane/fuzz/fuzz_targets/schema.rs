//! State-Schemas: the promises are in `claw_tests::fuzzed::schema`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| claw_tests::fuzzed::schema::check(bytes));
