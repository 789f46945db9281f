//! Writing links: what a client signs, having checked it as every reader will.

use jiashu_proto::id::{DeviceId, InviteId, LinkHash};
use jiashu_roster::{Author, KeyPart, Link, LinkBody, Op, Roster, Wrap, Wraps, signed_bytes};

use crate::error::SealError;
use crate::family_key::FamilyKey;
use crate::keys::KeyPair;
use crate::wrap::wrap_key;

/// Who signs a link.
#[derive(Clone, Copy, Debug)]
pub enum Signer<'a> {
    /// A live device that serves a parent or caregiver, with its signing pair.
    Device(DeviceId, &'a KeyPair),
    /// An open invite, for its join, with its signing pair.
    Invite(InviteId, &'a KeyPair),
}

/// A link ready to be handed to the relay. Each attempt makes another, with another key.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// CBOR of the link.
    pub link: Vec<u8>,
    /// CBOR of the wraps beside it.
    pub wraps: Vec<u8>,
    /// The key it brings: in force once the relay has taken the link, never before.
    pub key: FamilyKey,
    /// h(link), what bodies under the key are bound to.
    pub hash: LinkHash,
    /// The roster as it will be.
    pub roster: Roster,
}

/// Link 1: no wraps and no key, as nobody has joined.
#[derive(Clone, Debug)]
pub struct FirstLink {
    /// CBOR of the link.
    pub link: Vec<u8>,
    /// h(link): the pin of every card in it.
    pub hash: LinkHash,
    /// The roster as it will be.
    pub roster: Roster,
}

/// Writes link 1 of a family with these members and invites, by a key that is forgotten here.
///
/// # Errors
///
/// [`SealError::Link`] if the ops could not stand in it.
pub fn write_first_link(ops: Vec<Op>) -> Result<FirstLink, SealError> {
    let founder = KeyPair::generate();
    let author = Author::Founder(founder.public());
    let body = LinkBody { number: 1, prev: LinkHash::NONE, author, ops, key: None };
    let link = signed(&body, &founder);
    let mut roster = Roster::new();
    roster.append(&link.to_bytes(), None)?;
    Ok(FirstLink { link: link.to_bytes(), hash: link.hash(), roster })
}

/// Writes the link after `roster`, which brings a new key, wrapped for exactly those who are
/// in after it. No ops: it only turns the key.
///
/// `previous` is the key of the newest link; `None` only when writing link 2.
///
/// # Errors
///
/// [`SealError::Link`] if such a link could not follow, [`SealError::Refused`] if `previous` is
/// missing or too much.
pub fn write_link(
    roster: &Roster,
    signer: Signer<'_>,
    ops: Vec<Op>,
    previous: Option<&FamilyKey>,
) -> Result<NewLink, SealError> {
    let (author, pair) = match signer {
        Signer::Device(device, pair) => (Author::Device(device), pair),
        Signer::Invite(invite, pair) => (Author::Invite(invite), pair),
    };
    let prev = roster.head();
    let key = FamilyKey::generate();
    let wraps = roster
        .recipients_after(&author, &ops)?
        .into_iter()
        .map(|(recipient, public)| Ok(Wrap { recipient, sealed: wrap_key(&key, &public, prev)? }))
        .collect::<Result<Vec<_>, SealError>>()?;
    let wraps = Wraps::new(wraps).expect("a map has no key twice");
    let back = match (previous, roster.number()) {
        (None, 1) => Vec::new(),
        (Some(previous), 2..) => key.seal_back(&prev.0, previous),
        _ => return Err(SealError::Refused("the key before is needed, save in link 2")),
    };
    let body = LinkBody {
        number: roster.number().saturating_add(1),
        prev,
        author,
        ops,
        key: Some(KeyPart { back, wraps_hash: wraps.hash() }),
    };
    let link = signed(&body, pair);
    let wraps = wraps.to_bytes();
    let mut after = roster.clone();
    after.append(&link.to_bytes(), Some(&wraps))?;
    Ok(NewLink { link: link.to_bytes(), wraps, key, hash: link.hash(), roster: after })
}

fn signed(body: &LinkBody, pair: &KeyPair) -> Link {
    let body = body.to_bytes();
    let signature = pair.sign(&signed_bytes(&body));
    Link { body, signature }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::MemberId;

    use super::*;
    use crate::keys::KeyPairs;
    use crate::testing::{Family, invite_op};

    #[test]
    fn a_key_that_stood_in_the_chain_before_is_not_let_in_again() {
        let mut family = Family::joined();
        let used = family.invites[&InviteId(1)].clone();
        let swapped = KeyPairs { sign: used.hpke.clone(), hpke: KeyPair::generate() };
        let one_twice = KeyPair::generate();
        let twice = KeyPairs { sign: one_twice.clone(), hpke: one_twice };

        for keys in [used, swapped, twice] {
            let op = invite_op(InviteId(3), &keys, vec![MemberId(1)]);
            let error = family.write(DeviceId(1), vec![op]).unwrap_err();

            assert!(error.to_string().contains("twice"), "{error}");
        }
    }

    #[test]
    fn a_device_stays_a_grown_ups_after_its_own_link() {
        let mut family = Family::joined();
        let op = Op::SetMembers { device: DeviceId(1), members: vec![MemberId(2)] };

        let error = family.write(DeviceId(1), vec![op]).unwrap_err();

        assert!(error.to_string().contains("no parent or caregiver"), "{error}");
    }

    #[test]
    fn a_link_with_no_ops_only_turns_the_key() {
        let mut family = Family::joined();
        let before = family.key.clone();

        let new = family.write(DeviceId(1), Vec::new()).unwrap();

        assert_ne!(Some(new.key), before);
        assert_eq!(family.roster.number(), 4);
    }

    #[test]
    fn each_attempt_at_a_link_makes_another_key() {
        let family = Family::joined();
        let signer = Signer::Device(DeviceId(1), &family.devices[&DeviceId(1)].sign);
        let attempt =
            || write_link(&family.roster, signer, Vec::new(), family.key.as_ref()).unwrap();

        assert_ne!(attempt().key, attempt().key);
    }

    #[test]
    fn only_the_first_join_goes_without_the_key_before() {
        let family = Family::joined();
        let signer = Signer::Device(DeviceId(1), &family.devices[&DeviceId(1)].sign);

        let error = write_link(&family.roster, signer, Vec::new(), None).unwrap_err();

        assert!(matches!(error, SealError::Refused(_)));
    }

    #[test]
    fn stored_keys_read_back_and_are_not_printed() {
        let keys = KeyPairs::generate();

        let read = KeyPairs::from_bytes(&keys.to_bytes()).unwrap();

        assert_eq!(read.to_bytes(), keys.to_bytes());
        let private: String =
            keys.sign.private().iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!format!("{keys:?}").contains(&private));
        assert!(KeyPairs::from_bytes(&[0; 64]).is_err(), "0 is no private key");
    }
}
