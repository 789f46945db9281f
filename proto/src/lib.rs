//! The words both ends of Jiashu speak. No I/O, no clock, no runtime.
//!
//! Read in this order: who is meant (`id`), what stands in the log (`entry`), what of it is inside
//! a seal (`text`), how it travels (`frame`), within which `bounds`, what is answered instead
//! (`error`). `canonical` is how everything that is hashed, signed or sealed is written.

pub mod id;

pub mod entry;

pub mod text;

pub mod frame;

pub mod bounds;

pub mod error;

pub mod canonical;

mod sparse;

#[cfg(test)]
mod golden;
