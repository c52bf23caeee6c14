//! Card numbers in free text: the promises are in `claw_tests::fuzzed::card`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| claw_tests::fuzzed::card::check(bytes));
