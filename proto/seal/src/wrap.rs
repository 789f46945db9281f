//! One family key for one recipient: HPKE (RFC 9180), base mode, one shot.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use jiashu_proto::id::LinkHash;
use jiashu_roster::{PublicKey, WRAP_LEN};
use zeroize::Zeroizing;

use crate::error::SealError;
use crate::family_key::FamilyKey;
use crate::keys::KeyPair;

type PublicHpke = <DhP256HkdfSha256 as Kem>::PublicKey;
type PrivateHpke = <DhP256HkdfSha256 as Kem>::PrivateKey;
type Encapped = <DhP256HkdfSha256 as Kem>::EncappedKey;

/// Length in bytes of the encapsulated key, which stands first.
const ENC_LEN: usize = 65;

const BAD_WRAP: SealError = SealError::BadKey("the wrap is not for this key");

/// Wraps `key` to `recipient`, for the link after `prev`.
///
/// # Errors
///
/// [`SealError::Refused`] if the recipient's key is not a point of P-256.
pub fn wrap_key(
    key: &FamilyKey,
    recipient: &PublicKey,
    prev: LinkHash,
) -> Result<[u8; WRAP_LEN], SealError> {
    let refused = |_| SealError::Refused("a recipient's key is not a point of P-256");
    let recipient = PublicHpke::from_bytes(&recipient.0).map_err(refused)?;
    let (enc, sealed) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
        &OpModeS::Base,
        &recipient,
        &info(prev),
        key.as_bytes(),
        &[],
    )
    .map_err(refused)?;
    let mut wrap = [0; WRAP_LEN];
    let (first, rest) = wrap.split_at_mut(ENC_LEN);
    enc.write_exact(first);
    rest.copy_from_slice(&sealed);
    Ok(wrap)
}

/// Opens what [`wrap_key`] wrapped.
///
/// # Errors
///
/// [`SealError::BadKey`] if it was made for another, for another link, or changed.
pub fn unwrap_key(
    wrap: &[u8; WRAP_LEN],
    recipient: &KeyPair,
    prev: LinkHash,
) -> Result<FamilyKey, SealError> {
    let private = PrivateHpke::from_bytes(recipient.private()).map_err(|_| BAD_WRAP)?;
    let (enc, sealed) = wrap.split_at(ENC_LEN);
    let enc = Encapped::from_bytes(enc).map_err(|_| BAD_WRAP)?;
    let text = hpke::single_shot_open::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
        &OpModeR::Base,
        &private,
        &enc,
        &info(prev),
        sealed,
        &[],
    )
    .map(Zeroizing::new)
    .map_err(|_| BAD_WRAP)?;
    text.as_slice().try_into().map(FamilyKey::from_bytes).map_err(|_| BAD_WRAP)
}

fn info(prev: LinkHash) -> Vec<u8> {
    [b"jiashu/1 epoch", &prev.0[..]].concat()
}
