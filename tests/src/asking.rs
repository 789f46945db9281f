//! A new phone that asks to be let in, by keys of its own, and how the family answers.

use jiashu_proto::entry::{Content, RequestFact};
use jiashu_proto::frame::{
    Card as CardFrame, ClientFrame, Invited, Refused, RelayFrame, Request, Requested,
};
use jiashu_proto::id::{Millis, Scope};
use jiashu_roster::{Link, LinkBody, Op, PublicKey, Recipient, Roster, code_hash, compare_groups};
use jiashu_seal::{DeviceCard, InviteSecret, KeyPairs, PinnedInvite, SealError, open_link_key};

use crate::device::RawDevice;
use crate::joining::{Opened, Way};
use crate::raw::Raw;

/// A phone without a card, with a link that staff gave.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The relay that the link names.
    pub raw: Raw,
    /// Of the card to be.
    pub keys: KeyPairs,
    /// Its own, by whose code it will join.
    pub own: InviteSecret,
    /// What it sends.
    pub frame: Request,
}

impl Asking {
    /// A phone that was given this family's link.
    #[must_use]
    pub fn draw(raw: Raw, scope: Scope, link: &InviteSecret) -> Self {
        let (keys, own) = (KeyPairs::generate(), InviteSecret::generate());
        let frame = Request {
            scope,
            code: link.code(),
            sign_pub: keys.sign.public().0,
            hpke_pub: keys.hpke.public().0,
            code_hash: code_hash(&own.code()),
        };
        Self { raw, keys, own, frame }
    }

    /// Asks; may be repeated.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub async fn send(&self) -> Result<Requested, Refused> {
        match self.raw.one(ClientFrame::Request(self.frame.clone())).await {
            RelayFrame::Requested(requested) => Ok(requested),
            RelayFrame::Refused(refused) => Err(refused),
            other => panic!("a request is answered, not {other:?}"),
        }
    }

    /// What its screen shows.
    #[must_use]
    pub fn digits(&self, requested: &Requested) -> [String; 6] {
        compare_groups(requested.first_link, &self.keys.sign.public(), &self.keys.hpke.public())
    }

    /// Asks by its own code whether it was let in.
    #[must_use]
    pub fn way(&self) -> Way {
        Way { raw: self.raw, scope: self.frame.scope, secret: self.own.clone() }
    }

    /// Checks what the relay shows, against the digits that were compared.
    ///
    /// # Errors
    ///
    /// What a phone would show in red.
    ///
    /// # Panics
    ///
    /// If the chain does not name its keys.
    pub fn open(&self, invited: &Invited, requested: &Requested) -> Result<Opened, SealError> {
        let (roster, _) = Roster::replay(invited.links.iter().map(|link| link.as_slice()))?;
        assert_eq!(roster.hash_of(1), Some(requested.first_link), "the family of the digits");
        assert!(invited.blob.is_empty());
        let (invite, own) = roster
            .invites()
            .iter()
            .find(|(_, own)| own.sign_pub == self.keys.sign.public())
            .expect("a link names its keys");
        let (invite, members, link) = (*invite, own.members.clone(), own.made);
        let newest: LinkBody = Link::parse(invited.links.last().unwrap())?.read()?;
        let wraps = roster.check_wraps(invited.wraps.as_ref().unwrap())?;
        let hpke = &self.keys.hpke;
        let key = open_link_key(&newest, &wraps, Recipient::Invite(invite), hpke, None)?;
        let card = DeviceCard {
            pin: requested.first_link,
            keys: self.keys.clone(),
            names: Vec::new(),
            device_name: None,
        };
        let pinned = PinnedInvite { invite, members, link };
        Ok(Opened { way: self.way(), roster, card, pinned, key: Some(key) })
    }
}

impl RawDevice {
    /// The requests among what it has read.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestFact> {
        let request = |content: &Content| match content {
            Content::Request(request) => Some(request.clone()),
            _ => None,
        };
        self.log.entries.iter().filter_map(|taken| request(&taken.content)).collect()
    }

    /// The digits that it shows for a request, by its own link 1.
    ///
    /// # Panics
    ///
    /// If it has not read the roster.
    #[must_use]
    pub fn digits(&self, request: &RequestFact) -> [String; 6] {
        let first = self.log.roster.hash_of(1).expect("it has read the roster");
        compare_groups(first, &PublicKey(request.sign_pub), &PublicKey(request.hpke_pub))
    }

    /// The command that lets a phone in that asked; not sent.
    ///
    /// # Panics
    ///
    /// If such a link could not follow.
    #[must_use]
    pub fn admit(&self, request: &RequestFact, expires_at: Millis) -> ClientFrame {
        let invite = self.log.roster.next_invite();
        let op = Op::AddInvite {
            invite,
            sign_pub: PublicKey(request.sign_pub),
            hpke_pub: PublicKey(request.hpke_pub),
            members: request.members.clone(),
            expires_at,
        };
        let card = CardFrame { invite, code_hash: request.code_hash, blob: Vec::new() };
        ClientFrame::Turn(self.turn(&self.link(vec![op]).unwrap(), vec![card]))
    }
}
