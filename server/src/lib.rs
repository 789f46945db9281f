//! The Jiashu relay: keeps every family's entries until each of its devices has them.

pub mod store;

pub mod clock;
