//! D, A and randomness: all that the rest is made of (docs/sealing.md).

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Length in bytes of the tag at the end of everything sealed.
pub const TAG_LEN: usize = 16;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// D(key, label, N): HKDF-SHA256 with an empty salt and the label as info.
#[must_use]
pub fn derive<const N: usize>(key: &[u8], label: &str) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0; N]);
    Salt::new(HKDF_SHA256, &[])
        .extract(key)
        .expand(&[label.as_bytes()], Length(N))
        .and_then(|okm| okm.fill(out.as_mut()))
        .expect("no key of this project is longer than 255 hashes");
    out
}

/// So many bytes from the system.
///
/// # Panics
///
/// If the system has no randomness to give: nothing safe could be done after that.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// A(key, nonce, aad, text): AES-256-GCM, the tag behind the text.
pub(crate) fn seal(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], text: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(text.len().saturating_add(TAG_LEN));
    sealed.extend_from_slice(text);
    aes(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
        .expect("no text of this project is near AES-GCM's 64 GiB");
    sealed
}

/// The text of [`seal`], or `None` if one of the four is another.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: [u8; 12],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let len = aes(key).open_in_place(nonce, Aad::from(aad), &mut text).ok()?.len();
    text.truncate(len);
    Some(text)
}

fn aes(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
}
