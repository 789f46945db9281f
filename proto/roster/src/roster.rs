//! Who is in a family after some number of links, and whether the next link may follow.
//!
//! What each op does stands in `apply`; here is what makes a link a link: its place, its author,
//! its signature, its key and its wraps.

use std::collections::{BTreeMap, BTreeSet};

use jiashu_proto::id::{DeviceId, Epoch, InviteId, LinkHash, MemberId, Millis, Role, TokenHash};

use crate::change::Change;
use crate::error::LinkError;
use crate::key::PublicKey;
use crate::link::{Author, KeyPart, Link, LinkBody, Op, signed_bytes};
use crate::wraps::{Recipient, Wraps};

/// Length in bytes of the sealed key of the link before.
const BACK_LEN: usize = 48;

/// A live device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Signs its links.
    pub sign_pub: PublicKey,
    /// Family keys are wrapped to it.
    pub hpke_pub: PublicKey,
    /// Of its token.
    pub token_hash: TokenHash,
    /// Whom it serves, ascending.
    pub members: Vec<MemberId>,
    /// Number of the link by which it joined.
    pub joined: u32,
    /// The card it came in by.
    pub invite: InviteId,
}

/// An open invite: not used and not closed. Whether it expired is the relay's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Signs the join.
    pub sign_pub: PublicKey,
    /// Family keys are wrapped to it.
    pub hpke_pub: PublicKey,
    /// Whom its device will serve, ascending.
    pub members: Vec<MemberId>,
    /// Until when the relay takes it.
    pub expires_at: Millis,
    /// The device that made it; `None` if the worker did, in link 1.
    pub made_by: Option<DeviceId>,
    /// Number of the link that made it.
    pub made: u32,
}

/// The state of a family's chain. [`Roster::new`] is before link 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    number: Epoch,
    hashes: Vec<LinkHash>,
    wraps_hash: Option<[u8; 32]>,
    pub(crate) members: BTreeMap<MemberId, Role>,
    pub(crate) devices: BTreeMap<DeviceId, Device>,
    pub(crate) invites: BTreeMap<InviteId, Invite>,
    pub(crate) last_device: u32,
    pub(crate) last_invite: u32,
    pub(crate) public_keys: BTreeSet<PublicKey>,
}

impl Roster {
    /// A family of no links yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next link with what came beside it, as the relay commits it.
    ///
    /// Link 1 comes without wraps, every later one with exactly the wraps of [`Self::recipients`]
    /// after it.
    ///
    /// # Errors
    ///
    /// [`LinkError`]; the roster is then as it was.
    pub fn append(&mut self, link: &[u8], wraps: Option<&[u8]>) -> Result<Change, LinkError> {
        let mut next = self.clone();
        let change = next.take(&Link::parse(link)?)?;
        match (next.wraps_hash, wraps) {
            (None, None) => {}
            (None, Some(_)) => return Err(LinkError::Wraps("link 1 has none")),
            (Some(_), None) => return Err(LinkError::Wraps("a link commits with its wraps")),
            (Some(_), Some(wraps)) => drop(next.check_wraps(wraps)?),
        }
        *self = next;
        Ok(change)
    }

    /// Takes the next link without its wraps, of which only the newest link's are kept.
    ///
    /// Who has followed up to the head goes on with [`Self::check_wraps`].
    ///
    /// # Errors
    ///
    /// [`LinkError`]; the roster is then as it was.
    pub fn follow(&mut self, link: &[u8]) -> Result<Change, LinkError> {
        let mut next = self.clone();
        let change = next.take(&Link::parse(link)?)?;
        *self = next;
        Ok(change)
    }

    /// The roster after all of `links`, from link 1, and what each changed.
    ///
    /// # Errors
    ///
    /// [`LinkError`] of the first link that does not follow.
    pub fn replay<L: AsRef<[u8]>>(
        links: impl IntoIterator<Item = L>,
    ) -> Result<(Self, Vec<Change>), LinkError> {
        let mut roster = Self::new();
        let changes = links
            .into_iter()
            .map(|link| roster.take(&Link::parse(link.as_ref())?))
            .collect::<Result<_, _>>()?;
        Ok((roster, changes))
    }

    /// Reads the wraps beside the newest link: those it was written with, to exactly
    /// [`Self::recipients`]. Whether one opens, only its recipient can tell.
    ///
    /// # Errors
    ///
    /// [`LinkError::Wraps`].
    pub fn check_wraps(&self, bytes: &[u8]) -> Result<Wraps, LinkError> {
        let wraps = Wraps::parse(bytes)?;
        if Some(wraps.hash()) != self.wraps_hash {
            return Err(LinkError::Wraps("not those that the link was written with"));
        }
        if !wraps.iter().map(|wrap| wrap.recipient).eq(self.recipients().into_keys()) {
            return Err(LinkError::Wraps("not exactly to the live devices and open invites"));
        }
        Ok(wraps)
    }

    /// To whom a link by `author` with these ops would wrap its key: for the client that writes it.
    ///
    /// # Errors
    ///
    /// [`LinkError::Refused`] if such a link could not follow.
    pub fn recipients_after(
        &self,
        author: &Author,
        ops: &[Op],
    ) -> Result<BTreeMap<Recipient, PublicKey>, LinkError> {
        let mut next = self.clone();
        next.number = self.number.saturating_add(1);
        next.author_key(author)?;
        next.apply(author, ops)?;
        Ok(next.recipients())
    }

