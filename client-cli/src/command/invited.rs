//! What an invite opens, believed only after every check. Whether to join is `join`'s.
//!
//! The card, sealed under a secret that the relay never had, pins one link. The chain must hold it,
//! every link must follow from the first on, and the newest key must open all the keys before: so a
//! relay can neither show another family nor add a phone of its own.

use jiashu_proto::frame::Invited;
use jiashu_roster::{Author, Link, LinkBody, Recipient, Roster};
use jiashu_seal::{
    Card, DeviceCard, FamilyKey, InviteSecret, PinnedInvite, SealError, open_all, open_link_key,
};

use crate::error::{CliError, ExitCode, Result};
use crate::state::request::OwnRequest;

/// A way in that checks.
#[derive(Debug)]
pub(super) struct Checked {
    /// What the maker of the card wrote.
    pub card: Box<DeviceCard>,
    /// The invite in the chain.
    pub pinned: PinnedInvite,
    /// Who made it.
    pub author: Author,
    /// The family now.
    pub roster: Roster,
    /// Its newest key; `None` while nobody has joined.
    pub key: Option<FamilyKey>,
}

/// Checks all that the relay shows for an invite.
pub(super) fn check(secret: &InviteSecret, invited: &Invited) -> Result<Checked> {
    let card = Card::open(&invited.blob, secret).map_err(unsafe_join)?;
    let Card::Device(card) = card else {
        let text = "this card is for a phone of several families, which this program cannot be yet";
        return Err(CliError::new(ExitCode::BadInput, text));
    };
    follow(card, invited).map_err(unsafe_join)
}

/// Checks all that the relay shows for this phone's own request, once the family let it in: the
/// chain must begin with the link whose digits were compared, and name this phone's keys.
pub(super) fn check_request(request: &OwnRequest, invited: &Invited) -> Result<Checked> {
    follow_request(request, invited).map_err(unsafe_join)
}

fn follow_request(
    request: &OwnRequest,
    invited: &Invited,
) -> std::result::Result<Checked, SealError> {
    let (roster, _) = Roster::replay(invited.links.iter().map(|link| link.as_slice()))?;
    let shown = request.answer.as_ref().map(|answer| answer.first_link);
    if roster.hash_of(1) != shown || shown.is_none() {
        return Err(SealError::Refused("it is not the family whose digits were compared"));
    }
    let keys = &request.keys;
    let invite = roster.invites().iter().find(|(_, invite)| {
        invite.sign_pub == keys.sign.public() && invite.hpke_pub == keys.hpke.public()
    });
    let (number, invite) =
        invite.ok_or(SealError::Refused("the chain does not let this phone's keys in"))?;
    let (link, members) = (invite.made, invite.members.clone());
    let pinned = PinnedInvite { invite: *number, members, link };
    let pin = roster.hash_of(link).ok_or(SealError::Refused("the chain is cut"))?;
    let (keys, names) = (keys.clone(), Vec::new());
    let card = DeviceCard { pin, keys, names, device_name: None };
    let links = invited.links.iter().map(|link| Link::parse(link)?.read());
    let bodies = links.collect::<std::result::Result<Vec<_>, _>>()?;
    let key = newest_key(&roster, &bodies, invited, &card, &pinned)?;
    let made = bodies.into_iter().find(|body| body.number == link);
    let author = made.ok_or(SealError::Refused("the chain is cut"))?.author;
    Ok(Checked { card: Box::new(card), pinned, author, roster, key })
}

fn unsafe_join(error: SealError) -> CliError {
    let text = format!(
        "do not join: what the relay shows does not check ({error}); ask who gave you the card"
    );
    CliError::new(ExitCode::Unsafe, text)
}

fn follow(card: Box<DeviceCard>, invited: &Invited) -> std::result::Result<Checked, SealError> {
    let (roster, _) = Roster::replay(invited.links.iter().map(|link| link.as_slice()))?;
    let links = invited.links.iter().map(|link| Link::parse(link));
    let links = links.collect::<std::result::Result<Vec<_>, _>>()?;
    let pinned = card.check_against(&links)?;
    let bodies = links.iter().map(Link::read).collect::<std::result::Result<Vec<_>, _>>()?;
    if !roster.invites().contains_key(&pinned.invite) {
        return Err(SealError::Refused("the card was used or closed"));
    }
    let key = newest_key(&roster, &bodies, invited, &card, &pinned)?;
    let pinned_body = bodies.into_iter().find(|body| body.number == pinned.link);
    let author = pinned_body.ok_or(SealError::Refused("the chain is cut"))?.author;
    Ok(Checked { card, pinned, author, roster, key })
}

