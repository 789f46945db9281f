//! See `jiashu_trials::links::any_link`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiashu_trials::links::any_link(bytes));
