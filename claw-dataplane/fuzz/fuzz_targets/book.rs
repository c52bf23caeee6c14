//! The vault's book: the promises are in `claw_tests::fuzzed::book`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| claw_tests::fuzzed::book::check(bytes));
