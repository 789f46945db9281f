//! See `jiashu_trials::rules::any_rule`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiashu_trials::rules::any_rule(bytes));
