//! What lies sealed at the relay for an invite: keys for one device, or the way to several cards.

use jiashu_proto::canonical;
use jiashu_proto::id::{InviteId, LinkHash, MemberId, Scope};
use jiashu_roster::{Link, Op, PublicKey};
use minicbor::Decoder;
use minicbor::bytes::ByteArray;
use zeroize::{Zeroize, Zeroizing};

use crate::error::SealError;
use crate::invite::{InviteSecret, SCOPED_LEN};
use crate::keys::{KeyPair, KeyPairs};
use crate::primitive::{open, random, seal};

const BLOB_VERSION: u8 = 1;

/// The text of an invite's blob.
#[derive(Clone, Debug)]
pub enum Card {
    /// Lets one device into one family.
    Device(Box<DeviceCard>),
    /// Opens several, as the school's phone needs; each of them is a [`Card::Device`].
    Several(Vec<(Scope, InviteSecret)>),
}

/// What a device needs to join by an invite.
#[derive(Clone, Debug)]
pub struct DeviceCard {
    /// The hash of the link that holds the invite: the family, as its maker saw it.
    pub pin: LinkHash,
    /// The invite's keys.
    pub keys: KeyPairs,
    /// Every member as of that link, ascending, with the name the maker knows them by.
    pub names: Vec<(MemberId, String)>,
    /// What the device is to be called.
    pub device_name: Option<String>,
}

/// Where a card's invite stands in its family's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedInvite {
    /// The invite that the card opens.
    pub invite: InviteId,
    /// Whom the device will serve.
    pub members: Vec<MemberId>,
    /// Number of the link that holds it.
    pub link: u32,
}

type WireDevice = (
    u8,
    LinkHash,
    ByteArray<32>,
    PublicKey,
    ByteArray<32>,
    PublicKey,
    Vec<(MemberId, String)>,
    Option<String>,
);
type WireSeveral = (u8, Vec<ByteArray<SCOPED_LEN>>);

impl Card {
    /// The blob to leave at the relay, under a new random nonce.
    #[must_use]
    pub fn seal(&self, secret: &InviteSecret) -> Vec<u8> {
        self.seal_under(random(), secret)
    }

    pub(crate) fn seal_under(&self, nonce: [u8; 12], secret: &InviteSecret) -> Vec<u8> {
        let sealed = seal(&secret.blob_key(), nonce, &secret.code(), &self.to_text());
        [&[BLOB_VERSION], &nonce[..], &sealed].concat()
    }

    /// Opens a blob. A [`DeviceCard`] is to be trusted only after [`DeviceCard::check_against`].
    ///
    /// # Errors
    ///
    /// [`SealError::NotOpened`] under another secret, [`SealError::Malformed`] or
    /// [`SealError::Refused`] if its text is not that of a card, or its key pairs are none.
    pub fn open(blob: &[u8], secret: &InviteSecret) -> Result<Self, SealError> {
        const NOT_OPENED: SealError = SealError::NotOpened("invite");
        let (&[version], rest) = blob.split_first_chunk::<1>().ok_or(NOT_OPENED)?;
        if version != BLOB_VERSION {
            return Err(SealError::Refused("the invite is of an unknown version"));
        }
        let (nonce, sealed) = rest.split_first_chunk::<12>().ok_or(NOT_OPENED)?;
        let text = open(&secret.blob_key(), *nonce, &secret.code(), sealed).ok_or(NOT_OPENED)?;
        Self::from_text(&text)
    }

    fn to_text(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Device(card) => {
                let KeyPairs { sign, hpke } = &card.keys;
                canonical::encode(&(
                    1_u8,
                    card.pin,
                    ByteArray::from(*sign.private()),
                    sign.public(),
                    ByteArray::from(*hpke.private()),
                    hpke.public(),
                    &card.names,
                    &card.device_name,
                ))
            }
            Self::Several(cards) => {
                let cards: Vec<ByteArray<SCOPED_LEN>> =
                    cards.iter().map(|(scope, secret)| (*secret.scoped(*scope)).into()).collect();
                canonical::encode(&(2_u8, cards))
            }
        })
    }

    fn from_text(text: &[u8]) -> Result<Self, SealError> {
        let mut peek = Decoder::new(text);
        match peek.array().and_then(|_| peek.u64()) {
            Ok(1) => {
                let wire: WireDevice = canonical::decode(text).map_err(SealError::Malformed)?;
                let (_, pin, sign, sign_pub, hpke, hpke_pub, names, device_name) = wire;
                let keys = KeyPairs {
                    sign: checked_pair(sign, sign_pub)?,
                    hpke: checked_pair(hpke, hpke_pub)?,
                };
                Ok(Self::Device(Box::new(DeviceCard { pin, keys, names, device_name })))
            }
            Ok(2) => {
                let (_, cards): WireSeveral =
                    canonical::decode(text).map_err(SealError::Malformed)?;
                let cards = cards.iter().map(|card| InviteSecret::from_scoped(card));
                cards.collect::<Option<_>>().map(Self::Several).ok_or(UNKNOWN)
            }
            _ => Err(UNKNOWN),
        }
    }
}

const UNKNOWN: SealError = SealError::Refused("the invite is of an unknown kind");

fn checked_pair(private: ByteArray<32>, public: PublicKey) -> Result<KeyPair, SealError> {
    let mut private: [u8; 32] = private.into();
    let pair = KeyPair::from_private(&private);
    private.zeroize();
    pair.and_then(|pair| {
        if pair.public() == public {
            Ok(pair)
        } else {
            Err(SealError::Refused("a key of the invite is not of its pair"))
        }
    })
}

impl DeviceCard {
    /// Finds this card's invite in `chain`, all the family's links from link 1, which the roster
    /// took before.
    ///
    /// # Errors
    ///
    /// [`SealError::Refused`] if the chain has no such link, the link another invite, or the family
    /// had other members then: the relay shows another family than the one who made the card saw.
    pub fn check_against(&self, chain: &[Link]) -> Result<PinnedInvite, SealError> {
        let place = chain.iter().position(|link| link.hash() == self.pin);
        let place = place.ok_or(SealError::Refused("the chain has not the link of the invite"))?;
        let bodies = chain.iter().take(place.saturating_add(1)).map(Link::read);
        let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
        let members = bodies.iter().flat_map(|body| &body.ops).filter_map(|op| match op {
            Op::AddMember { member, .. } => Some(member),
            _ => None,
        });
        if !members.eq(self.names.iter().map(|(member, _)| member)) {
            return Err(SealError::Refused("the names are not those of the family's members"));
        }
        bodies
            .last()
            .and_then(|body| body.ops.iter().find_map(|op| self.own_invite(op, body.number)))
            .ok_or(SealError::Refused("the link of the invite names other keys"))
    }

    fn own_invite(&self, op: &Op, link: u32) -> Option<PinnedInvite> {
        match op {
            Op::AddInvite { invite, sign_pub, hpke_pub, members, .. }
                if *sign_pub == self.keys.sign.public() && *hpke_pub == self.keys.hpke.public() =>
            {
                Some(PinnedInvite { invite: *invite, members: members.clone(), link })
            }
            _ => None,
        }
    }
}
