//! Payloads of records, messages and answers: the promises are in `claw_tests::fuzzed::codec`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| claw_tests::fuzzed::codec::check(bytes));
