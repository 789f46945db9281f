//! See `jiashu_trials::ops::any_ops`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiashu_trials::ops::any_ops(bytes));
