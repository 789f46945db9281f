//! Links to voice notes: who may fetch which bytes until when, vouched for by the relay's own keys. Pure.
//!
//! Two keys hold at once, the newest signs. A key signs for [`SIGNS_MS`] and holds as long again, and no link lasts
//! longer than that: so links outlive the rotation, and none outlives its key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::id::{DeviceId, Millis, Ref, Scope};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use ring::digest::{SHA256, digest};
use ring::hmac;

/// How long a key signs, in ms; a link lasts no longer.
pub const SIGNS_MS: Millis = 30 * 24 * 60 * 60 * 1000;

/// What a signature is for: no other of this relay's can be taken for it.
const PURPOSE: &[u8] = b"jiashu/1 voice link\0GET\0";

/// Length of what is signed: key, family, device, bytes, expiry.
const SIGNED_LEN: usize = 1 + 8 + 4 + 12 + 8;

/// Length of HMAC-SHA256.
const TAG_LEN: usize = 32;

/// Length of a link's text.
const TEXT_LEN: usize = ((SIGNED_LEN + TAG_LEN) * 4).div_ceil(3);

/// What a link allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose bytes.
    pub scope: Scope,
    /// The device that had it made: with it the link ends.
    pub device: DeviceId,
    /// Which bytes.
    pub id: Ref,
    /// Until when, in ms.
    pub expires_at: Millis,
}

/// A key, and since when it signs.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct LinkKey {
    /// 32 random bytes.
    #[n(0)]
    pub secret: ByteArray<32>,
    /// In ms.
    #[n(1)]
    pub since: Millis,
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkKey").field("since", &self.since).finish_non_exhaustive()
    }
}

/// The keys that hold, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct LinkKeys(#[n(0)] pub Vec<LinkKey>);

/// Why a text is no link that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLink {
    /// Not made by this relay, or changed.
    Wrong,
    /// Signed by a key that is not known here.
    UnknownKey,
    /// It has expired.
    Expired,
}

impl LinkKeys {
    /// The key that signs now; `None` if it is time for a new one.
    #[must_use]
    pub fn signing(&self, now: Millis) -> Option<&LinkKey> {
        let Self(keys) = self;
        keys.first().filter(|key| now < key.since.saturating_add(SIGNS_MS))
    }

    /// These with a new one that signs from now on; the one before holds on.
    #[must_use]
    pub fn with_new(&self, secret: [u8; 32], now: Millis) -> Self {
        let Self(keys) = self;
        let new = LinkKey { secret: secret.into(), since: now };
        Self(std::iter::once(new).chain(keys.first().cloned()).collect())
    }

    /// Signs a link, by the key that signs now; `None` if there is none.
    #[must_use]
    pub fn sign(&self, link: &Link, now: Millis) -> Option<String> {
        let key = self.signing(now)?;
        let signed = signed(key, link);
        let mac = tag(key, &signed);
        Some(URL_SAFE_NO_PAD.encode([&signed[..], mac.as_ref()].concat()))
    }

    /// Reads a link, in its one form and no other.
    ///
    /// # Errors
    ///
    /// [`NoLink`].
    pub fn read(&self, text: &str, now: Millis) -> Result<Link, NoLink> {
        if text.len() != TEXT_LEN {
            return Err(NoLink::Wrong);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoLink::Wrong)?;
        let (signed, mac) = bytes.split_at_checked(SIGNED_LEN).ok_or(NoLink::Wrong)?;
        let Self(keys) = self;
        let id = signed.first().copied();
        let mut candidates = keys.iter().filter(|key| Some(key_id(key)) == id).peekable();
        candidates.peek().ok_or(NoLink::UnknownKey)?;
        let holds =
            |key: &&LinkKey| hmac::verify(&hmac_key(key), &[PURPOSE, signed].concat(), mac).is_ok();
        let key = candidates.find(holds).ok_or(NoLink::Wrong)?;
        let link = link_of(signed).ok_or(NoLink::Wrong)?;
        // Longer than its key holds no link may last, whatever it says.
        let ends = link.expires_at.min(key.since.saturating_add(SIGNS_MS.saturating_mul(2)));
        if now < ends { Ok(link) } else { Err(NoLink::Expired) }
    }
}

