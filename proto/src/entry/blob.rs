//! What the relay notes of stored bytes.

use minicbor::{Decode, Encode};

use crate::id::{DeviceId, Millis, Ref};

/// Stored bytes, as a voice note has them: the fact `blob/ID`. The relay's own note, handed out to nobody.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct BlobFact {
    /// Their name, drawn by the client.
    #[n(0)]
    pub id: Ref,
    /// The device that uploads them.
    #[n(1)]
    pub device: DeviceId,
    /// How many.
    #[n(2)]
    pub size: u64,
    /// SHA-256 of all of them.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub hash: [u8; 32],
    /// When the upload began, in ms.
    #[n(4)]
    pub at: Millis,
    /// How far they are.
    #[n(5)]
    pub state: BlobState,
    /// How many were handed out to those who have a link.
    #[cbor(n(6), with = "crate::sparse", has_nil)]
    pub linked: u64,
}

/// How far stored bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum BlobState {
    /// Some are still to come.
    #[n(1)]
    Coming,
    /// All are there.
    #[n(2)]
    Whole,
    /// They are being removed: nobody can have them any more.
    #[n(3)]
    Going,
}

/// What the keys of all stored bytes begin with.
pub const BLOB_KEYS: &str = "blob/";

/// Key of the fact of these.
#[must_use]
pub fn blob_key(id: Ref) -> String {
    format!("{BLOB_KEYS}{id}")
}
