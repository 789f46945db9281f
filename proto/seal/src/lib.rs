//! Keys, wrapping, sealing and writing links: what only clients do.
//!
//! The relay does not depend on this crate, so it has no code that opens what it carries
//! (docs/sealing.md). Who is in a family, `jiashu-roster` decides; what a body says, and where
//! keys and drafts are kept, is left to the client. No I/O and no clock; randomness is the
//! system's.
//!
//! Read in this order: the two primitives (`primitive`), keys (`keys`, `family_key`), how a link
//! turns the key (`write`, `wrap`, `open`), what is sealed under it (`body`, `draft`), and what
//! lies beside it (`invite`, `card`, `blob`).

mod primitive;

mod keys;

mod family_key;

mod wrap;

mod write;

mod open;

mod body;

mod draft;

mod invite;

mod card;

mod blob;

mod error;

#[cfg(test)]
mod testing;

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod properties;

pub use blob::{BlobKey, CHUNK_LEN, STORED_CHUNK_LEN, SealedBlob, open_blob, seal_blob};
pub use body::{BodyFields, open_body, seal_body};
pub use card::{Card, DeviceCard, PinnedInvite};
pub use draft::Draft;
pub use error::SealError;
pub use family_key::FamilyKey;
pub use invite::{InviteSecret, JoinLink};
pub use keys::{KeyPair, KeyPairs};
pub use open::{open_all, open_back, open_link_key};
pub use primitive::{TAG_LEN, derive, random};
pub use wrap::{unwrap_key, wrap_key};
pub use write::{FirstLink, NewLink, Signer, write_first_link, write_link};
