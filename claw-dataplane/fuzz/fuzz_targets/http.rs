//! HTTP requests, whole and in pieces: the promises are in `claw_tests::fuzzed::http`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| claw_tests::fuzzed::http::check(bytes));