    /// The whole check of a link but its wraps. On an error the state is spoilt.
    fn take(&mut self, link: &Link) -> Result<Change, LinkError> {
        let body = link.read()?;
        if body.number.checked_sub(1) != Some(self.number) || body.prev != self.head() {
            return Err(LinkError::DoesNotFollow { number: body.number, head: self.number });
        }
        self.number = body.number;
        if !self.author_key(&body.author)?.verifies(&signed_bytes(&link.body), &link.signature) {
            return Err(LinkError::Refused("the signature is not its author's"));
        }
        self.wraps_hash = checked_key(&body)?.map(|key| key.wraps_hash);
        let events = self.apply(&body.author, &body.ops)?;
        let hash = link.hash();
        self.hashes.push(hash);
        Ok(Change { number: body.number, hash, author: body.author, events })
    }

    /// The key of an author who may write the link now being taken.
    fn author_key(&self, author: &Author) -> Result<PublicKey, LinkError> {
        match author {
            Author::Founder(key) if self.number == 1 => Ok(*key),
            Author::Founder(_) => Err(LinkError::Refused("a founder writes link 1 alone")),
            _ if self.number == 1 => Err(LinkError::Refused("link 1 is by its founder")),
            Author::Device(device) => {
                let device = self.devices.get(device);
                let device = device.ok_or(LinkError::Refused("its author is not a live device"))?;
                self.check_serves_adult(device)?;
                Ok(device.sign_pub)
            }
            Author::Invite(invite) => self
                .invites
                .get(invite)
                .map(|invite| invite.sign_pub)
                .ok_or(LinkError::Refused("its author is not an open invite")),
        }
    }

    /// The number of links taken: 0 before link 1, and from 2 on the epoch in force.
    #[must_use]
    pub fn number(&self) -> Epoch {
        self.number
    }

    /// The hash of the newest link, `prev` of the next; [`LinkHash::NONE`] before link 1.
    #[must_use]
    pub fn head(&self) -> LinkHash {
        self.hashes.last().copied().unwrap_or(LinkHash::NONE)
    }

    /// The hash of link `number`, which every body sealed in that epoch is bound to.
    #[must_use]
    pub fn hash_of(&self, number: Epoch) -> Option<LinkHash> {
        self.hashes.get(usize::try_from(number.checked_sub(1)?).ok()?).copied()
    }

    /// Whether this very link was taken already, so that meeting it again is no fork.
    #[must_use]
    pub fn has(&self, link: &Link) -> bool {
        self.hashes.contains(&link.hash())
    }

    /// Who belongs to the family.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<MemberId, Role> {
        &self.members
    }

    /// The live devices.
    #[must_use]
    pub fn devices(&self) -> &BTreeMap<DeviceId, Device> {
        &self.devices
    }

    /// The open invites.
    #[must_use]
    pub fn invites(&self) -> &BTreeMap<InviteId, Invite> {
        &self.invites
    }

    /// Whether this public key stands in the chain, of a device or invite that is or was.
    #[must_use]
    pub fn knows_key(&self, key: &PublicKey) -> bool {
        self.public_keys.contains(key)
    }

    /// The number that the next member must have.
    #[must_use]
    pub fn next_member(&self) -> MemberId {
        let last = self.members.last_key_value().map_or(0, |(member, _)| member.0);
        MemberId(last.saturating_add(1))
    }

    /// The number that the next device must have.
    #[must_use]
    pub fn next_device(&self) -> DeviceId {
        DeviceId(self.last_device.saturating_add(1))
    }

    /// The number that the next invite must have.
    #[must_use]
    pub fn next_invite(&self) -> InviteId {
        InviteId(self.last_invite.saturating_add(1))
    }

    /// Whether the device is live and serves a parent or caregiver, so may change the roster.
    #[must_use]
    pub fn may_write(&self, device: DeviceId) -> bool {
        self.devices.get(&device).is_some_and(|device| self.check_serves_adult(device).is_ok())
    }

    /// Exactly those who have a wrap of the newest key, with the key it is wrapped to.
    #[must_use]
    pub fn recipients(&self) -> BTreeMap<Recipient, PublicKey> {
        let devices =
            self.devices.iter().map(|(id, device)| (Recipient::Device(*id), device.hpke_pub));
        let invites =
            self.invites.iter().map(|(id, invite)| (Recipient::Invite(*id), invite.hpke_pub));
        devices.chain(invites).collect()
    }
}

/// The key part, as the link's number wants it: none, with an empty `back`, with a whole one.
fn checked_key(body: &LinkBody) -> Result<Option<&KeyPart>, LinkError> {
    match (&body.key, body.number) {
        (None, 1) => Ok(None),
        (Some(_), 1) => Err(LinkError::Refused("link 1 brings no key")),
        (None, _) => Err(LinkError::Refused("every later link brings a key")),
        (Some(key), 2) if key.back.is_empty() => Ok(Some(key)),
        (Some(_), 2) => Err(LinkError::Refused("there is no key before link 2")),
        (Some(key), _) if key.back.len() == BACK_LEN => Ok(Some(key)),
        (Some(_), _) => Err(LinkError::Refused("the key before is 48 bytes")),
    }
}
