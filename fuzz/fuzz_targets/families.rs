//! See `jiashu_trials::families::any_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiashu_trials::families::any_list(bytes));