/// The key that the newest link brings, opened by the invite.
fn newest_key(
    roster: &Roster,
    links: &[LinkBody],
    invited: &Invited,
    card: &DeviceCard,
    pinned: &PinnedInvite,
) -> std::result::Result<Option<FamilyKey>, SealError> {
    let Some(newest) = links.last().filter(|link| link.number > 1) else { return Ok(None) };
    let wraps = invited.wraps.as_ref().ok_or(SealError::BadKey("its wraps are missing"))?;
    let wraps = roster.check_wraps(wraps)?;
    let recipient = Recipient::Invite(pinned.invite);
    let key = open_link_key(newest, &wraps, recipient, &card.keys.hpke, None)?;
    open_all(links, &key)?;
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::{InviteId, LinkHash, MemberId, Role};
    use jiashu_roster::{Op, token_hash};
    use jiashu_seal::{KeyPairs, NewLink, Signer, random, write_first_link, write_link};

    use super::*;

    /// A family of a mother and a child, one card each; the mother has joined.
    struct Cards {
        secret: InviteSecret,
        child_keys: KeyPairs,
        mother_keys: KeyPairs,
        pin: LinkHash,
        links: Vec<Vec<u8>>,
        roster: Roster,
        newest: NewLink,
    }

    impl Cards {
        fn new() -> Self {
            let (mother_keys, child_keys) = (KeyPairs::generate(), KeyPairs::generate());
            let invite = |number, keys: &KeyPairs, member| Op::AddInvite {
                invite: InviteId(number),
                sign_pub: keys.sign.public(),
                hpke_pub: keys.hpke.public(),
                members: vec![MemberId(member)],
                expires_at: 0,
            };
            let first = write_first_link(vec![
                Op::AddMember { member: MemberId(1), role: Role::Parent },
                Op::AddMember { member: MemberId(2), role: Role::Child },
                invite(1, &mother_keys, 1),
                invite(2, &child_keys, 2),
            ])
            .unwrap();
            let newest = join(&first.roster, InviteId(1), &mother_keys, None);
            Self {
                secret: InviteSecret::generate(),
                child_keys,
                mother_keys,
                pin: first.hash,
                links: vec![first.link, newest.link.clone()],
                roster: newest.roster.clone(),
                newest,
            }
        }

        fn invited(&self) -> Invited {
            let names = vec![(MemberId(1), "Mei".to_owned()), (MemberId(2), "Lili".to_owned())];
            let keys = self.child_keys.clone();
            let card = DeviceCard { pin: self.pin, keys, names, device_name: None };
            Invited {
                invite: InviteId(2),
                blob: Card::Device(Box::new(card)).seal(&self.secret),
                links: self.links.iter().cloned().map(Into::into).collect(),
                wraps: Some(self.newest.wraps.clone().into()),
                expires_at: 0,
            }
        }
    }

    fn join(roster: &Roster, invite: InviteId, by: &KeyPairs, key: Option<&FamilyKey>) -> NewLink {
        let keys = KeyPairs::generate();
        let join = Op::Join {
            device: roster.next_device(),
            sign_pub: keys.sign.public(),
            hpke_pub: keys.hpke.public(),
            token_hash: token_hash(&random()),
        };
        write_link(roster, Signer::Invite(invite, &by.sign), vec![join], key).unwrap()
    }

    fn refused(cards: &Cards, invited: &Invited, why: &str) {
        let error = check(&cards.secret, invited).unwrap_err();

        assert_eq!(error.code, ExitCode::Unsafe, "{error}");
        assert!(error.message.contains(why), "{error}");
    }

    #[test]
    fn an_honest_relay_shows_the_family_and_its_key() {
        let cards = Cards::new();

        let checked = check(&cards.secret, &cards.invited()).unwrap();

        assert_eq!(checked.key.as_ref(), Some(&cards.newest.key));
        assert_eq!(checked.pinned.members, [MemberId(2)]);
        assert!(matches!(checked.author, Author::Founder(_)));
    }

    #[test]
    fn another_family_behind_the_card_is_refused() {
        let (cards, other) = (Cards::new(), Cards::new());
        let links = other.invited().links;
        let wraps = other.invited().wraps;

        refused(&cards, &Invited { links, wraps, ..cards.invited() }, "has not the link");
    }

    #[test]
    fn a_ghost_that_the_relay_let_in_is_refused() {
        let mut cards = Cards::new();
        let stranger = KeyPairs::generate();
        let mut link = Link::parse(cards.links.last().unwrap()).unwrap();
        let body = link.read().unwrap();
        let ghost_body = LinkBody {
            number: 3,
            prev: cards.roster.head(),
            author: Author::Invite(InviteId(2)),
            ..body
        };
        link.body = ghost_body.to_bytes();
        link.signature = stranger.sign.sign(&jiashu_roster::signed_bytes(&link.body));
        cards.links.push(link.to_bytes());

        refused(&cards, &cards.invited(), "signature");
    }

    #[test]
    fn wraps_of_another_attempt_are_refused() {
        let cards = Cards::new();
        let (first, _) = Roster::replay(cards.links.iter().take(1)).unwrap();
        let other = join(&first, InviteId(1), &cards.mother_keys, None);

        let invited = Invited { wraps: Some(other.wraps.into()), ..cards.invited() };

        refused(&cards, &invited, "wraps");
    }

    #[test]
    fn missing_wraps_are_refused() {
        let cards = Cards::new();

        refused(&cards, &Invited { wraps: None, ..cards.invited() }, "wraps are missing");
    }

    #[test]
    fn a_card_opens_under_its_own_secret_alone() {
        let (cards, other) = (Cards::new(), Cards::new());

        let error = check(&other.secret, &cards.invited()).unwrap_err();

        assert_eq!(error.code, ExitCode::Unsafe);
    }

    #[test]
    fn a_card_that_was_used_does_not_look_open() {
        let mut cards = Cards::new();
        let used = join(&cards.roster, InviteId(2), &cards.child_keys, Some(&cards.newest.key));
        cards.links.push(used.link.clone());
        cards.newest = used;

        refused(&cards, &cards.invited(), "used or closed");
    }
}
