//! The two key pairs of a device, or of an invite: one signs links, one opens wraps.

use std::fmt;

use hpke::{Deserializable, Kem, Serializable, kem::DhP256HkdfSha256};
use jiashu_roster::PublicKey;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use zeroize::Zeroizing;

use crate::error::SealError;

/// A private key of P-256 and its public key.
#[derive(Clone)]
pub struct KeyPair {
    private: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl KeyPair {
    /// A new one, from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        let (private, _) = DhP256HkdfSha256::gen_keypair();
        let mut bytes = Zeroizing::new([0; 32]);
        private.write_exact(bytes.as_mut());
        Self::from_private(&bytes).expect("a generated key is a key")
    }

    /// The pair of a stored private key, big-endian.
    ///
    /// # Errors
    ///
    /// [`SealError::Refused`] if the number is 0 or beyond the order of the curve.
    pub fn from_private(private: &[u8; 32]) -> Result<Self, SealError> {
        let secret = <DhP256HkdfSha256 as Kem>::PrivateKey::from_bytes(private)
            .map_err(|_| SealError::Refused("not a private key of P-256"))?;
        let mut public = PublicKey([0; 65]);
        DhP256HkdfSha256::sk_to_pk(&secret).write_exact(&mut public.0);
        Ok(Self { private: Zeroizing::new(*private), public })
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The private key, to be stored or put on a card.
    #[must_use]
    pub fn private(&self) -> &[u8; 32] {
        &self.private
    }

    /// ECDSA with SHA-256 over `message`: r and s.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let rng = SystemRandom::new();
        let signature = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            self.private.as_ref(),
            &self.public.0,
            &rng,
        )
        .ok()
        .and_then(|pair| pair.sign(&rng, message).ok())
        .expect("a key pair signs");
        let mut bytes = [0; 64];
        bytes.copy_from_slice(signature.as_ref());
        bytes
    }
}

impl fmt::Debug for KeyPair {
    /// Without the private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public)
    }
}

/// What a device or an invite holds.
#[derive(Clone, Debug)]
pub struct KeyPairs {
    /// Signs its links; an invite's signs its join.
    pub sign: KeyPair,
    /// Opens the family keys wrapped to it.
    pub hpke: KeyPair,
}

impl KeyPairs {
    /// Two new pairs, from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self { sign: KeyPair::generate(), hpke: KeyPair::generate() }
    }

    /// Both private keys, to be stored: sign, then hpke.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 64]> {
        let mut bytes = Zeroizing::new([0; 64]);
        let (sign, hpke) = bytes.split_at_mut(32);
        sign.copy_from_slice(self.sign.private());
        hpke.copy_from_slice(self.hpke.private());
        bytes
    }

    /// Reads [`KeyPairs::to_bytes`] back.
    ///
    /// # Errors
    ///
    /// [`SealError::Refused`] if these are not two private keys.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, SealError> {
        let (sign, hpke) = bytes.split_at(32);
        let half = |half: &[u8]| {
            let private: &[u8; 32] =
                half.try_into().map_err(|_| SealError::Refused("not a private key of P-256"))?;
            KeyPair::from_private(private)
        };
        Ok(Self { sign: half(sign)?, hpke: half(hpke)? })
    }
}
