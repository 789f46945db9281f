//! The whole system from outside: real processes on port 0, the real protocol, nothing left behind.
//!
//! Read in this order: a relay runs (`relay`, found by `binary`; where it is to have one, at a `redis`, with others behind a `balancer`), is spoken to over HTTP (`raw`,
//! `http`) or a WebSocket (`socket`; byte for byte in `wire`); staff enrol a family (`programme`, `family`), whose devices
//! join (`joining`, `asking`, `device`), write (`writing`) and follow the log (`log`). This is a second client of the
//! protocol, written apart from the command line's, so that neither can be wrong alone. The command
//! line itself runs in `cli`. What they know of their letters they may write into a `journal`, of
//! which `checker` judges. `until` waits for what is awaited, a `clock` goes
//! over weeks of it, `dice` rolls what may be anything.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a harness fails its test by a panic, at the line that was wrong"
)]

pub mod relay;

pub mod redis;

pub mod s3;

pub mod smtpd;

pub mod ground;

pub mod sentinel;

pub mod cluster;

pub mod balancer;

pub mod line;

pub mod binary;

pub mod raw;

pub mod http;

pub mod socket;

pub mod wire;

pub mod programme;

pub mod family;

pub mod joining;

pub mod asking;

pub mod device;

pub mod blob;

mod writing;

pub mod log;

pub mod cli;

pub mod journal;

pub mod checker;

pub mod until;

pub mod clock;

pub mod browser;

pub mod still;

pub mod sound;

pub mod dhis2;

pub mod port;

pub mod dice;

pub use asking::Asking;
pub use cli::Cli;
pub use device::RawDevice;
pub use family::{FamilySpec, TestFamily};
pub use programme::Programme;
pub use raw::Raw;
pub use relay::TestRelay;
pub use socket::RawSocket;
pub use until::{DEADLINE, until};
