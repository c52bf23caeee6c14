//! The vault's journal and its book: the promises are in `claw_tests::fuzzed::journal`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| claw_tests::fuzzed::journal::check(bytes));
