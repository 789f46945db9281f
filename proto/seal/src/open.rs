//! The way back from a wrap to every key of the family.
//!
//! The links were checked by the roster before; here is what only a holder of keys can check.

use std::collections::BTreeMap;

use jiashu_proto::id::Epoch;
use jiashu_roster::{LinkBody, Recipient, Wraps};

use crate::error::SealError;
use crate::family_key::FamilyKey;
use crate::keys::KeyPair;
use crate::wrap::unwrap_key;

/// The key that the newest link brings, opened by one of its recipients.
///
/// It also opens the key before, and who knows that one compares: a ghost key shows here.
///
/// # Errors
///
/// [`SealError::BadKey`] if there is no wrap for `recipient`, it does not open, or the key before
/// behind it is not `known_previous`.
pub fn open_link_key(
    link: &LinkBody,
    wraps: &Wraps,
    recipient: Recipient,
    hpke: &KeyPair,
    known_previous: Option<&FamilyKey>,
) -> Result<FamilyKey, SealError> {
    let wrap = wraps.to(recipient).ok_or(SealError::BadKey("there is no wrap for this device"))?;
    let key = unwrap_key(wrap, hpke, link.prev)?;
    let previous = open_back(link, &key)?;
    if known_previous.is_some() && previous.as_ref() != known_previous {
        return Err(SealError::BadKey("the key before is another than the one known"));
    }
    Ok(key)
}

/// The key of the link before `link`, opened by `key` of `link`; `None` before link 2.
///
/// # Errors
///
/// [`SealError::BadKey`] if it does not open.
pub fn open_back(link: &LinkBody, key: &FamilyKey) -> Result<Option<FamilyKey>, SealError> {
    let part = link.key.as_ref().ok_or(SealError::BadKey("the link brings no key"))?;
    if link.number == 2 && part.back.is_empty() {
        return Ok(None);
    }
    key.open_back(&link.prev.0, &part.back).map(Some)
}

/// Every key of the family by its epoch, walking back from `newest`, the last link's.
///
/// `links` is the chain from link 1, as the roster took it.
///
/// # Errors
///
/// [`SealError::BadKey`] at the first link whose key before does not open.
pub fn open_all(
    links: &[LinkBody],
    newest: &FamilyKey,
) -> Result<BTreeMap<Epoch, FamilyKey>, SealError> {
    let mut keys = BTreeMap::new();
    let mut key = Some(newest.clone());
    for link in links.iter().rev() {
        let Some(current) = key else { break };
        key = open_back(link, &current)?;
        keys.insert(link.number, current);
    }
    if key.is_some() {
        return Err(SealError::BadKey("the chain does not begin with link 1"));
    }
    Ok(keys)
}
