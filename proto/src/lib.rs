//! The words both ends of Jiashu speak. No I/O, no clock, no runtime.

pub mod id;

pub mod canonical;
