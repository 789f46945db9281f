//! What must hold of any bytes at all, whoever sent them: one function a target, which panics where
//! it does not.
//!
//! Two callers share these bodies. The fuzzer (`fuzz/`, needs nightly's instrumentation) looks for
//! bytes that break one; `tests/replay.rs` runs every file of `fuzz/corpus/` through them with the
//! ordinary tests, and counts what it allocates. That nothing panics is the least of it: what is
//! hashed, signed or sealed reads back to the same bytes, and what was refused changes nothing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a trial fails by a panic, at the line that was wrong"
)]

pub mod frames;

pub mod bodies;

pub mod links;

pub mod ops;

pub mod rules;

pub mod families;

pub mod seeds;

mod vectors;

/// A target: its name, which is also that of its corpus and of its fuzz target, and its body.
pub type Trial = (&'static str, fn(&[u8]));

/// All targets.
pub const TRIALS: [Trial; 6] = [
    ("frames", frames::any_frames),
    ("bodies", bodies::any_body),
    ("links", links::any_link),
    ("ops", ops::any_ops),
    ("rules", rules::any_rule),
    ("families", families::any_list),
];
