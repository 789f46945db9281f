//! The wraps beside a link: its key, once for each device and open invite. Nothing here opens one.

use jiashu_proto::canonical;
use jiashu_proto::id::{DeviceId, InviteId};
use minicbor::bytes::ByteArray;

use crate::digest::sha256;
use crate::error::LinkError;

/// Length of one wrap in bytes: HPKE's encapsulated key (65) and the sealed key with its tag (48).
pub const WRAP_LEN: usize = 113;

/// To whom a family key is wrapped. Ordered as the wraps are: devices first, each by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    /// A live device.
    Device(DeviceId),
    /// An open invite.
    Invite(InviteId),
}

impl Recipient {
    fn to_wire(self) -> (u8, u32) {
        match self {
            Self::Device(device) => (1, device.0),
            Self::Invite(invite) => (2, invite.0),
        }
    }

    fn from_wire(kind: u8, number: u32) -> Option<Self> {
        match kind {
            1 => Some(Self::Device(DeviceId(number))),
            2 => Some(Self::Invite(InviteId(number))),
            _ => None,
        }
    }
}

/// The key of a link, sealed to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrap {
    /// Who opens it.
    pub recipient: Recipient,
    /// enc and ct of HPKE.
    pub sealed: [u8; WRAP_LEN],
}

/// All the wraps of one link, ascending by recipient, one each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wraps {
    list: Vec<Wrap>,
}

type WireWrap = (u8, u32, ByteArray<WRAP_LEN>);

impl Wraps {
    /// Puts the wraps in order. `None` if a recipient stands in it twice.
    #[must_use]
    pub fn new(mut list: Vec<Wrap>) -> Option<Self> {
        list.sort_by_key(|wrap| wrap.recipient);
        list.is_sorted_by(|one, next| one.recipient < next.recipient).then_some(Self { list })
    }

    /// Reads the wraps as they were written. Whether they are those of the link,
    /// [`Roster::check_wraps`](crate::Roster::check_wraps) says.
    ///
    /// # Errors
    ///
    /// [`LinkError::Wraps`] for any other bytes, and for another order or form of the same.
    pub fn parse(bytes: &[u8]) -> Result<Self, LinkError> {
        let wire: Vec<WireWrap> = canonical::decode(bytes)
            .map_err(|_| LinkError::Wraps("not the deterministic CBOR of wraps"))?;
        let list: Vec<Wrap> = wire
            .into_iter()
            .map(|(kind, number, sealed)| {
                let recipient = Recipient::from_wire(kind, number)?;
                Some(Wrap { recipient, sealed: sealed.into() })
            })
            .collect::<Option<_>>()
            .ok_or(LinkError::Wraps("a wrap is to a device or an invite"))?;
        if !list.is_sorted_by(|one, next| one.recipient < next.recipient) {
            return Err(LinkError::Wraps("not ascending, one each"));
        }
        Ok(Self { list })
    }

    /// The bytes that [`Wraps::parse`] reads and a link's `wraps_hash` is of.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let wire: Vec<WireWrap> = self
            .list
            .iter()
            .map(|wrap| {
                let (kind, number) = wrap.recipient.to_wire();
                (kind, number, ByteArray::from(wrap.sealed))
            })
            .collect();
        canonical::encode(&wire)
    }

    /// What a link that brings these wraps says of them.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.to_bytes())
    }

    /// The wrap to this recipient, if there is one.
    #[must_use]
    pub fn to(&self, recipient: Recipient) -> Option<&[u8; WRAP_LEN]> {
        self.list.iter().find(|wrap| wrap.recipient == recipient).map(|wrap| &wrap.sealed)
    }

    /// All of them, ascending by recipient.
    pub fn iter(&self) -> impl Iterator<Item = &Wrap> {
        self.list.iter()
    }
}
