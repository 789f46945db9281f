//! A family as staff enrol it: members, a card for each phone, what is recorded of taking part.

use jiashu_proto::entry::{Consent, MemberFact};
use jiashu_proto::frame::{Card as CardFrame, Enrol};
use jiashu_proto::id::{InviteId, MemberId, Millis, Role, Scope};
use jiashu_roster::{Op, code_hash};
use jiashu_seal::{Card, DeviceCard, InviteSecret, KeyPairs, random, write_first_link};

use crate::device::RawDevice;
use crate::joining::Way;
use crate::programme::consent;
use crate::raw::Raw;

/// How long a printed card holds, in ms.
const CARD_LASTS_MS: Millis = 30 * 24 * 60 * 60 * 1000;

/// Who is to be in a family, and which phones they have.
#[derive(Clone, Debug)]
pub struct FamilySpec {
    /// Role, zone and name of members 1, 2, …
    pub members: Vec<(Role, &'static str, &'static str)>,
    /// Whom the phone of each card serves.
    pub phones: Vec<Vec<u32>>,
    /// What is recorded.
    pub consents: Vec<Consent>,
    /// When the cards expire; absent for 30 days from now.
    pub expires_at: Option<Millis>,
}

impl FamilySpec {
    /// Mother in Prato with a phone; grandmother and son in Gansu share the other; all recorded.
    #[must_use]
    pub fn li() -> Self {
        Self {
            members: vec![
                (Role::Parent, "Europe/Rome", "Li Na"),
                (Role::Caregiver, "Asia/Shanghai", "奶奶"),
                (Role::Child, "Asia/Shanghai", "小明"),
            ],
            phones: vec![vec![1], vec![2, 3]],
            consents: vec![consent(3)],
            expires_at: None,
        }
    }

    /// The same family with other phones.
    #[must_use]
    pub fn with_phones(self, phones: &[&[u32]]) -> Self {
        Self { phones: phones.iter().map(|members| members.to_vec()).collect(), ..self }
    }

    /// The frame that enrols it, and the secret of each card. Each call draws another family.
    #[must_use]
    pub fn draw(&self, case_code: &str, now: Millis) -> (Enrol, Vec<InviteSecret>) {
        let expires_at = self.expires_at.unwrap_or(now + CARD_LASTS_MS);
        let keys: Vec<_> = self.phones.iter().map(|_| KeyPairs::generate()).collect();
        let members = (1..).map(MemberId).zip(&self.members);
        let mut ops: Vec<_> = members
            .clone()
            .map(|(member, (role, ..))| Op::AddMember { member, role: *role })
            .collect();
        ops.extend((1..).zip(&self.phones).zip(&keys).map(|((invite, members), keys)| {
            let members = members.iter().copied().map(MemberId).collect();
            add_invite(InviteId(invite), keys, members, expires_at)
        }));
        let first = write_first_link(ops).unwrap();
        let names: Vec<_> =
            members.clone().map(|(member, (.., name))| (member, (*name).to_owned())).collect();
        let mut secrets = Vec::new();
        let cards = (1..).zip(keys).map(|(invite, keys)| {
            let card =
                DeviceCard { pin: first.hash, keys, names: names.clone(), device_name: None };
            let (frame, secret) = seal_card(InviteId(invite), card);
            secrets.push(secret);
            frame
        });
        let enrol = Enrol {
            case_code: case_code.into(),
            family: Scope(u64::from_be_bytes(random())),
            link: first.link.clone(),
            cards: cards.collect(),
            members: members
                .map(|(member, (_, zone, _))| MemberFact {
                    member,
                    zone: (*zone).into(),
                    language: "zh-Hans".into(),
                })
                .collect(),
            consents: self.consents.clone(),
            replaces: None,
            site: None,
            proposal: Vec::new(),
            care: None,
        };
        (enrol, secrets)
    }
}

/// The op that makes an invite.
#[must_use]
pub fn add_invite(
    invite: InviteId,
    keys: &KeyPairs,
    members: Vec<MemberId>,
    expires_at: Millis,
) -> Op {
    let (sign_pub, hpke_pub) = (keys.sign.public(), keys.hpke.public());
    Op::AddInvite { invite, sign_pub, hpke_pub, members, expires_at }
}

/// Seals a card under a new secret, for the relay to keep.
#[must_use]
pub fn seal_card(invite: InviteId, card: DeviceCard) -> (CardFrame, InviteSecret) {
    let secret = InviteSecret::generate();
    let blob = Card::Device(Box::new(card)).seal(&secret);
    (CardFrame { invite, code_hash: code_hash(&secret.code()), blob }, secret)
}

/// An enrolled family and its printed cards.
#[derive(Clone, Debug)]
pub struct TestFamily {
    /// Its relay.
    pub raw: Raw,
    /// As it was enrolled.
    pub enrol: Enrol,
    /// Of its cards, in order.
    pub secrets: Vec<InviteSecret>,
    /// Whether letters could move once it was enrolled.
    pub active: bool,
}

impl TestFamily {
    /// Its number.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.enrol.family
    }

    /// The card of that place, from 0.
    #[must_use]
    pub fn card(&self, place: usize) -> Way {
        Way { raw: self.raw, scope: self.scope(), secret: self.secrets[place].clone() }
    }

    /// A phone joins by the card of that place.
    pub async fn join(&self, place: usize) -> RawDevice {
        self.card(place).join().await
    }

    /// All its phones join in the order of their cards, and each has read all.
    pub async fn join_all<const N: usize>(&self) -> [RawDevice; N] {
        let mut devices = Vec::new();
        for place in 0..N {
            devices.push(self.join(place).await);
        }
        for device in &mut devices {
            device.sync().await;
        }
        devices.try_into().expect("as many as were asked for")
    }
}
