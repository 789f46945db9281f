//! A public key as it stands in a link, and whether it is one.

use std::fmt;

use minicbor::{Decode, Encode};
use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

/// A point of P-256, uncompressed. As read it may be any 65 bytes: [`PublicKey::is_on_curve`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct PublicKey(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 65]);

impl PublicKey {
    /// Whether this is an uncompressed point of the curve, other than the one at infinity.
    #[must_use]
    pub fn is_on_curve(&self) -> bool {
        // ring parses a point only to use it: an agreement with a key that is thrown away is its
        // shortest road to the check, about 0.1 ms, once for each key of a family.
        let throw_away = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new());
        let point = agreement::UnparsedPublicKey::new(&ECDH_P256, &self.0);
        throw_away.is_ok_and(|key| agreement::agree_ephemeral(key, &point, |_| ()).is_ok())
    }

    /// Whether `signature` (r and s, 64 bytes; either s) of `message` is by this key.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.0).verify(message, signature).is_ok()
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}
