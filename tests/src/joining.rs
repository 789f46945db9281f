//! From a card to a device: what a phone checks before it joins, and what it sends.

use jiashu_proto::frame::{ClientFrame, Invited, Join, Joined, Look, Refused, RelayFrame};
use jiashu_proto::id::{Scope, Token};
use jiashu_roster::{Link, LinkBody, LinkError, Op, Recipient, Roster, token_hash};
use jiashu_seal::{
    Card, DeviceCard, FamilyKey, InviteSecret, KeyPairs, PinnedInvite, SealError, Signer,
    open_link_key, random, write_link,
};

use crate::device::RawDevice;
use crate::raw::Raw;

/// A card in somebody's hand.
#[derive(Clone, Debug)]
pub struct Way {
    /// The relay it names.
    pub raw: Raw,
    /// The family it names.
    pub scope: Scope,
    /// Its secret.
    pub secret: InviteSecret,
}

impl Way {
    /// Asks what the card opens.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub async fn look(&self) -> Result<Invited, Refused> {
        let look = Look { scope: self.scope, code: self.secret.code() };
        match self.raw.one(ClientFrame::Look(look)).await {
            RelayFrame::Invited(invited) => Ok(invited),
            RelayFrame::Refused(refused) => Err(refused),
            other => panic!("a look is answered, not {other:?}"),
        }
    }

    /// Checks all that the relay showed.
    ///
    /// # Errors
    ///
    /// What a phone would show in red: the relay shows another family than the card's maker saw.
    pub fn open(&self, invited: &Invited) -> Result<Opened, SealError> {
        let Card::Device(card) = Card::open(&invited.blob, &self.secret)? else {
            return Err(SealError::Refused("not a card for one family"));
        };
        let chain = invited.links.iter().map(|link| Link::parse(link));
        let chain = chain.collect::<Result<Vec<_>, LinkError>>()?;
        let (roster, _) = Roster::replay(invited.links.iter().map(|link| link.as_slice()))?;
        let pinned = card.check_against(&chain)?;
        let newest: LinkBody = chain.last().expect("the pin was found").read()?;
        let key = match &invited.wraps {
            None if newest.number == 1 => None,
            None => return Err(SealError::BadKey("no wraps")),
            Some(wraps) => {
                let wraps = roster.check_wraps(wraps)?;
                let own = Recipient::Invite(pinned.invite);
                Some(open_link_key(&newest, &wraps, own, &card.keys.hpke, None)?)
            }
        };
        Ok(Opened { way: self.clone(), roster, card: *card, pinned, key })
    }

    /// Looks, checks, and draws what would join.
    pub async fn attempt(&self) -> Attempt {
        let invited = self.look().await.expect("the card is open");
        self.open(&invited).expect("the family is the one on the card").attempt()
    }

    /// Joins.
    pub async fn join(&self) -> RawDevice {
        let attempt = self.attempt().await;
        attempt.send().await.expect("the card lets the device in");
        attempt.into_device()
    }
}

/// A card whose family was checked.
#[derive(Clone, Debug)]
pub struct Opened {
    /// How it was looked at.
    pub way: Way,
    /// The family as the relay shows it.
    pub roster: Roster,
    /// The card's own content.
    pub card: DeviceCard,
    /// Where its invite stands.
    pub pinned: PinnedInvite,
    /// The newest key, if there is one.
    pub key: Option<FamilyKey>,
}

impl Opened {
    /// What would join: new keys, a new token, the link. Each call draws others.
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        let (keys, secret) = (KeyPairs::generate(), random());
        let device = self.roster.next_device();
        let join = Op::Join {
            device,
            sign_pub: keys.sign.public(),
            hpke_pub: keys.hpke.public(),
            token_hash: token_hash(&secret),
        };
        let signer = Signer::Invite(self.pinned.invite, &self.card.keys.sign);
        let new = write_link(&self.roster, signer, vec![join], self.key.as_ref()).unwrap();
        let (scope, code) = (self.way.scope, self.way.secret.code());
        let frame = Join { scope, code, link: new.link, wraps: new.wraps };
        Attempt { raw: self.way.raw, frame, token: Token { scope, device, secret }, keys }
    }
}

/// A join as it lies on a phone's disk before it is sent.
#[derive(Clone, Debug)]
pub struct Attempt {
    raw: Raw,
    /// What is sent.
    pub frame: Join,
    /// Good once the relay has said yes.
    pub token: Token,
    /// Of the device to be.
    pub keys: KeyPairs,
}

impl Attempt {
    /// Sends it; may be repeated.
    ///
    /// # Errors
    ///
    /// The relay's refusal.
    pub async fn send(&self) -> Result<Joined, Refused> {
        match self.raw.one(ClientFrame::Join(self.frame.clone())).await {
            RelayFrame::Joined(joined) => Ok(joined),
            RelayFrame::Refused(refused) => Err(refused),
            other => panic!("a join is answered, not {other:?}"),
        }
    }

    /// The device that it made.
    #[must_use]
    pub fn into_device(self) -> RawDevice {
        RawDevice::new(self.raw, self.token, self.keys)
    }
}
