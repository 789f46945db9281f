//! See `jiashu_trials::bodies::any_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiashu_trials::bodies::any_body(bytes));
