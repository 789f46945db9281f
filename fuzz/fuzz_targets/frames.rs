//! See `jiashu_trials::frames::any_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiashu_trials::frames::any_frames(bytes));