fn signed(key: &LinkKey, link: &Link) -> Vec<u8> {
    let Link { scope, device, id, expires_at } = link;
    let numbers = (scope.0.to_be_bytes(), device.0.to_be_bytes(), expires_at.to_be_bytes());
    [&[key_id(key)][..], &numbers.0, &numbers.1, &id.0, &numbers.2].concat()
}

fn link_of(signed: &[u8]) -> Option<Link> {
    let (scope, rest) = signed.get(1..)?.split_first_chunk::<8>()?;
    let (device, rest) = rest.split_first_chunk::<4>()?;
    let (id, expires_at) = rest.split_first_chunk::<12>()?;
    Some(Link {
        scope: Scope(u64::from_be_bytes(*scope)),
        device: DeviceId(u32::from_be_bytes(*device)),
        id: Ref(*id),
        expires_at: Millis::from_be_bytes(expires_at.try_into().ok()?),
    })
}

fn hmac_key(key: &LinkKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &*key.secret)
}

fn tag(key: &LinkKey, signed: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac_key(key), &[PURPOSE, signed].concat())
}

/// Tells keys apart; says nothing of them that is of use.
fn key_id(key: &LinkKey) -> u8 {
    let labelled = [b"jiashu/1 link key id".as_slice(), &*key.secret].concat();
    digest(&SHA256, &labelled).as_ref().first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Millis = 1_790_000_000_000;
    const DAY_MS: Millis = 24 * 60 * 60 * 1000;

    fn keys() -> LinkKeys {
        LinkKeys::default().with_new([7; 32], NOW)
    }

    fn link() -> Link {
        let expires_at = NOW + DAY_MS;
        Link { scope: Scope(9), device: DeviceId(3), id: Ref([5; 12]), expires_at }
    }

    #[test]
    fn a_link_reads_back_until_it_expires() {
        let text = keys().sign(&link(), NOW).unwrap();

        assert_eq!(text.len(), TEXT_LEN);
        assert_eq!(keys().read(&text, NOW + DAY_MS - 1), Ok(link()));
        assert_eq!(keys().read(&text, NOW + DAY_MS), Err(NoLink::Expired));
    }

    #[test]
    fn a_link_outlives_one_rotation_and_not_two() {
        let text = keys().sign(&Link { expires_at: Millis::MAX, ..link() }, NOW).unwrap();
        assert_eq!(keys().signing(NOW + SIGNS_MS), None, "time for a new one");

        let once = keys().with_new([8; 32], NOW + SIGNS_MS);
        let twice = once.with_new([9; 32], NOW + 2 * SIGNS_MS);

        assert!(once.read(&text, NOW + SIGNS_MS).is_ok());
        assert_eq!(once.read(&text, NOW + 2 * SIGNS_MS), Err(NoLink::Expired));
        assert_eq!(twice.read(&text, NOW + SIGNS_MS), Err(NoLink::UnknownKey));
        assert_eq!(twice.0.len(), 2, "two hold at once");
    }

    #[test]
    fn another_purpose_or_method_makes_another_tag() {
        let keys = keys();
        let key = keys.signing(NOW).unwrap();
        let signed = signed(key, &link());

        for purpose in [&b"jiashu/1 voice link\0HEAD\0"[..], b"jiashu/1 voice link\0PUT\0", b""] {
            let forged = hmac::sign(&hmac_key(key), &[purpose, &signed].concat());
            let text = URL_SAFE_NO_PAD.encode([&signed[..], forged.as_ref()].concat());
            assert_eq!(keys.read(&text, NOW), Err(NoLink::Wrong));
        }
    }

    proptest! {
        #[test]
        fn no_change_of_a_link_is_one(at in 0..TEXT_LEN, with in any::<char>()) {
            let text = keys().sign(&link(), NOW).unwrap();
            let mut changed: Vec<char> = text.chars().collect();
            changed[at] = with;
            let changed: String = changed.into_iter().collect();

            prop_assume!(changed != text);
            prop_assert!(keys().read(&changed, NOW).is_err());
        }

        #[test]
        fn nothing_else_is_a_link(text in ".{0,120}") {
            prop_assert!(keys().read(&text, NOW).is_err());
        }
    }
}
