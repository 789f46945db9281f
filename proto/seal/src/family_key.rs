//! The family's key of one epoch, from which the keys of bodies and of the key before come.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::SealError;
use crate::primitive::{derive, open, random, seal};

/// K: 32 random bytes, new for every attempt to write a link. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct FamilyKey(Zeroizing<[u8; 32]>);

impl FamilyKey {
    /// A new one, from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random()))
    }

    /// One that was stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// To be stored or wrapped.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `back` of a link that brings this key after `previous`.
    pub(crate) fn seal_back(&self, prev: &[u8], previous: &Self) -> Vec<u8> {
        seal(&derive(self.0.as_slice(), "jiashu/1 prev"), [0; 12], prev, previous.0.as_slice())
    }

    /// The key before, out of `back`.
    pub(crate) fn open_back(&self, prev: &[u8], back: &[u8]) -> Result<Self, SealError> {
        let text = open(&derive(self.0.as_slice(), "jiashu/1 prev"), [0; 12], prev, back)
            .ok_or(SealError::BadKey("it does not open the key before"))?;
        text.as_slice()
            .try_into()
            .map(Self::from_bytes)
            .map_err(|_| SealError::BadKey("the key before is not 32 bytes"))
    }
}

impl fmt::Debug for FamilyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FamilyKey(..)")
    }
}
