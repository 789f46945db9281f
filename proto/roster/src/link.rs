//! A link as it travels and as it reads. Whether it may follow is the roster's to say.
//!
//! What is hashed or signed is kept as the bytes received, never encoded again.

use jiashu_proto::canonical;
use jiashu_proto::id::{DeviceId, InviteId, LinkHash, MemberId, Millis, Role, TokenHash};
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Decoder, Encode};

use crate::digest::sha256;
use crate::error::LinkError;
use crate::key::PublicKey;

const VERSION: u8 = 1;

/// One link of the chain: a body and its signature, as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The CBOR of a [`LinkBody`]; what is hashed and signed.
    pub body: Vec<u8>,
    /// ECDSA P-256 with SHA-256, r and s, over [`signed_bytes`].
    pub signature: [u8; 64],
}

impl Link {
    /// Reads CBOR [body, signature]. The body is not looked into: [`Link::read`].
    ///
    /// # Errors
    ///
    /// [`LinkError::Malformed`] for any other bytes, and for another form of the same.
    pub fn parse(bytes: &[u8]) -> Result<Self, LinkError> {
        let (body, signature): (ByteVec, ByteArray<64>) =
            canonical::decode(bytes).map_err(LinkError::of_reading)?;
        Ok(Self { body: body.into(), signature: signature.into() })
    }

    /// The bytes that [`Link::parse`] reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(&(ByteVec::from(self.body.clone()), ByteArray::from(self.signature)))
    }

    /// h(link): two links with the same hash are the same link, whatever their signatures.
    #[must_use]
    pub fn hash(&self) -> LinkHash {
        LinkHash(sha256(&self.body))
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// As of [`LinkBody::parse`].
    pub fn read(&self) -> Result<LinkBody, LinkError> {
        LinkBody::parse(&self.body)
    }
}

/// What the signature of a link with this body is over.
#[must_use]
pub fn signed_bytes(body: &[u8]) -> Vec<u8> {
    [b"jiashu/1 link", body].concat()
}

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkBody {
    /// From 1; from 2 on also the epoch that its key opens.
    pub number: u32,
    /// The hash of the link before; [`LinkHash::NONE`] in link 1.
    pub prev: LinkHash,
    /// Who signed.
    pub author: Author,
    /// What changes, in this order. None: the link only turns the key.
    pub ops: Vec<Op>,
    /// The key that every link but the first brings.
    pub key: Option<KeyPart>,
}

/// version, number, prev, author, ops, key. A tuple writes a null at its end, a struct would not.
type WireBody = (u8, u32, LinkHash, Author, Vec<Op>, Option<KeyPart>);

impl LinkBody {
    /// Reads the body of a link.
    ///
    /// # Errors
    ///
    /// [`LinkError::Unknown`] if a newer version or op stands in it, [`LinkError::Malformed`] for
    /// any other bytes, and for another form of the same.
    pub fn parse(bytes: &[u8]) -> Result<Self, LinkError> {
        // A newer version may have another shape, so its number is read before the rest.
        let mut peek = Decoder::new(bytes);
        if peek.array().is_ok() && peek.u64().is_ok_and(|version| version != u64::from(VERSION)) {
            return Err(LinkError::Unknown("version"));
        }
        let (_, number, prev, author, ops, key): WireBody =
            canonical::decode(bytes).map_err(LinkError::of_reading)?;
        Ok(Self { number, prev, author, ops, key })
    }

    /// The bytes that [`LinkBody::parse`] reads, for a link about to be signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(&(VERSION, self.number, self.prev, &self.author, &self.ops, &self.key))
    }
}

/// Who writes a link.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Author {
    /// Only of link 1: a key made for it by the worker's client and thrown away.
    #[n(0)]
    Founder(#[n(0)] PublicKey),
    /// A live device that serves a parent or caregiver.
    #[n(1)]
    Device(#[n(0)] DeviceId),
    /// An open invite, for its own join.
    #[n(2)]
    Invite(#[n(0)] InviteId),
}

impl Author {
    /// The device that writes, if one does.
    #[must_use]
    pub fn device(&self) -> Option<DeviceId> {
        match self {
            Self::Device(device) => Some(*device),
            Self::Founder(_) | Self::Invite(_) => None,
        }
    }
}

/// One change to who is in the family.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Op {
    /// A person belongs to the family from now on.
    #[n(1)]
    AddMember {
        /// The last member's number plus one.
        #[n(0)]
        member: MemberId,
        /// Never changes.
        #[n(1)]
        role: Role,
    },
    /// A card is made, that lets one device in.
    #[n(2)]
    AddInvite {
        /// The last invite's number plus one.
        #[n(0)]
        invite: InviteId,
        /// Signs the join.
        #[n(1)]
        sign_pub: PublicKey,
        /// Family keys are wrapped to it until it is used or closed.
        #[n(2)]
        hpke_pub: PublicKey,
        /// Whom the device will serve.
        #[n(3)]
        members: Vec<MemberId>,
        /// Enforced by the relay when somebody joins, not by the chain.
        #[n(4)]
        expires_at: Millis,
    },
    /// A device comes in by the invite that signs, and closes it.
    #[n(3)]
    Join {
        /// The last device's number plus one.
        #[n(0)]
        device: DeviceId,
        /// Signs this device's links.
        #[n(1)]
        sign_pub: PublicKey,
        /// Family keys are wrapped to it while it is live.
        #[n(2)]
        hpke_pub: PublicKey,
        /// Of the token that opens the relay to it.
        #[n(3)]
        token_hash: TokenHash,
    },
    /// A device is out, with every open invite it made.
    #[n(4)]
    RemoveDevice {
        /// Not the link's author.
        #[n(0)]
        device: DeviceId,
        /// Whether the relay asked for it.
        #[n(1)]
        asked: Asked,
    },
    /// An open invite is closed.
    #[n(5)]
    CloseInvite {
        /// Which.
        #[n(0)]
        invite: InviteId,
        /// Whether the relay asked for it.
        #[n(1)]
        asked: Asked,
    },
    /// A device serves these members from now on.
    #[n(6)]
    SetMembers {
        /// Which.
        #[n(0)]
        device: DeviceId,
        /// All of them.
        #[n(1)]
        members: Vec<MemberId>,
    },
}

/// Whether somebody of the family thought of a removal, or the relay asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Asked {
    /// The family's own wish.
    #[n(0)]
    ByFamily,
    /// Staff voided it, or it expired, and the relay asked the next client.
    #[n(1)]
    ByRelay,
}

/// How a link carries its new key, without showing it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KeyPart {
    /// The key of the link before, sealed under this link's: 48 bytes, in link 2 none.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub back: Vec<u8>,
    /// SHA-256 of the wraps that were written with the link.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub wraps_hash: [u8; 32],
}
