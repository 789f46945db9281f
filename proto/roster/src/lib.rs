//! The signed chain of who is in a family, checked without a secret.
//!
//! The relay and every client run this same check, so neither takes what the other would refuse
//! (docs/sealing.md). Nothing here opens or seals anything: that is `jiashu-seal`, which the
//! relay does not depend on. No I/O and no clock.
//!
//! Read in this order: bytes become a [`Link`] with a [`LinkBody`] (`link`), which a [`Roster`]
//! takes or refuses (`roster`, its ops in `apply`) together with its [`Wraps`]; `change` says
//! what a person is shown of it.

mod link;

mod key;

mod roster;

mod apply;

mod wraps;

mod change;

mod error;

mod compare;
mod digest;
mod occurrence;

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod properties;

pub use change::{Change, Event};
pub use compare::compare_groups;
pub use digest::{code_hash, sha256, token_hash};
pub use error::LinkError;
pub use key::PublicKey;
pub use link::{Asked, Author, KeyPart, Link, LinkBody, Op, signed_bytes};
pub use occurrence::occurrence_ref;
pub use roster::{Device, Invite, Roster};
pub use wraps::{Recipient, WRAP_LEN, Wrap, Wraps};
